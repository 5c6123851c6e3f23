/** All faults, in the order in which they are played. */
import type { Fault } from '../fault.ts';
import { policyChanged, queueDeleted, waitConsumed } from './brokerFaults.ts';
import { coachDown, failing, frozen, slow } from './coachFaults.ts';
import { flooded, lettersPiling, purged, tierFilling } from './flowFaults.ts';
import { brokerDown, databaseDown, monolithDown, prometheusDown } from './outages.ts';

export const FAULTS: readonly Fault[] = [
  ...[frozen, coachDown, failing, slow],
  ...[flooded, purged, tierFilling, lettersPiling],
  ...[queueDeleted, policyChanged, waitConsumed],
  ...[brokerDown, databaseDown, monolithDown, prometheusDown],
];
