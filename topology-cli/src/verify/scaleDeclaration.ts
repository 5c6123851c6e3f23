/** Declaration → the same with waits and limits that a verification can sit out. Pure; names stay, save the delay in a wait queue's. */
import type { Declaration, KindDeclaration } from '@fit/topology';
import { type Duration, formatDuration, isLinear } from '@fit/topology';

/**
 * Probes that disturb one another are sent in turns, each on a virtual host of its own. attended: met by a worker.
 * crash: their worker dies. expiry, overflow: nobody takes them.
 */
export type Turn = 'attended' | 'crash' | 'expiry' | 'overflow';
export const TURNS: readonly Turn[] = ['attended', 'crash', 'expiry', 'overflow'];

const LONGEST_MS = 500;
const SHORTEST_MS = 50;
/** Room for every probe of a kind at once: one that meets a full queue is held for three minutes. */
const ROOM_COUNT = 100;
/** Where nothing is to expire: a slow machine keeps a probe waiting. */
const SHORTEST_LIFE_MS = 10_000;
const OVERFLOW_COUNT = 3;
/** More is the same again; not below the eleven attempts that ten tiers make. */
const CRASH_COUNT = 20;

/** What a declaration is scaled for. */
export interface Scale {
  readonly turn: Turn;
  /** Waits as they are declared; limits are scaled all the same. */
  readonly isRealTime: boolean;
}

/** What one turn declares in place of the declaration; every name but a wait queue's stays. */
export function scaleDeclaration(declaration: Declaration, scale: Scale): Declaration {
  const { turn } = scale;
  const kinds = declaration.kinds.map((kind) => {
    const { maxLength, crashLimit } = kind;
    return Object.freeze({
      ...kind,
      ...(scale.isRealTime ? {} : scaleWaits(kind)),
      messageTtlMs: scaleLife(kind, scale),
      maxLength: scaleLength(maxLength, turn),
      crashLimit: turn === 'crash' ? Math.min(crashLimit, CRASH_COUNT) : crashLimit,
      // It is only compared with the limit, which is another here.
      load: undefined,
    });
  });
  return Object.freeze({
    exchange: declaration.exchange,
    kinds: Object.freeze(kinds),
    kind: Object.freeze(Object.fromEntries(kinds.map((kind) => [kind.kind, kind]))),
  });
}

/** @returns one line for each number that differs, such as 'send: tiers 5s, 2m become 50ms, 500ms'. */
export function describeScaling(declared: Declaration, scaled: Declaration): string[] {
  return declared.kinds.flatMap((before, index) => {
    const after = scaled.kinds[index] ?? before;
    const rows: readonly [what: string, from: string, to: string][] = [
      ['tiers', durations(before.tiersMs), durations(after.tiersMs)],
      ['messageTtl', durations([before.messageTtlMs ?? 0]), durations([after.messageTtlMs ?? 0])],
      ['maxLength', `${before.maxLength}`, `${after.maxLength}`],
      ['crashLimit', `${before.crashLimit}`, `${after.crashLimit}`],
    ];
    return rows
      .filter(([, from, to]) => from !== to)
      .map(
        ([what, from, to]) =>
          `${before.kind}: ${what} ${from} ${what === 'tiers' ? 'become' : 'becomes'} ${to}`,
      );
  });
}

function scaleWaits({ tiersMs }: KindDeclaration): Partial<KindDeclaration> {
  const scaledMs = scaleTiers(tiersMs, factorOf(tiersMs));
  return {
    tiersMs: Object.freeze(scaledMs),
    tiers: Object.freeze(scaledMs.map((tierMs) => formatDuration(tierMs) as Duration)),
  };
}

function scaleLife({ tiersMs, messageTtlMs }: KindDeclaration, { turn, isRealTime }: Scale) {
  if (messageTtlMs === undefined) return undefined;
  if (turn !== 'expiry') return Math.max(messageTtlMs, SHORTEST_LIFE_MS);
  return isRealTime ? messageTtlMs : Math.min(shorten(messageTtlMs, factorOf(tiersMs)), LONGEST_MS);
}

function factorOf(tiersMs: readonly number[]): number {
  return Math.min(1, LONGEST_MS / Math.max(...tiersMs));
}

/** A linear ladder stays exactly linear: the broker's own retry is chosen, or refused, by that. */
function scaleTiers(tiersMs: readonly number[], factor: number): number[] {
  const [firstMs = 1] = tiersMs;
  if (!isLinear(tiersMs)) return tiersMs.map((tierMs) => shorten(tierMs, factor));
  const scaledFirstMs = shorten(firstMs, factor);
  return tiersMs.map((tierMs) => Math.round((tierMs / firstMs) * scaledFirstMs));
}

function shorten(durationMs: number, factor: number): number {
  return Math.max(Math.min(durationMs, SHORTEST_MS), Math.round(durationMs * factor));
}

function scaleLength(maxLength: number, turn: Turn): number {
  if (turn === 'overflow') return Math.min(maxLength, OVERFLOW_COUNT);
  return turn === 'attended' ? Math.max(maxLength, ROOM_COUNT) : maxLength;
}

function durations(listMs: readonly number[]): string {
  return listMs.map((durationMs) => formatDuration(durationMs)).join(', ');
}
