/** Explains what happens to one message for a given sequence of outcomes. */
import { formatDuration, type PlannedKind, type TopologyPlan } from '@fit/topology';
import type { HistoryStep } from '@fit/topology/testing';
import type { SimulatedOutcome } from './simulatedOutcome.ts';
import { Simulation, type SimulationEnd } from './simulation.ts';

export interface Explanation {
  readonly kind: string;
  /** RabbitMQ version that the plan is for. */
  readonly version: string;
  readonly backend: PlannedKind['backend'];
  readonly steps: readonly HistoryStep[];
  readonly end: SimulationEnd;
  /** Milliseconds from the publish to the end; handlers and redeliveries are taken to need no time. */
  readonly totalMs: number;
  /** Outcomes that were given, but not used, because the message had ended before. */
  readonly unusedCount: number;
}

/**
 * Publishes one message of the kind; each delivery has the next outcome.
 * @throws RangeError for an unknown kind, and for an outcome that the plan makes impossible.
 */
export function explainPath(
  plan: TopologyPlan,
  kindName: string,
  outcomes: readonly SimulatedOutcome[],
): Explanation {
  const kind = plan.kinds.find((candidate) => candidate.kind === kindName);
  if (kind === undefined) {
    const known = plan.kinds.map((candidate) => candidate.kind).join(', ');
    throw new RangeError(`'${kindName}' is none of the kinds ${known}`);
  }
  const simulation = new Simulation(plan, kind);
  simulation.publish(plan.exchanges.find(({ type }) => type === 'topic')?.name ?? '', kind.key);
  let usedCount = 0;
  for (const outcome of outcomes) {
    if (simulation.hasEnded) break;
    simulation.apply(outcome);
    usedCount += 1;
  }
  return {
    kind: kind.kind,
    version: plan.broker.version,
    backend: kind.backend,
    steps: simulation.steps,
    end: simulation.end,
    totalMs: simulation.atMs,
    unusedCount: outcomes.length - usedCount,
  };
}

/** @returns one line for each step, between a heading and the end. */
export function explanationText(explanation: Explanation): string {
  const { kind, version, backend, steps, end, totalMs, unusedCount } = explanation;
  const rows = steps.map(({ atMs, place, attempt, what, next }) => [
    formatDuration(atMs),
    place,
    attempt === undefined ? '' : `attempt ${attempt}`,
    what,
    next === undefined ? '' : `→ ${next}`,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padStart(widths[0] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [
    `${kind} on RabbitMQ ${version}, ${backend === 'native' ? 'retried by the queue itself' : 'retried by tiers'}`,
    ...lines.map((line) => `  ${line}`),
    `${endText(end)}; ${formatDuration(totalMs)} after the publish`,
    ...(unusedCount === 0 ? [] : [`not used: the last ${unusedCount} of the outcomes`]),
  ].join('\n');
}

/** @returns the end as a phrase, such as 'dead: exhausted, in createWodQueue.dead'. */
export function endText(end: SimulationEnd): string {
  switch (end.type) {
    case 'done':
      return 'done';
    case 'discarded':
      return 'discarded: acknowledged without an effect';
    case 'dead':
      return `dead: ${end.cause}, in ${end.queue}`;
    case 'waiting':
      return `waiting: in ${end.queue} for a worker, attempt ${end.attempt ?? 'unknown'}`;
    case 'lost':
      return `lost: no queue accepts it from ${end.place}`;
  }
}
