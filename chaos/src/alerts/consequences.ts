/** True alerts that come along with a fault or not, by how the load happens to meet it; each with its reason. */
import type { Consequences } from './fault.ts';

export const FILLS: Consequences = {
  'QueueFillingUp warning': 'jobs go on arriving; NoConsumers hides it once that is known',
  'QueueNearFull warning': 'they arrive for a minute, and the queue takes 200',
  'QueueNearFull critical': 'the same, a little later',
};

export const WAITED: Consequences = {
  'QueueWaitHigh warning': 'what had to wait is counted when it is delivered after all',
};

export const BURNS: Consequences = {
  'JobSuccessBurn warning': 'the tickets of the longer windows, which all are short here',
};
