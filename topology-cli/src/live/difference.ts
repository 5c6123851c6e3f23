/** One way in which a virtual host is not what the plan says. */

/** Stable: what is missing, differs, is too much, or is somebody else's. */
export type DifferenceCode =
  | 'EXCHANGE_MISSING'
  | 'EXCHANGE_DIFFERS'
  | 'QUEUE_MISSING'
  | 'QUEUE_ARGUMENTS_DIFFER'
  | 'QUEUE_OLD'
  | 'CONSUMER_ON_WAIT'
  | 'BINDING_MISSING'
  | 'BINDING_EXTRA'
  | 'TIER_CHANGE_LEFT'
  | 'POLICY_MISSING'
  | 'POLICY_DIFFERS'
  | 'POLICY_FOREIGN'
  | 'POLICY_OPERATOR';

/** Who mends it: `topology apply`, `topology drain`, or a person, who is told how. */
export type DifferenceFix = 'apply' | 'drain' | 'hand';

/** What differs, on which object, and who mends it how. */
export interface Difference {
  readonly code: DifferenceCode;
  /** Name of the exchange, queue or policy; a binding is spelt `source [key] -> destination`. */
  readonly subject: string;
  /** What should be; of arguments and definitions only what differs. */
  readonly planned?: unknown;
  /** What is. */
  readonly live?: unknown;
  readonly remedy: string;
  readonly fixedBy: DifferenceFix;
}
