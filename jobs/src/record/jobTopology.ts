/** The topology of jobs: each kind is a queue, and its messages are decoded with every check before a worker has them. */
import { type Declaration, type Topology, topologyOf } from '@fit/topology';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ReceivedJob } from './jobMessage.ts';

/**
 * Relays publish the bytes that they signed, and workers decode them by `decodeJob`, which refuses what is wrong. So nothing
 * is left for a schema.
 */
const CHECKED_BY_DECODING: StandardSchemaV1<Buffer, ReceivedJob> = {
  '~standard': {
    version: 1,
    vendor: '@fit/jobs',
    validate: (value) => ({ value: value as ReceivedJob }),
  },
};

/** @returns the topology for publishers and workers of these kinds. */
export function jobTopology(declaration: Declaration): Topology {
  return topologyOf(declaration, () => CHECKED_BY_DECODING);
}
