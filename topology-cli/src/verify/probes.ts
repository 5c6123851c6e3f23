/** Creates the probes for every path of a kind, each with the path that the simulation expects. No I/O. */
import {
  deathReasons,
  type PlannedKind,
  type PublishTarget,
  retryExchange,
  returnExchange,
  type TopologyPlan,
} from '@fit/topology';
import { crashLimitOf } from '@fit/topology/testing';
import { explainPath } from '../simulate/explainPath.ts';
import type { SimulatedOutcome } from '../simulate/simulatedOutcome.ts';
import { Simulation } from '../simulate/simulation.ts';
import { expectedTrace, type ProbeTrace } from './probeTrace.ts';
import type { Scenario } from './scaleDeclaration.ts';

/** `malformed`: the worker cannot read the message. */
export type ProbeOutcome = SimulatedOutcome | { readonly type: 'malformed' };

/** One message that takes one path. */
export interface Probe {
  /** Its message id. */
  readonly id: string;
  readonly kind: string;
  /** In words. */
  readonly path: string;
  readonly target: PublishTarget;
  /** One for each delivery. */
  readonly outcomes: readonly ProbeOutcome[];
  /** How many messages are published behind it to fill the queue, or as many as the queue accepts. */
  readonly filling: number | 'until refused';
  readonly expected: ProbeTrace;
}

/** @returns the probes of the kind for one scenario; empty if the kind has no such path. */
export function probesFor(plan: TopologyPlan, kind: PlannedKind, scenario: Scenario): Probe[] {
  return draftProbes(plan, kind, scenario).map((draft, index) => ({
    id: `${kind.kind}/${scenario}/${index + 1}`,
    kind: kind.kind,
    ...draft,
  }));
}

type ProbeDraft = Omit<Probe, 'id' | 'kind'>;

const RETRY: SimulatedOutcome = { type: 'retry' };
const DONE: SimulatedOutcome = { type: 'done' };
const FATAL: SimulatedOutcome = { type: 'fatal' };
const CRASH: SimulatedOutcome = { type: 'crash' };

function draftProbes(plan: TopologyPlan, kind: PlannedKind, scenario: Scenario): ProbeDraft[] {
  const { tiersMs, queue, key, backend, maxLength, messageTtlMs } = kind;
  const exchange = plan.exchanges.find(({ type }) => type === 'topic')?.name ?? '';
  const mainQueue = plan.queues.find(({ name }) => name === queue);
  if (mainQueue === undefined) throw new RangeError(`the plan has no queue ${queue}`);
  const publicTarget: PublishTarget = { exchange, key };

  switch (scenario) {
    case 'handled':
      return [
        published('done at once', [DONE]),
        ...tiersMs.map((_, index) =>
          published(`rejected ${times(index + 1)}, then done`, [...repeat(RETRY, index + 1), DONE]),
        ),
        published('rejected each time', repeat(RETRY, tiersMs.length + 1)),
        ...(backend === 'tiers' && tiersMs.length > 1
          ? [
              published('asks for the longest wait', [
                { type: 'retryAfter', delayMs: Math.max(...tiersMs) },
                DONE,
              ]),
            ]
          : []),
        published('fatal', [FATAL]),
        malformed(),
        ...(backend === 'tiers'
          ? [retryExchange(queue), returnExchange(queue)].map((name) =>
              withUnknownKey(`unknown key at ${name}`, { exchange: name, key: `${queue}.unknown` }),
            )
          : []),
        withUnknownKey('undeclared public key', { exchange, key: `${key}.undeclared` }),
      ];
    case 'crash': {
      const limit = crashLimitOf(plan, mainQueue);
      return [
        published('crashes once, then done', [CRASH, DONE]),
        // Without a limit nothing ends the loop.
        ...(limit === undefined ? [] : [published('crash loop', repeat(CRASH, limit + 1))]),
      ];
    }
    case 'expiry':
      if (messageTtlMs === undefined) return [];
      return [published('expires in main', [{ type: 'expire' }], false)];
    case 'overflow':
      if (deathReasons(mainQueue).includes('maxlen'))
        return [
          {
            ...published('overflow drops the oldest', [{ type: 'overflow' }], false),
            filling: maxLength,
          },
        ];
      return [
        {
          path: 'overflow is refused',
          target: publicTarget,
          outcomes: [],
          filling: 'until refused',
          expected: { published: 'nacked', deliveries: [], deadLetters: [] },
        },
      ];
  }

  function published(
    path: string,
    outcomes: readonly SimulatedOutcome[],
    hasConsumer = true,
  ): ProbeDraft {
    const expected = expectedTrace(plan, explainPath(plan, kind.kind, outcomes), hasConsumer);
    return { path, target: publicTarget, outcomes, filling: 0, expected };
  }

  /** Takes the path of a fatal message; only the cause in its headers is another. */
  function malformed(): ProbeDraft {
    const fatal = published('malformed', [FATAL]);
    const deadLetters = fatal.expected.deadLetters.map((deadLetter) => ({
      ...deadLetter,
      cause: 'malformed' as const,
    }));
    return {
      ...fatal,
      outcomes: [{ type: 'malformed' }],
      expected: { ...fatal.expected, deadLetters },
    };
  }

  function withUnknownKey(path: string, target: PublishTarget): ProbeDraft {
    const simulation = new Simulation(plan, kind);
    simulation.publish(target.exchange, target.key);
    const { steps, end, atMs: totalMs } = simulation;
    const expected = expectedTrace(plan, { steps, end, totalMs }, true);
    return { path, target, outcomes: [], filling: 0, expected };
  }
}

function repeat(outcome: SimulatedOutcome, count: number): SimulatedOutcome[] {
  return Array.from({ length: count }, () => outcome);
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
