/** A declaration: which kinds of job exist, where they queue, how often and how late they are tried again. */
import { type Fault, TopologyError } from '../errors.ts';
import { type Duration, parseDurationMs } from './duration.ts';

/** One kind of job, as its owner writes it. */
export interface KindOptions {
  /** Public routing key, concrete (no wildcard). */
  readonly key: string;
  /** Main queue; its wait, dead-letter and exchange names derive from it. */
  readonly queue: string;
  /** Waits between attempts, strictly rising, each below 2^32 ms. n tiers make n + 1 attempts. */
  readonly tiers: readonly Duration[];
  /** Messages that the main queue holds before it refuses more; default 10,000; at least 1. */
  readonly maxLength?: number;
  /** Deliveries that may end with a dead worker before the job is dead-lettered; default 5; above the attempts' number. */
  readonly crashLimit?: number;
  /** Time to live in the main queue. Default none: a job that waits long is late, not void. */
  readonly messageTtl?: Duration;
  /** What may be lost, said aloud. `drop-head`: a full main queue dead-letters its oldest, at most once. */
  readonly unsafe?: readonly 'drop-head'[];
}

export interface TopologyOptions<Kind extends string> {
  /** Topic exchange that every kind's public key is published to. */
  readonly exchange: string;
  readonly kinds: Readonly<Record<Kind, KindOptions>>;
}

/** The validated form: no option left open, durations in milliseconds. */
export interface KindDeclaration<Kind extends string = string> {
  readonly kind: Kind;
  readonly key: string;
  readonly queue: string;
  readonly tiersMs: readonly number[];
  readonly maxLength: number;
  readonly crashLimit: number;
  readonly messageTtlMs: number | undefined;
  readonly dropsHead: boolean;
}

export interface Declaration<Kind extends string = string> {
  readonly exchange: string;
  readonly kinds: readonly KindDeclaration<Kind>[];
}

const LIMIT_MS = 2 ** 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * @returns a frozen declaration; kinds are literal types, so an unknown kind does not compile.
 * @throws TopologyError `DECLARATION_INVALID` with every fault found.
 */
export function declareTopology<Kind extends string>(
  options: TopologyOptions<Kind>,
): Declaration<Kind> {
  const entries = Object.entries<KindOptions>(options.kinds) as [Kind, KindOptions][];
  const faults = [
    ...nameFaults('exchange', options.exchange),
    ...(entries.length === 0 ? [fault('NO_KIND', 'kinds', 'declare at least one kind')] : []),
    ...entries.flatMap(([kind, kindOptions]) => kindFaults(kind, kindOptions)),
  ];
  if (faults.length > 0) throw new TopologyError('DECLARATION_INVALID', faults);
  const kinds = entries.map(([kind, kindOptions]) => normalise(kind, kindOptions));
  return Object.freeze({ exchange: options.exchange, kinds: Object.freeze(kinds) });
}

function normalise<Kind extends string>(kind: Kind, options: KindOptions): KindDeclaration<Kind> {
  return Object.freeze({
    kind,
    key: options.key,
    queue: options.queue,
    tiersMs: Object.freeze(options.tiers.map((tier) => parseDurationMs(tier) ?? 0)),
    maxLength: options.maxLength ?? 10_000,
    crashLimit: options.crashLimit ?? 5,
    messageTtlMs:
      options.messageTtl === undefined ? undefined : parseDurationMs(options.messageTtl),
    dropsHead: options.unsafe?.includes('drop-head') ?? false,
  });
}

function kindFaults(kind: string, options: KindOptions): Fault[] {
  return [
    ...nameFaults(`${kind}.key`, options.key),
    ...nameFaults(`${kind}.queue`, options.queue),
    ...tierFaults(kind, options.tiers),
    ...countFaults(`${kind}.maxLength`, options.maxLength),
    ...countFaults(`${kind}.crashLimit`, options.crashLimit),
    ...(options.messageTtl === undefined
      ? []
      : durationFaults(`${kind}.messageTtl`, options.messageTtl)),
  ];
}

function tierFaults(kind: string, tiers: readonly Duration[]): Fault[] {
  if (tiers.length === 0)
    return [fault('NO_TIER', `${kind}.tiers`, "give at least one wait, such as '5s'")];
  const faults = tiers.flatMap((tier, index) => durationFaults(`${kind}.tiers[${index}]`, tier));
  if (faults.length > 0) return faults;
  const delaysMs = tiers.map((tier) => parseDurationMs(tier) ?? 0);
  return delaysMs.flatMap((delayMs, index) =>
    index > 0 && delayMs <= (delaysMs[index - 1] ?? 0)
      ? [
          fault(
            'TIERS_NOT_RISING',
            `${kind}.tiers[${index}]`,
            `${delayMs} ms must exceed the tier before it`,
          ),
        ]
      : [],
  );
}

function durationFaults(culprit: string, duration: Duration): Fault[] {
  const durationMs = parseDurationMs(duration);
  if (durationMs === undefined || !Number.isInteger(durationMs))
    return [
      fault(
        'DURATION_UNREADABLE',
        culprit,
        `'${duration}' is no whole duration; write '30s' or milliseconds`,
      ),
    ];
  return durationMs > 0 && durationMs < LIMIT_MS
    ? []
    : [fault('DURATION_OUT_OF_RANGE', culprit, `${durationMs} ms must be above 0 and below 2^32`)];
}

function countFaults(culprit: string, count: number | undefined): Fault[] {
  return count === undefined || (Number.isInteger(count) && count >= 1)
    ? []
    : [fault('COUNT_OUT_OF_RANGE', culprit, `${count} must be a whole number of at least 1`)];
}

function nameFaults(culprit: string, name: string): Fault[] {
  return NAME.test(name)
    ? []
    : [
        fault(
          'NAME_INVALID',
          culprit,
          `'${name}' must be letters, digits, '.', '_', '-', at most 100, no wildcard`,
        ),
      ];
}

function fault(code: string, culprit: string, remedy: string): Fault {
  return { code, culprit, remedy };
}
