/** Explains what happens to one message for a given sequence of outcomes. */
import {
  CAUSE_HEADER,
  deathReasons,
  formatDuration,
  nextStep,
  type Outcome,
  type PlannedKind,
  parkExchange,
  type QueuePlan,
  retryExchange,
  type TopologyPlan,
  tierKey,
  type WorkerCause,
} from '@fit/topology';
import { handlerOutcome, type SimulatedOutcome } from './simulatedOutcome.ts';
import { crashLimitOf, Simulation, type SimulationEnd, type SimulationStep } from './simulation.ts';

export interface Explanation {
  readonly kind: string;
  /** RabbitMQ version that the plan is for. */
  readonly version: string;
  readonly backend: PlannedKind['backend'];
  readonly steps: readonly SimulationStep[];
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
    applyOutcome(simulation, plan, kind, outcome);
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
  const rows = steps.map(({ atMs, place, attempt, event, next }) => [
    formatDuration(atMs),
    place,
    attempt === undefined ? '' : `attempt ${attempt}`,
    event,
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

function applyOutcome(
  simulation: Simulation,
  plan: TopologyPlan,
  kind: PlannedKind,
  outcome: SimulatedOutcome,
): void {
  const { queue } = simulation;
  if (queue === undefined) return;
  const answer = handlerOutcome(outcome);
  if (answer !== undefined) settle(simulation, kind, answer);
  else if (outcome.type === 'crash') crash(simulation, plan, queue);
  else if (outcome.type === 'expire') expire(simulation, queue);
  else overflow(simulation, queue);
}

/** Settles the message as a worker does (`performStep` of the library). */
function settle(simulation: Simulation, kind: PlannedKind, outcome: Outcome): void {
  const { attempt } = simulation;
  if (attempt === undefined) {
    deadLetterByWorker(simulation, kind, 'malformed', 'is no job of this kind');
    return;
  }
  const step = nextStep(kind, attempt, outcome);
  switch (step.type) {
    case 'ack':
      simulation.finish({ type: 'done' }, 'done');
      return;
    case 'drop':
      simulation.finish({ type: 'discarded' }, 'discarded');
      return;
    case 'wait':
      if (kind.backend === 'native') simulation.requeue('fails');
      else simulation.deadLetter('rejected', 'fails');
      return;
    case 'exhaust':
      simulation.deadLetter('rejected', 'fails, the last attempt');
      return;
    case 'deadLetter':
      deadLetterByWorker(simulation, kind, 'fatal', 'fails for good');
      return;
    case 'skip':
      simulation.replace(`fails, asks for tier ${step.tier}`);
      simulation.publish(retryExchange(kind.queue), tierKey(kind, step.tier - 1));
  }
}

function deadLetterByWorker(
  simulation: Simulation,
  kind: PlannedKind,
  cause: WorkerCause,
  event: string,
): void {
  simulation.replace(event);
  simulation.publish(parkExchange(kind.queue), simulation.key, { [CAUSE_HEADER]: cause });
}

function crash(simulation: Simulation, plan: TopologyPlan, queue: QueuePlan): void {
  const limit = crashLimitOf(plan, queue);
  const count = simulation.deliveryCount + 1;
  if (limit !== undefined && count > limit)
    simulation.deadLetter('delivery_limit', `worker crashes, one above the limit of ${limit}`);
  else simulation.requeue(`worker crashes, ${count} of ${limit ?? 'any number'} allowed`);
}

function expire(simulation: Simulation, queue: QueuePlan): void {
  if (queue.ttlMs === undefined)
    throw new RangeError(`nothing expires in ${queue.name}: it has no time to live (messageTtl)`);
  simulation.wait(queue.ttlMs, `not taken for ${formatDuration(queue.ttlMs)}`);
  simulation.deadLetter('expired', 'expires');
}

function overflow(simulation: Simulation, queue: QueuePlan): void {
  if (!deathReasons(queue).includes('maxlen'))
    throw new RangeError(
      `nothing overflows in ${queue.name}: it refuses publishes when it is full (no drop-head)`,
    );
  simulation.deadLetter('maxlen', 'dropped as the oldest of a full queue');
}
