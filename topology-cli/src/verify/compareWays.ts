/** What was seen against what is planned: places in their order, attempts, times, the end. Pure. */
import type { Visit, VisitedLetter, Way } from './way.ts';

/** What the comparison found. */
export interface Comparison {
  /** In words; empty where all is as planned. */
  readonly differences: readonly string[];
  /** Of the latest step, against the step before it, in milliseconds; 0 where there was none. */
  readonly lateByMs: number;
}

/** The broker and we round to milliseconds, each in its own way. */
const EARLY_BY_AT_MOST_MS = 2;

/** @param toleranceMs how late one step may be. */
export function compareWays(expected: Way, seen: Way, toleranceMs: number): Comparison {
  const delays = delaysOf(expected, seen);
  const early = delays.filter(({ lateByMs }) => lateByMs < -EARLY_BY_AT_MOST_MS);
  const late = delays.filter(({ lateByMs }) => lateByMs > toleranceMs);
  return {
    differences: [
      ...differ('publish: answer', seen.published, expected.published),
      ...compareVisits(expected.visits, seen.visits),
      ...compareLetters(expected.letters, seen.letters),
      ...early.map(({ stop, lateByMs }) => `${stop}: ${Math.round(-lateByMs)} ms too early`),
      ...late.map(({ stop, lateByMs }) => `${stop}: ${Math.round(lateByMs)} ms late`),
    ],
    lateByMs: Math.max(0, ...delays.map(({ lateByMs }) => lateByMs)),
  };
}

function compareVisits(expected: readonly Visit[], seen: readonly Visit[]): string[] {
  return Array.from({ length: Math.max(expected.length, seen.length) }, (_, index) => {
    const [wanted, found] = [expected[index], seen[index]];
    const stop = `delivery ${index + 1}`;
    if (wanted === undefined) return [`${stop}: from ${found?.queue}, is one too many`];
    if (found === undefined) return [`${stop}: did not come`];
    return [
      ...differ(`${stop}: queue`, found.queue, wanted.queue),
      ...differ(`${stop}: key`, found.key, wanted.key),
      ...differ(`${stop}: attempt`, found.attempt, wanted.attempt),
      ...differ(`${stop}: wait queue`, found.via, wanted.via),
    ];
  }).flat();
}

function compareLetters(
  expected: readonly VisitedLetter[],
  seen: readonly VisitedLetter[],
): string[] {
  return Array.from({ length: Math.max(expected.length, seen.length) }, (_, index) => {
    const [wanted, found] = [expected[index], seen[index]];
    if (wanted === undefined)
      return [`letter: ${found?.cause} in ${found?.queue}, is one too many`];
    if (found === undefined) return ['letter: did not come'];
    return [
      ...differ('letter: queue', found.queue, wanted.queue),
      ...differ('letter: cause', found.cause, wanted.cause),
      ...(found.isProbe ? [] : ['letter: not of the oldest message']),
    ];
  }).flat();
}

type Value = string | number | undefined;

function differ(what: string, found: Value, wanted: Value): string[] {
  return found === wanted ? [] : [`${what} ${found ?? 'none'} instead of ${wanted ?? 'none'}`];
}

interface Delay {
  readonly stop: string;
  /** Negative where it came too early. */
  readonly lateByMs: number;
}

/** Each against the stop before it, so that one late step is not told of all that follow. */
function delaysOf(expected: Way, seen: Way): Delay[] {
  const wanted = stopsOf(expected);
  const found = stopsOf(seen);
  return found.flatMap(({ stop, atMs, attendedFromMs = 0 }, index) => {
    const planned = wanted[index];
    if (planned?.stop !== stop) return [];
    const dueMs = (found[index - 1]?.atMs ?? 0) + planned.atMs - (wanted[index - 1]?.atMs ?? 0);
    // Nobody was there when it was due: not late, and certainly not early.
    const isHeldUp = atMs >= dueMs && attendedFromMs > dueMs;
    return [{ stop, lateByMs: atMs - (isHeldUp ? Math.min(atMs, attendedFromMs) : dueMs) }];
  });
}

function stopsOf({ visits, letters }: Way) {
  return [
    ...visits.map(({ atMs, attendedFromMs }, index) => ({
      stop: `delivery ${index + 1}`,
      atMs,
      attendedFromMs,
    })),
    ...letters.map(({ atMs }) => ({ stop: 'letter', atMs, attendedFromMs: undefined })),
  ];
}
