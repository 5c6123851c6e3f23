/** Rounds in which several sides are measured one after the other, so that a slow minute of the machine slows all of them. */

export interface InterleaveOptions {
  readonly roundCount: number;
  /** Is called with a line of progress. */
  readonly report: (line: string) => void;
}

/** @returns the figures of each side, by round. */
export async function interleave<Name extends string, Figures>(
  sides: Readonly<Record<Name, () => Promise<Figures>>>,
  { roundCount, report }: InterleaveOptions,
): Promise<Record<Name, Figures>[]> {
  const names = Object.keys(sides) as Name[];
  const rounds: Record<Name, Figures>[] = [];
  for (let index = 0; index < roundCount; index += 1) {
    const round: Partial<Record<Name, Figures>> = {};
    for (const name of orderOf(names, index)) {
      const figures = await sides[name]();
      round[name] = figures;
      report(`round ${index + 1} of ${roundCount}, ${name}: ${JSON.stringify(figures)}`);
    }
    rounds.push(round as Record<Name, Figures>);
  }
  return rounds;
}

/**
 * Forwards and backwards, beginning with another one each time: no side comes always first or always after the same one.
 * @returns the names in the order of this round.
 */
export function orderOf<Name>(names: readonly Name[], roundIndex: number): readonly Name[] {
  const start = (roundIndex >> 1) % names.length;
  const order = [...names.slice(start), ...names.slice(0, start)];
  return roundIndex % 2 === 0 ? order : order.reverse();
}
