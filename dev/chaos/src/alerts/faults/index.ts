/** All faults in the order in which they are injected. */
import type { Fault } from '../fault.ts';
import { coachDown, coachFrozen, everyAttemptFails, hangingJobs, slowJobs } from './coachFaults.ts';
import {
  bindingDeleted,
  policyChanged,
  queueDeleted,
  waitQueueConsumed,
} from './declarationFaults.ts';
import { messagesDestroyed, queueOverflowed, unroutablePublishes } from './foreignSystemFaults.ts';
import {
  brokerDown,
  brokerOutOfMemory,
  databaseDown,
  monolithDown,
  prometheusDown,
} from './outageFaults.ts';
import {
  deadLettersGrow,
  publisherTooFast,
  queuePurged,
  retriesMeetFullQueue,
  tierFills,
} from './queueFaults.ts';

export const FAULTS: readonly Fault[] = [
  coachFrozen,
  coachDown,
  everyAttemptFails,
  slowJobs,
  hangingJobs,
  publisherTooFast,
  retriesMeetFullQueue,
  queuePurged,
  tierFills,
  deadLettersGrow,
  queueDeleted,
  bindingDeleted,
  policyChanged,
  waitQueueConsumed,
  unroutablePublishes,
  messagesDestroyed,
  queueOverflowed,
  brokerOutOfMemory,
  brokerDown,
  databaseDown,
  monolithDown,
  prometheusDown,
];
