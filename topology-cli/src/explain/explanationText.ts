/** An explanation as lines of text: elapsed time, place, attempt, what happens, next place. */
import { formatDuration } from '@fit/topology';
import type { Ending, Step } from '../simulate/journey.ts';
import type { Explanation } from './explain.ts';

/** @returns one line per step between a heading and the ending. */
export function explanationText(explanation: Explanation): string {
  const { kind, version, backend, steps, ending, totalMs, unusedCount } = explanation;
  const rows = steps.map(cellsOf);
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)),
    [],
  );
  const left = unusedCount === 0 ? [] : [`not used: the last ${unusedCount} of the outcomes`];
  return [
    `${kind} on RabbitMQ ${version}, ${backend === 'native' ? 'retried by the queue itself' : 'retried by tiers'}`,
    ...rows.map((row) => `  ${aligned(row, widths)}`),
    `${endingText(ending)}; ${formatDuration(totalMs)} after the publish`,
    ...left,
  ].join('\n');
}

/** @returns the ending as a phrase, such as 'dead: exhausted, in createWodQueue.dead'. */
export function endingText(ending: Ending): string {
  switch (ending.type) {
    case 'done':
      return 'done';
    case 'discarded':
      return 'discarded: acknowledged without an effect';
    case 'dead':
      return `dead: ${ending.cause}, in ${ending.queue}`;
    case 'waiting':
      return `waiting: in ${ending.queue} for a worker, attempt ${ending.attempt ?? 'unknown'}`;
    case 'lost':
      return `lost: nothing takes it from ${ending.place}`;
  }
}

function cellsOf({ atMs, place, attempt, what, next }: Step): string[] {
  const number = attempt === undefined ? '' : `attempt ${attempt}`;
  return [formatDuration(atMs), place, number, what, next === undefined ? '' : `→ ${next}`];
}

function aligned(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, index) =>
      index === 0 ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
    )
    .join('  ')
    .trimEnd();
}
