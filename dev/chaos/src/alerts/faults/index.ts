/** All faults, in the order in which they are played. */
import type { Fault } from '../fault.ts';
import { policyChanged, queueDeleted, waitConsumed } from './brokerFaults.ts';
import { coachDown, failing, frozen, hanging, slow } from './coachFaults.ts';
import { flooded, lettersPiling, purged, retriesHeld, tierFilling } from './flowFaults.ts';
import { brokerAlarm, brokerDown, databaseDown, monolithDown, prometheusDown } from './outages.ts';
import { destroyed, overflowed, sentToNobody } from './strangers.ts';

export const FAULTS: readonly Fault[] = [
  ...[frozen, coachDown, failing, slow, hanging],
  ...[flooded, retriesHeld, purged, tierFilling, lettersPiling],
  ...[queueDeleted, policyChanged, waitConsumed],
  ...[sentToNobody, destroyed, overflowed],
  ...[brokerAlarm, brokerDown, databaseDown, monolithDown, prometheusDown],
];
