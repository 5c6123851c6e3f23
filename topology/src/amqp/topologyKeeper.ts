/** Asserts a topology on each connection, and looks at it again while the connection stands: what is deleted is made anew. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelModel } from 'amqplib';
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import { isSamePolicy } from '../live/diffPolicies.ts';
import { spellBinding } from '../live/live.ts';
import { ManagementApi } from '../live/managementApi.ts';
import { asLive } from '../live/ours.ts';
import { readBindings, readPolicies } from '../live/readLive.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { type AssertOptions, assertTopology, vhostOf } from './assertTopology.ts';

/** How a topology is asserted, and how often it is looked at again. */
export interface KeeperOptions extends AssertOptions {
  /**
   * Milliseconds between two looks at the topology, by a quarter more or less, so that many processes do not look at the
   * same moment. Default 30,000; 0 switches it off. A look is three requests to the management API; without that API it is
   * one declaration of each object, which changes nothing where it is there.
   */
  readonly checkIntervalMs?: number;
}

const DEFAULT_CHECK_INTERVAL_MS = 30_000;
const JITTER_RATIO = 0.25;

/** One for each connection that comes back; `prepare` is what `Publisher` and `Consumer` take under that name. */
export class TopologyKeeper {
  readonly #declaration: Declaration;
  readonly #options: KeeperOptions;
  #fault: string | undefined;

  constructor(declaration: Declaration, options: KeeperOptions) {
    this.#declaration = declaration;
    this.#options = options;
  }

  /** Why the topology is not as planned and cannot be mended; undefined where it is, as far as the last look saw. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** @throws as `assertTopology`. */
  readonly prepare = async (model: ChannelModel): Promise<TopologyPlan> => {
    const plan = await assertTopology(model, this.#declaration, this.#options);
    this.#fault = undefined;
    const end = new AbortController();
    model.once('close', () => {
      end.abort();
    });
    void this.#keep(model, plan, end.signal);
    return plan;
  };

  async #keep(model: ChannelModel, plan: TopologyPlan, signal: AbortSignal): Promise<void> {
    const intervalMs = this.#options.checkIntervalMs ?? DEFAULT_CHECK_INTERVAL_MS;
    if (intervalMs === 0) return;
    for (;;) {
      const delayMs = intervalMs * (1 - JITTER_RATIO + 2 * JITTER_RATIO * Math.random());
      // Unreferenced: a look that is due keeps no process alive.
      await pause(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#check(model, plan);
    }
  }

  async #check(model: ChannelModel, plan: TopologyPlan): Promise<void> {
    const missing = await this.#missingIn(plan);
    // Without an answer nothing is known; what was seen last stays.
    if (missing === 'unknown') return;
    if (missing.length === 0) {
      this.#fault = undefined;
      return;
    }
    try {
      // What others set up was told when the connection was made.
      const options = { ...this.#options, onWarning: () => undefined };
      await assertTopology(model, this.#declaration, options);
      this.#fault = undefined;
      for (const one of missing) this.#warn(one);
    } catch (error) {
      // Anything else is a broker that is away; the end of its connection tells that.
      if (!(error instanceof TopologyError)) return;
      if (error.message !== this.#fault) for (const one of error.faults) this.#warn(one);
      this.#fault = error.message;
    }
  }

  /** Queues and exchanges are all bound, and what is deleted loses its bindings: so bindings tell of them as well. */
  async #missingIn(plan: TopologyPlan): Promise<readonly (Fault | undefined)[] | 'unknown'> {
    const { managementUrl, amqpUrl } = this.#options;
    // AMQP has no question for a binding: all that can be done is to declare everything again.
    if (managementUrl === undefined) return [undefined];
    const api = new ManagementApi(managementUrl, vhostOf(amqpUrl));
    try {
      const [bindings, { policies }] = await Promise.all([readBindings(api), readPolicies(api)]);
      const bound = new Set(bindings.map(spellBinding));
      const remedy = 'somebody deleted or changed it; it is as planned again';
      return [
        ...plan.bindings
          .map((binding) => spellBinding(asLive(binding)))
          .filter((name) => !bound.has(name))
          .map((name) => fault('BINDING_MISSING', name, remedy)),
        ...plan.policies
          .filter((planned) => !policies.some((live) => isPlanned(planned, live)))
          .map(({ name }) => fault('POLICY_MISSING', name, remedy)),
      ];
    } catch {
      return 'unknown';
    }
  }

  #warn(warning: Fault | undefined): void {
    if (warning === undefined) return;
    const { onWarning } = this.#options;
    const { code, culprit, remedy } = warning;
    if (onWarning !== undefined) onWarning(warning);
    else process.emitWarning(`${culprit}: ${remedy}`, { type: 'TopologyWarning', code });
  }
}

function isPlanned(
  planned: TopologyPlan['policies'][number],
  live: Parameters<typeof isSamePolicy>[1],
): boolean {
  return live.name === planned.name && isSamePolicy(planned, live);
}
