/** Plan → the probes that go down every path of a kind, each with the way that the planner's own engine tells. Pure. */

import type { PlannedKind, PublishTarget, TopologyPlan } from '@fit/topology';
import { deathReasons, retryExchange, returnExchange } from '@fit/topology';
import { explain } from '../explain/explain.ts';
import { crashLimitOf } from '../simulate/deliveryCount.ts';
import type { Fate } from '../simulate/fate.ts';
import { Journey } from '../simulate/journey.ts';
import type { Turn } from './scaleDeclaration.ts';
import { type Way, wayOf } from './way.ts';

/** What a probe meets at a delivery; malformed: its reader cannot read it. */
export type ProbeFate = Fate | { readonly type: 'malformed' };

/** One message that goes down one path. */
export interface Probe {
  /** Its message id. */
  readonly id: string;
  readonly kind: string;
  /** In words. */
  readonly path: string;
  readonly entry: PublishTarget;
  /** One for each delivery. */
  readonly fates: readonly ProbeFate[];
  /** What fills the queue after it: so many messages, or as many as are accepted. */
  readonly filling: number | 'until refused';
  readonly expected: Way;
}

/** @returns empty where the kind has no such path. */
export function probesOf(plan: TopologyPlan, kind: PlannedKind, turn: Turn): Probe[] {
  return new ProbeList(plan, kind)[turn]().map((probe, index) => ({
    id: `${kind.kind}/${turn}/${index + 1}`,
    kind: kind.kind,
    ...probe,
  }));
}

type Draft = Omit<Probe, 'id' | 'kind'>;

const RETRY: Fate = { type: 'retry' };
const DONE: Fate = { type: 'done' };
const FATAL: Fate = { type: 'fatal' };
const CRASH: Fate = { type: 'crash' };

class ProbeList implements Readonly<Record<Turn, () => Draft[]>> {
  readonly #plan: TopologyPlan;
  readonly #kind: PlannedKind;

  constructor(plan: TopologyPlan, kind: PlannedKind) {
    this.#plan = plan;
    this.#kind = kind;
  }

  attended(): Draft[] {
    const { tiersMs, queue, key, backend } = this.#kind;
    const tierCount = tiersMs.length;
    const longestMs = Math.max(...tiersMs);
    return [
      this.#published('done at once', [DONE]),
      ...tiersMs.map((_, index) =>
        this.#published(`rejected ${times(index + 1)}, then done`, [
          ...repeat(RETRY, index + 1),
          DONE,
        ]),
      ),
      this.#published('rejected each time', repeat(RETRY, tierCount + 1)),
      ...(backend === 'tiers' && tierCount > 1
        ? [
            this.#published('asks for the longest wait', [
              { type: 'retryAfter', delayMs: longestMs },
              DONE,
            ]),
          ]
        : []),
      this.#published('fatal', [FATAL]),
      this.#malformed(),
      ...(backend === 'tiers'
        ? [retryExchange(queue), returnExchange(queue)].map((exchange) =>
            this.#stray(`unknown key at ${exchange}`, { exchange, key: `${queue}.unknown` }),
          )
        : []),
      this.#stray('undeclared public key', { exchange: this.#exchange, key: `${key}.undeclared` }),
    ];
  }

  crash(): Draft[] {
    const limit = crashLimitOf(this.#plan, this.#mainQueue);
    return [
      this.#published('crashes once, then done', [CRASH, DONE]),
      // Where nothing counts the crashes, the loop has no end.
      ...(limit === undefined ? [] : [this.#published('crash loop', repeat(CRASH, limit + 1))]),
    ];
  }

  expiry(): Draft[] {
    return this.#kind.messageTtlMs === undefined
      ? []
      : [this.#published('expires in main', [{ type: 'expire' }], false)];
  }

  overflow(): Draft[] {
    if (deathReasons(this.#mainQueue).includes('maxlen'))
      return [
        {
          ...this.#published('overflow drops the oldest', [{ type: 'overflow' }], false),
          filling: this.#kind.maxLength,
        },
      ];
    const expected: Way = { published: 'nacked', visits: [], letters: [] };
    const entry = { exchange: this.#exchange, key: this.#kind.key };
    return [{ path: 'overflow is refused', entry, fates: [], filling: 'until refused', expected }];
  }

  get #exchange(): string {
    return this.#plan.exchanges.find(({ type }) => type === 'topic')?.name ?? '';
  }

  get #mainQueue(): TopologyPlan['queues'][number] {
    const { queue } = this.#kind;
    const main = this.#plan.queues.find(({ name }) => name === queue);
    if (main === undefined) throw new RangeError(`the plan has no queue ${queue}`);
    return main;
  }

  #published(path: string, fates: readonly Fate[], isAttended = true): Draft {
    const told = explain(this.#plan, this.#kind.kind, fates);
    const entry = { exchange: this.#exchange, key: this.#kind.key };
    const expected = wayOf(this.#plan, told, isAttended);
    return { path, entry, fates, filling: 0, expected };
  }

  /** Goes as a fatal one; only the cause that is written on the letter is another. */
  #malformed(): Draft {
    const fatal = this.#published('malformed', [FATAL]);
    const letters = fatal.expected.letters.map((one) => ({ ...one, cause: 'malformed' as const }));
    return { ...fatal, fates: [{ type: 'malformed' }], expected: { ...fatal.expected, letters } };
  }

  #stray(path: string, entry: PublishTarget): Draft {
    const journey = new Journey(this.#plan, this.#kind);
    journey.publish(entry.exchange, { key: entry.key, headers: {} });
    const { steps, ending, atMs: totalMs } = journey;
    const expected = wayOf(this.#plan, { steps, ending, totalMs }, true);
    return { path, entry, fates: [], filling: 0, expected };
  }
}

function repeat(fate: Fate, count: number): Fate[] {
  return Array.from({ length: count }, () => fate);
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
