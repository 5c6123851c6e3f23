/** True alerts that come along with a fault or not, by how the load happens to meet it; each with its reason. */
import type { Reasons } from './fault.ts';

export const FILLS: Reasons = {
  'QueueFillingUp warning': 'jobs go on arriving; NoConsumers hides it once that is known',
  'QueueNearFull warning': 'they arrive for a minute, and the queue takes 200',
  'QueueNearFull critical': 'the same, a little later',
};

/** Of faults that go on until a queue of 200 is full. */
export const REFUSES: Reasons = {
  'PublishRejected critical': 'the full queue refuses, and the jobs stay in the outbox',
  'BrokerRefusesPublishes warning': 'the same refusals, as the broker counts them',
  'OutboxStale warning': 'what the queue does not take waits in the outbox',
};

/** Of outages that last for over a minute. */
export const IN_THE_WAKE: Reasons = {
  'JobLatencyBurn critical': 'what waited for their end took over a minute',
  'OutboxStale warning': 'for a moment: the outage is over, and the outbox not yet empty',
};

export const WAITED: Reasons = {
  'QueueWaitHigh warning': 'what had to wait is counted when it is delivered after all',
  'JobLatencyBurn critical': 'and what waited for over a minute was slow',
};

export const BURNS: Reasons = {
  'JobSuccessBurn warning': 'the tickets of the longer windows, which all are short here',
};
