/** A declaration: which kinds of job exist, in which queues they wait, how often and after which delays they are retried. */
import { fault, TopologyError } from '../errors.ts';
import { type Duration, parseDurationMs } from './duration.ts';
import { withoutCovered } from './keyPattern.ts';
import { delayFaults, exchangeFaults, kindFaults } from './kindFaults.ts';
import type { Backend, KindOptions, Load, QueueNames } from './kindOptions.ts';

/** Kinds of job by their names. */
export type KindsOptions = Readonly<Record<string, KindOptions>>;

/** What an owner declares: one exchange, any number of kinds. */
export interface TopologyOptions<Kinds extends KindsOptions = KindsOptions> {
  /** Topic exchange that every kind's public key is published to. */
  readonly exchange: string;
  /** Kinds by name; at least one. */
  readonly kinds: Kinds;
  /**
   * True allows several queues to have the same public key: each gets a copy of the message, with its own attempts and dead
   * letters. Default false, so that two queues with one key by mistake are refused.
   */
  readonly hasFanOut?: boolean;
  /**
   * Delays that a message may be published with before its first delivery, at most ten; each is one more queue. They need
   * RabbitMQ 3.13. Default none.
   */
  readonly delays?: readonly Duration[];
}

/** The literal type of an option as written, or the type of its default where it was left out. */
export type DeclaredOr<Options extends KindOptions, Name extends keyof KindOptions, Default> =
  Options extends Readonly<Record<Name, infer Value>> ? Value : Default;

/** A kind with every option set and durations in milliseconds: see `KindOptions`. Names, keys, tiers and limits are literal types. */
export interface KindDeclaration<
  Kind extends string = string,
  Options extends KindOptions = KindOptions,
> {
  readonly kind: Kind;
  /** Public key that messages of this kind are published with. */
  readonly key: Options['key'];
  /** Public keys and patterns by which the queue is bound, without those that another one covers. */
  readonly keys: readonly string[];
  readonly queue: Options['queue'];
  readonly names: QueueNames;
  /** As written: `'5s'` stays `'5s'`, so that an unknown tier does not compile. */
  readonly tiers: Options['tiers'];
  readonly tiersMs: readonly number[];
  /** Share of each delay, 0 to 1, by which waits are lengthened at most. */
  readonly jitter: number;
  readonly maxLength: DeclaredOr<Options, 'maxLength', number>;
  readonly crashLimit: DeclaredOr<Options, 'crashLimit', number>;
  readonly messageTtlMs: number | undefined;
  readonly deadlineMs: number;
  readonly nonRetryable: readonly string[];
  /** From lowest to highest; empty without priorities. */
  readonly priorities: readonly string[];
  readonly load: Load | undefined;
  readonly backend: Backend;
  readonly queueType: 'quorum' | 'classic';
  readonly dropsHead: boolean;
}

/** A validated, frozen declaration: the input of `planTopology`, `assertTopology` and `QueueWorker`. */
export interface Declaration<Kinds extends KindsOptions = KindsOptions> {
  /** Topic exchange that every kind's public key is published to. */
  readonly exchange: string;
  /** True if several queues may have the same public key. */
  readonly hasFanOut: boolean;
  /** Milliseconds of the delays that a message may be published with. */
  readonly delaysMs: readonly number[];
  /** Kinds in the order of the declaration. */
  readonly kinds: readonly KindDeclaration<Extract<keyof Kinds, string>>[];
  /** Kinds by name: an unknown kind does not compile. */
  readonly kind: {
    readonly [Name in Extract<keyof Kinds, string>]: KindDeclaration<Name, Kinds[Name]>;
  };
}

const DEFAULTS = {
  maxLength: 10_000,
  crashLimit: 5,
  deadline: '60s',
  nonRetryable: [],
  priorities: [],
  load: undefined,
  backend: 'tiers',
  queueType: 'quorum',
  unsafe: [],
  names: {},
  jitter: 0,
} as const;

/**
 * Validates a declaration and sets defaults.
 * @returns a frozen declaration.
 * @throws TopologyError `DECLARATION_INVALID` with every fault found.
 */
export function declareTopology<const Kinds extends KindsOptions>(
  options: TopologyOptions<Kinds>,
): Declaration<Kinds> {
  // A program in JavaScript may pass anything; the checks below name what is missing.
  const given = (options as Partial<TopologyOptions> | undefined) ?? {};
  const entries = Object.entries<KindOptions>(given.kinds ?? {});
  const faults = [
    ...exchangeFaults(given.exchange, entries.length),
    ...delayFaults(given.delays),
    ...entries.flatMap(([kind, kindOptions]) => kindFaults(kind, kindOptions)),
  ];
  if (faults.length > 0) throw new TopologyError('DECLARATION_INVALID', faults);
  const kinds = entries.map(([kind, kindOptions]) => normalise(kind, kindOptions));
  return Object.freeze({
    exchange: options.exchange,
    hasFanOut: options.hasFanOut === true,
    delaysMs: Object.freeze((options.delays ?? []).map(milliseconds)),
    kinds: Object.freeze(kinds),
    kind: Object.freeze(Object.fromEntries(kinds.map((kind) => [kind.kind, kind]))),
  }) as unknown as Declaration<Kinds>;
}

/** @returns the milliseconds of a declared tier. A tier that was not declared does not compile. */
export function tierMs<Options extends KindOptions>(
  kind: KindDeclaration<string, Options>,
  tier: Options['tiers'][number],
): number {
  return parseDurationMs(tier) ?? 0;
}

/**
 * A program in JavaScript may pass anything as a declaration.
 * @throws TopologyError `DECLARATION_INVALID` if it is not what `declareTopology` returned.
 */
export function requireDeclaration(declaration: unknown): asserts declaration is Declaration {
  const { kinds, exchange } = Object(declaration) as Partial<Record<keyof Declaration, unknown>>;
  if (Array.isArray(kinds) && typeof exchange === 'string') return;
  const given = declaration === undefined ? 'is undefined' : 'is no declaration';
  throw new TopologyError('DECLARATION_INVALID', [
    fault('DECLARATION_MISSING', 'declaration', `${given}; pass what declareTopology returned`),
  ]);
}

/** @throws TopologyError `DECLARATION_INVALID` if the kind is not declared; it names the declared ones. */
export function requireKind(declaration: Declaration, name: unknown): KindDeclaration {
  requireDeclaration(declaration);
  const kind = declaration.kinds.find((candidate) => candidate.kind === name);
  if (kind !== undefined) return kind;
  const names = declaration.kinds.map((candidate) => `'${candidate.kind}'`).join(', ');
  throw new TopologyError('DECLARATION_INVALID', [
    fault(
      'KIND_UNKNOWN',
      'kind',
      `'${String(name)}' is not declared; the declaration has ${names}`,
    ),
  ]);
}

function normalise(kind: string, options: KindOptions): KindDeclaration {
  const complete = { ...DEFAULTS, ...options };
  const { key, keys = [key], queue, tiers, maxLength, crashLimit, load, messageTtl } = complete;
  const { priorities, backend, queueType, nonRetryable, deadline, unsafe, names, jitter } =
    complete;
  return Object.freeze({
    kind,
    key,
    keys: Object.freeze(withoutCovered(keys)),
    queue,
    names: Object.freeze({ ...names }),
    maxLength,
    crashLimit,
    priorities: Object.freeze([...priorities]),
    backend,
    queueType,
    tiers: Object.freeze([...tiers]),
    tiersMs: Object.freeze(tiers.map((tier) => milliseconds(tier))),
    jitter,
    messageTtlMs: messageTtl === undefined ? undefined : milliseconds(messageTtl),
    deadlineMs: milliseconds(deadline),
    nonRetryable: Object.freeze([...nonRetryable]),
    load: load === undefined ? undefined : Object.freeze({ ...load }),
    dropsHead: unsafe.some((name) => name === 'drop-head'),
  });
}

/** @returns the milliseconds of a duration that was validated before. */
function milliseconds(duration: Duration): number {
  return parseDurationMs(duration) ?? 0;
}
