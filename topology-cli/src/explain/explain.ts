/** What becomes of one message: the planner's own routing, walked for a sequence of fates. */

import type { Headers, Outcome, PlannedKind, QueuePlan, TopologyPlan } from '@fit/topology';
import {
  CAUSE_HEADER,
  deathReasons,
  formatDuration,
  nextStep,
  parkExchange,
  retryExchange,
  tierKey,
  type WorkerCause,
} from '@fit/topology';
import { crashLimitOf } from '../simulate/deliveryCount.ts';
import { type Fate, outcomeOf } from '../simulate/fate.ts';
import { type Ending, Journey, type Step } from '../simulate/journey.ts';

/** The way of one message: its steps, its end, its time. */
export interface Explanation {
  readonly kind: string;
  /** Of the broker that the plan is for. */
  readonly version: string;
  readonly backend: PlannedKind['backend'];
  readonly steps: readonly Step[];
  readonly ending: Ending;
  /** Milliseconds from the publish to the ending; handlers and redeliveries are taken to need none. */
  readonly totalMs: number;
  /** Fates that were given, but are left over: the message has ended before them. */
  readonly unusedCount: number;
}

/**
 * @returns the way of one message of that kind, published now, each delivery meeting the next fate.
 * @throws RangeError for an unknown kind, and for a fate that the plan makes impossible.
 */
export function explain(plan: TopologyPlan, kindName: string, fates: readonly Fate[]): Explanation {
  const kind = plan.kinds.find((candidate) => candidate.kind === kindName);
  if (kind === undefined) throw new RangeError(unknownKind(plan, kindName));
  const journey = new Journey(plan, kind);
  publish(journey, plan, kind);
  let usedCount = 0;
  for (const fate of fates) {
    if (journey.hasEnded) break;
    meet(journey, { plan, kind }, fate);
    usedCount += 1;
  }
  return {
    kind: kind.kind,
    version: plan.broker.version,
    backend: kind.backend,
    steps: journey.steps,
    ending: journey.ending,
    totalMs: journey.atMs,
    unusedCount: fates.length - usedCount,
  };
}

interface Ground {
  readonly plan: TopologyPlan;
  readonly kind: PlannedKind;
}

function publish(journey: Journey, { exchanges }: TopologyPlan, { key }: PlannedKind): void {
  const exchange = exchanges.find(({ type }) => type === 'topic');
  journey.publish(exchange?.name ?? '', { key, headers: {} });
}

function meet(journey: Journey, ground: Ground, fate: Fate): void {
  const { queue } = journey;
  if (queue === undefined) return;
  const outcome = outcomeOf(fate);
  if (outcome !== undefined) settle(journey, ground.kind, outcome);
  else if (fate.type === 'crash') crash(journey, ground.plan, queue);
  else if (fate.type === 'expire') expire(journey, queue);
  else overflow(journey, queue);
}

/** As the worker does it (`performStep` in work/). */
function settle(journey: Journey, kind: PlannedKind, outcome: Outcome): void {
  const { attempt } = journey;
  if (attempt === undefined) {
    park(journey, kind, 'malformed');
    return;
  }
  const step = nextStep(kind, attempt, outcome);
  switch (step.type) {
    case 'ack':
      journey.finish({ type: 'done' }, 'done');
      return;
    case 'drop':
      journey.finish({ type: 'discarded' }, 'discarded');
      return;
    case 'wait':
      if (kind.backend === 'native') journey.comeBack('fails');
      else journey.die('rejected', 'fails');
      return;
    case 'exhaust':
      journey.die('rejected', 'fails, the last attempt');
      return;
    case 'deadLetter':
      park(journey, kind, 'fatal');
      return;
    case 'skip':
      journey.note(`fails, asks for tier ${step.tier}`);
      journey.publish(retryExchange(kind.queue), {
        key: tierKey(kind, step.tier - 1),
        headers: {},
      });
  }
}

function park(journey: Journey, kind: PlannedKind, cause: WorkerCause): void {
  journey.note(cause === 'fatal' ? 'fails for good' : 'is no job of this kind');
  const headers: Headers = { [CAUSE_HEADER]: cause };
  journey.publish(parkExchange(kind.queue), { key: journey.key, headers });
}

function crash(journey: Journey, plan: TopologyPlan, queue: QueuePlan): void {
  const limit = crashLimitOf(plan, queue);
  const count = journey.deliveryCount + 1;
  if (limit !== undefined && count > limit)
    journey.die('delivery_limit', `worker crashes, one above the limit of ${limit}`);
  else journey.comeBack(`worker crashes, ${count} of ${limit ?? 'any number'} allowed`);
}

function expire(journey: Journey, queue: QueuePlan): void {
  if (queue.ttlMs === undefined)
    throw new RangeError(`nothing expires in ${queue.name}: it has no time to live (messageTtl)`);
  journey.lie(queue.ttlMs, `not taken for ${formatDuration(queue.ttlMs)}`);
  journey.die('expired', 'expires');
}

function overflow(journey: Journey, queue: QueuePlan): void {
  if (!deathReasons(queue).includes('maxlen'))
    throw new RangeError(
      `nothing overflows in ${queue.name}: it refuses what is too much (no drop-head)`,
    );
  journey.die('maxlen', 'dropped as the oldest of a full queue');
}

function unknownKind({ kinds }: TopologyPlan, name: string): string {
  return `'${name}' is none of the kinds ${kinds.map(({ kind }) => kind).join(', ')}`;
}
