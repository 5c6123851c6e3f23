/** What a virtual host holds, as plain data: read once, compared without further questions. */

/** Of an exchange, queue or binding, or a policy's definition; by the broker's own names. */
export type Arguments = Readonly<Record<string, unknown>>;

/** An exchange as the broker describes it. */
export interface LiveExchange {
  readonly name: string;
  readonly type: string;
  readonly isDurable: boolean;
  readonly isAutoDelete: boolean;
  readonly arguments: Arguments;
}

/** A queue as the broker describes it, with what it counts. */
export interface LiveQueue {
  readonly name: string;
  /** 'quorum', 'classic' or 'stream'. */
  readonly type: string;
  readonly isDurable: boolean;
  readonly isAutoDelete: boolean;
  readonly arguments: Arguments;
  /** Of users; undefined where none is in force, or where the broker does not say so yet. */
  readonly policy: string | undefined;
  readonly operatorPolicy: string | undefined;
  /** Both merged. */
  readonly effectivePolicy: Arguments;
  /** Ready, unsettled and held; undefined until the first statistics come, up to 5 s after the declaration. */
  readonly messageCount: number | undefined;
  readonly readyCount: number | undefined;
  /** Expired or rejected, and not yet confirmed by where they go. Absent in a classic queue. */
  readonly awaitingTransferCount: number | undefined;
  /** Up to 5 s late. */
  readonly consumerCount: number;
}

/** From an exchange to a queue or to another exchange. */
export interface LiveBinding {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: 'queue' | 'exchange';
  readonly key: string;
  readonly arguments: Arguments;
}

/** A policy of users or of operators. */
export interface LivePolicy {
  readonly name: string;
  readonly pattern: string;
  readonly definition: Arguments;
  /** 'queues', 'all', 'quorum_queues' and the like. */
  readonly applyTo: string;
  readonly priority: number;
}

/** All that a comparison needs to know of a virtual host. */
export interface LiveTopology {
  /** Without the broker's own: the default exchange, and names with `amq.`. */
  readonly exchanges: readonly LiveExchange[];
  readonly queues: readonly LiveQueue[];
  /** Without those of the default exchange. */
  readonly bindings: readonly LiveBinding[];
  readonly policies: readonly LivePolicy[];
  readonly operatorPolicies: readonly LivePolicy[];
}

/** @returns one spelling for equal values, whatever the order of their fields. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) =>
    typeof held === 'object' && held !== null && !Array.isArray(held)
      ? Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)))
      : held,
  );
}

/** @returns a binding's identity, which is also how people are told of it. */
export function bindingText(binding: LiveBinding): string {
  const { source, destination, destinationType, key, arguments: headers } = binding;
  const match =
    Object.keys(headers).length === 0 ? `[${key}]` : `[${key}] ${canonicalText(headers)}`;
  return `${source} ${match} -> ${destinationType === 'queue' ? '' : 'exchange '}${destination}`;
}
