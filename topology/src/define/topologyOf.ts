/** The topology of a declaration that was made by hand. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import type { Queues, Topology } from './defineTopology.ts';
import type { Messages } from './messages.ts';

/**
 * For owners of a declaration, whose kinds are the queues; the public key of a kind is the name of its message. Throws keep
 * their meaning only through `onError`: the `nonRetryable` of a kind names classes, and `createWorker` asks `onError` instead.
 * @param schemaOf the schema of the bodies of a kind.
 * @returns a topology for `createPublisher` and `createWorker` that has the same plan.
 */
export function topologyOf(
  declaration: Declaration,
  schemaOf: (kind: KindDeclaration) => StandardSchemaV1,
): Topology {
  const messages: Messages = Object.fromEntries(
    declaration.kinds.map((kind) => [kind.key, schemaOf(kind)]),
  );
  const queues: Queues = Object.fromEntries(
    declaration.kinds.map(({ kind, key, tiers }) => [
      kind,
      { on: [key], retry: { delays: tiers } },
    ]),
  );
  return Object.freeze({
    exchange: declaration.exchange,
    messages: Object.freeze(messages),
    queues: Object.freeze(queues),
    delays: Object.freeze([]),
    declaration,
  });
}
