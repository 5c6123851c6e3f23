/** Scales a declaration's waits and limits down, so that a verification takes seconds. Only wait queues change names. No I/O. */
import { type Declaration, formatDuration, isLinear, type KindDeclaration } from '@fit/topology';

/**
 * Probes that would disturb one another run in different scenarios, each on a virtual host of its own.
 * - `handled`: a worker consumes.
 * - `crash`: the worker crashes.
 * - `expiry`, `overflow`: no worker consumes.
 */
export type Scenario = 'handled' | 'crash' | 'expiry' | 'overflow';
export const SCENARIOS: readonly Scenario[] = ['handled', 'crash', 'expiry', 'overflow'];

const LONGEST_WAIT_MS = 500;
const SHORTEST_WAIT_MS = 50;
/** Capacity for every probe of a kind at once: a message whose next queue is full awaits its transfer for three minutes. */
const PROBE_CAPACITY = 100;
/** Time to live if nothing is to expire: a slow machine may keep a probe waiting. */
const SAFE_TTL_MS = 10_000;
const OVERFLOW_LENGTH = 3;
/** More crashes test nothing more; the limit must not be below the eleven attempts of ten tiers. */
const CRASH_LIMIT = 20;

export interface Scale {
  readonly scenario: Scenario;
  /** True: waits are as declared; limits are scaled all the same. */
  readonly isRealTime: boolean;
}

/** @returns what one scenario declares in place of the declaration. */
export function scaleDeclaration(declaration: Declaration, scale: Scale): Declaration {
  const { scenario, isRealTime } = scale;
  const kinds = declaration.kinds.map((kind) =>
    Object.freeze({
      ...kind,
      ...(isRealTime ? {} : scaledTiers(kind)),
      messageTtlMs: scaledTtlMs(kind, scale),
      maxLength: scaledLength(kind.maxLength, scenario),
      crashLimit: scenario === 'crash' ? Math.min(kind.crashLimit, CRASH_LIMIT) : kind.crashLimit,
      // The load is only compared with maxLength, which is another one here.
      load: undefined,
    }),
  );
  return Object.freeze({
    exchange: declaration.exchange,
    hasFanOut: declaration.hasFanOut,
    delaysMs: declaration.delaysMs,
    kinds: Object.freeze(kinds),
    kind: Object.freeze(Object.fromEntries(kinds.map((kind) => [kind.kind, kind]))),
  });
}

/** @returns one line for each value that differs, such as 'send: tiers 5s, 2m become 50ms, 500ms'. */
export function describeScaling(declared: Declaration, scaled: Declaration): string[] {
  return declared.kinds.flatMap((before, index) => {
    const after = scaled.kinds[index] ?? before;
    const rows: readonly [name: string, from: string, to: string][] = [
      ['tiers', durationsText(before.tiersMs), durationsText(after.tiersMs)],
      [
        'messageTtl',
        durationsText([before.messageTtlMs ?? 0]),
        durationsText([after.messageTtlMs ?? 0]),
      ],
      ['maxLength', `${before.maxLength}`, `${after.maxLength}`],
      ['crashLimit', `${before.crashLimit}`, `${after.crashLimit}`],
    ];
    return rows
      .filter(([, from, to]) => from !== to)
      .map(
        ([name, from, to]) =>
          `${before.kind}: ${name} ${from} ${name === 'tiers' ? 'become' : 'becomes'} ${to}`,
      );
  });
}

/** Linear tiers stay exactly linear, because the broker's own delayed retry is chosen or refused by that. */
function scaledTiers({ tiersMs }: KindDeclaration): Pick<KindDeclaration, 'tiersMs' | 'tiers'> {
  const factor = scalingFactor(tiersMs);
  const [firstMs = 1] = tiersMs;
  const scaledFirstMs = scaledWaitMs(firstMs, factor);
  const scaledMs = tiersMs.map((tierMs) =>
    isLinear(tiersMs)
      ? Math.round((tierMs / firstMs) * scaledFirstMs)
      : scaledWaitMs(tierMs, factor),
  );
  return {
    tiersMs: Object.freeze(scaledMs),
    tiers: Object.freeze(scaledMs.map((tierMs) => formatDuration(tierMs))),
  };
}

function scaledTtlMs(
  { tiersMs, messageTtlMs }: KindDeclaration,
  { scenario, isRealTime }: Scale,
): number | undefined {
  if (messageTtlMs === undefined) return undefined;
  if (scenario !== 'expiry') return Math.max(messageTtlMs, SAFE_TTL_MS);
  if (isRealTime) return messageTtlMs;
  return Math.min(scaledWaitMs(messageTtlMs, scalingFactor(tiersMs)), LONGEST_WAIT_MS);
}

function scaledLength(maxLength: number, scenario: Scenario): number {
  if (scenario === 'overflow') return Math.min(maxLength, OVERFLOW_LENGTH);
  return scenario === 'handled' ? Math.max(maxLength, PROBE_CAPACITY) : maxLength;
}

function scalingFactor(tiersMs: readonly number[]): number {
  return Math.min(1, LONGEST_WAIT_MS / Math.max(...tiersMs));
}

function scaledWaitMs(durationMs: number, factor: number): number {
  return Math.max(Math.min(durationMs, SHORTEST_WAIT_MS), Math.round(durationMs * factor));
}

function durationsText(durationsMs: readonly number[]): string {
  return durationsMs.map((durationMs) => formatDuration(durationMs)).join(', ');
}
