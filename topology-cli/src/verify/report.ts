/** What a verification has to tell. */
import type { Declaration } from '@fit/topology';
import { compareWays } from './compareWays.ts';
import { describeScaling, type Turn } from './scaleDeclaration.ts';
import type { Leftover } from './silence.ts';
import type { TurnRun } from './turnRun.ts';
import { type Way, wayMs, wayText } from './way.ts';

/** One path, as planned and as seen. */
export interface PathReport {
  readonly kind: string;
  readonly path: string;
  readonly turn: Turn;
  readonly expected: Way;
  readonly seen: Way;
  /** Both ways in words, without times. */
  readonly texts: { readonly expected: string; readonly seen: string };
  /** From the publish to the last stop. */
  readonly expectedMs: number;
  readonly seenMs: number;
  /** Of the step that was the latest, in milliseconds. */
  readonly lateByMs: number;
  readonly verdict: 'as planned' | 'different';
  /** In words; empty where it is as planned. */
  readonly differences: readonly string[];
}

/** What was found. */
export interface VerifyReport {
  /** Of the broker. */
  readonly version: string;
  /** What was declared otherwise for the sake of the test, one line for each number. */
  readonly scaling: readonly string[];
  readonly paths: readonly PathReport[];
  /** Messages that no path accounts for. */
  readonly leftovers: readonly Leftover[];
  /** Virtual hosts that were kept. */
  readonly keptHosts: readonly string[];
  readonly isAsPlanned: boolean;
}

/** The probes of a turn that has run. */
export function pathReports(
  { turn, plan, probes, logbook }: TurnRun,
  toleranceMs: number,
): PathReport[] {
  return probes.map((probe) => {
    const { kind, path, expected } = probe;
    const seen = logbook.wayOf(probe);
    const { differences, lateByMs } = compareWays(expected, seen, toleranceMs);
    const queue = plan.kinds.find((one) => one.kind === kind)?.queue ?? '';
    const texts = { expected: wayText(expected, queue), seen: wayText(seen, queue) };
    const verdict: PathReport['verdict'] = differences.length === 0 ? 'as planned' : 'different';
    return {
      kind,
      path,
      turn,
      expected,
      seen,
      texts,
      lateByMs,
      verdict,
      differences,
      expectedMs: wayMs(expected),
      seenMs: wayMs(seen),
    };
  });
}

/** What is scaled in every turn is told once. */
export function scalingLines(declared: Declaration, turns: readonly TurnRun[]): string[] {
  const told = turns.map(({ turn, declaration }) => ({
    turn,
    lines: describeScaling(declared, declaration),
  }));
  const isCommon = (line: string) => told.every(({ lines }) => lines.includes(line));
  const own = told.flatMap(({ turn, lines }) =>
    lines.filter((line) => !isCommon(line)).map((line) => `${line} (${turn})`),
  );
  return [...(told[0]?.lines ?? []).filter(isCommon), ...own];
}
