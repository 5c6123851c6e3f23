/** A declaration: which kinds of job exist, where they queue, how often and how late they are tried again. */
import { TopologyError } from '../errors.ts';
import { type Duration, parseDurationMs } from './duration.ts';
import { exchangeFaults, kindFaults } from './faults.ts';
import type { Backend, KindOptions, Load } from './kindOptions.ts';

/** Kinds of job by their names. */
export type KindsOptions = Readonly<Record<string, KindOptions>>;

/** What is declared by hand: one exchange, any number of kinds. */
export interface TopologyOptions<Kinds extends KindsOptions = KindsOptions> {
  /** Topic exchange that every kind's public key is published to. */
  readonly exchange: string;
  readonly kinds: Kinds;
}

/** The type of an option as it was written, or what it is where it was left out. */
type Written<Options extends KindOptions, Name extends keyof KindOptions, Default> =
  Options extends Readonly<Record<Name, infer Value>> ? Value : Default;

/** The validated form: no option left open, durations in milliseconds. Names, keys, tiers and limits are literal types. */
export interface KindDeclaration<
  Kind extends string = string,
  Options extends KindOptions = KindOptions,
> {
  readonly kind: Kind;
  readonly key: Options['key'];
  readonly queue: Options['queue'];
  /** As written: `'5s'` stays `'5s'`, so that an unknown tier does not compile. */
  readonly tiers: Options['tiers'];
  readonly tiersMs: readonly number[];
  readonly maxLength: Written<Options, 'maxLength', number>;
  readonly crashLimit: Written<Options, 'crashLimit', number>;
  readonly messageTtlMs: number | undefined;
  readonly deadlineMs: number;
  readonly nonRetryable: readonly string[];
  readonly hasPriorities: boolean;
  readonly load: Load | undefined;
  readonly backend: Backend;
  readonly queueType: 'quorum' | 'classic';
  readonly dropsHead: boolean;
}

/** What was declared, validated and frozen: the input of `planTopology` and of everything that opens a connection. */
export interface Declaration<Kinds extends KindsOptions = KindsOptions> {
  readonly exchange: string;
  /** In the order of the declaration. */
  readonly kinds: readonly KindDeclaration<Extract<keyof Kinds, string>>[];
  /** By name: an unknown kind does not compile. */
  readonly kind: {
    readonly [Name in Extract<keyof Kinds, string>]: KindDeclaration<Name, Kinds[Name]>;
  };
}

const DEFAULTS = {
  maxLength: 10_000,
  crashLimit: 5,
  deadline: '60s',
  nonRetryable: [],
  hasPriorities: false,
  load: undefined,
  backend: 'tiers',
  queueType: 'quorum',
  unsafe: [],
} as const;

/**
 * @returns a frozen declaration.
 * @throws TopologyError `DECLARATION_INVALID` with every fault found.
 */
export function declareTopology<const Kinds extends KindsOptions>(
  options: TopologyOptions<Kinds>,
): Declaration<Kinds> {
  // From JavaScript anything may be missing; what is names itself below.
  const given = (options as Partial<TopologyOptions> | undefined) ?? {};
  const entries = Object.entries<KindOptions>(given.kinds ?? {});
  const faults = [
    ...exchangeFaults(given.exchange, entries.length),
    ...entries.flatMap(([kind, kindOptions]) => kindFaults(kind, kindOptions)),
  ];
  if (faults.length > 0) throw new TopologyError('DECLARATION_INVALID', faults);
  const kinds = entries.map(([kind, kindOptions]) => normalise(kind, kindOptions));
  return Object.freeze({
    exchange: options.exchange,
    kinds: Object.freeze(kinds),
    kind: Object.freeze(Object.fromEntries(kinds.map((kind) => [kind.kind, kind]))),
  }) as unknown as Declaration<Kinds>;
}

/** The wait of one tier, by its place; a place that was not declared does not compile. Milliseconds. */
export function tierMs<Options extends KindOptions>(
  kind: KindDeclaration<string, Options>,
  tier: Options['tiers'][number],
): number {
  return parseDurationMs(tier) ?? 0;
}

function normalise(kind: string, options: KindOptions): KindDeclaration {
  const complete = { ...DEFAULTS, ...options };
  const { key, queue, tiers, maxLength, crashLimit, load, messageTtl } = complete;
  const { hasPriorities, backend, queueType, nonRetryable, deadline, unsafe } = complete;
  return Object.freeze({
    kind,
    key,
    queue,
    maxLength,
    crashLimit,
    hasPriorities,
    backend,
    queueType,
    tiers: Object.freeze([...tiers]),
    tiersMs: Object.freeze(tiers.map((tier) => milliseconds(tier))),
    messageTtlMs: messageTtl === undefined ? undefined : milliseconds(messageTtl),
    deadlineMs: milliseconds(deadline),
    nonRetryable: Object.freeze([...nonRetryable]),
    load: load === undefined ? undefined : Object.freeze({ ...load }),
    dropsHead: unsafe.some((name) => name === 'drop-head'),
  });
}

/** Validated before; a duration that cannot be read never comes here. */
function milliseconds(duration: Duration): number {
  return parseDurationMs(duration) ?? 0;
}
