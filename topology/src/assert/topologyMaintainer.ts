/** Asserts a topology on each connection, and looks at it again while the connection stands: what is deleted is made anew. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ChannelModel } from 'amqplib';
import { vhostOf } from '../amqp/openSession.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import { applyPolicies, isSamePolicy } from '../management/applyPolicies.ts';
import { bindingText } from '../management/liveTopology.ts';
import { ManagementApi } from '../management/managementApi.ts';
import { isChoiceOfTier, queuesWithOtherTiers, withoutTiers } from '../management/otherTiers.ts';
import { asLive, tierChangeExchange } from '../management/ownedObjects.ts';
import { probeBroker } from '../management/probeBroker.ts';
import { readBindings, readPolicies, readQueues } from '../management/readLiveTopology.ts';
import { retryExchange } from '../plan/names.ts';
import type { BindingPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { type AssertOptions, assertTopology, declareObjects } from './assertTopology.ts';

/** How a topology is asserted, and how often it is looked at again. */
export interface TopologyMaintainerOptions extends AssertOptions {
  /**
   * Milliseconds between two looks at the topology, by a quarter more or less, so that many processes do not look at the
   * same moment. Default 30,000; 0 switches it off.
   *
   * With the management API a look is three requests. What is missing is made anew and told. Where other tiers are applied,
   * which the missing bindings at `.retry` and the existing wait queues show, the tiers of this process are left alone: that
   * is told once as `TIERS_REPLACED`, and is no fault. An API that refuses the user is a fault; an API that does not answer
   * is none, and is told as `CHECKS_FAILED` after three looks in a row.
   *
   * Without that API a look declares exchanges, queues and bindings again, which changes nothing where they are there; but
   * not the bindings at `.retry`, since beside those of other tiers they would double every rejected message. Only a new
   * connection makes these anew. A missing `.retry` or wait queue is told as `TIERS_UNBOUND`.
   */
  readonly checkIntervalMs?: number;
}

const DEFAULT_CHECK_INTERVAL_MS = 30_000;
const JITTER_RATIO = 0.25;
/** One or two are a broker that starts, or a busy machine. */
const TOLD_FAILURE_COUNT = 3;

/** One for each connection that comes back; `prepare` is what `Publisher` and `Consumer` take under that name. */
export class TopologyMaintainer {
  readonly #declaration: Declaration;
  readonly #options: TopologyMaintainerOptions;
  #fault: string | undefined;
  #failureCount = 0;
  /** Main queues of which `TIERS_REPLACED` was told. */
  #toldQueues = new Set<string>();

  constructor(declaration: Declaration, options: TopologyMaintainerOptions) {
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
    this.#failureCount = 0;
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
      await this.#check(model, plan, signal);
    }
  }

  async #check(model: ChannelModel, plan: TopologyPlan, signal: AbortSignal): Promise<void> {
    const { managementUrl, amqpUrl } = this.#options;
    try {
      if (managementUrl === undefined) await this.#declareAgain(model, plan);
      else await this.#mend(model, plan, new ManagementApi(managementUrl, vhostOf(amqpUrl)));
      this.#fault = undefined;
      this.#failureCount = 0;
    } catch (error) {
      // The end of a connection is told by the session.
      if (signal.aborted) return;
      if (error instanceof TopologyError) this.#refuse(error);
      else this.#countFailure(error);
    }
  }

  #refuse(error: TopologyError): void {
    this.#failureCount = 0;
    if (error.message !== this.#fault) for (const one of error.faults) this.#warn(one);
    this.#fault = error.message;
  }

  /** Nothing is known then, so the fault stays as it was. */
  #countFailure(error: unknown): void {
    this.#failureCount += 1;
    if (this.#failureCount !== TOLD_FAILURE_COUNT) return;
    const message = error instanceof Error ? error.message : String(error);
    const remedy = `${TOLD_FAILURE_COUNT} checks in a row failed, so what somebody deletes is not made anew: ${message}`;
    this.#warn(fault('CHECKS_FAILED', 'topology', remedy));
  }

  /** Queues and exchanges are all bound, and what is deleted loses its bindings: so bindings tell of them as well. */
  async #mend(model: ChannelModel, plan: TopologyPlan, api: ManagementApi): Promise<void> {
    const [bindings, { policies }] = await Promise.all([readBindings(api), readPolicies(api)]);
    const bound = new Set(bindings.map(bindingText));
    const isMissing = (one: BindingPlan) => !bound.has(bindingText(asLive(one)));
    const own = await this.#ownPart(plan, plan.bindings.filter(isMissing), api);
    const missing = own.bindings.filter(isMissing);
    const missingPolicies = own.policies.filter(
      (planned) => !policies.some((live) => isPlanned(planned, live)),
    );
    if (missing.length + missingPolicies.length === 0) return;
    // Tiers were compared already; warnings about others were given when the connection was made.
    await probeBroker({ ...own, bindings: [] }, api);
    await applyPolicies(api, own.policies);
    // Only what was missing: `apply` may be replacing other bindings at this moment.
    await declareObjects(model, { ...own, bindings: missing });
    const remedy = 'somebody deleted or changed it; it is as planned again';
    for (const one of missing)
      this.#warn(fault('BINDING_MISSING', bindingText(asLive(one)), remedy));
    for (const { name } of missingPolicies) this.#warn(fault('POLICY_MISSING', name, remedy));
  }

  /** @returns the plan without the tiers of the kinds that other tiers have replaced, each of which is told once. */
  async #ownPart(
    plan: TopologyPlan,
    missing: readonly BindingPlan[],
    api: ManagementApi,
  ): Promise<TopologyPlan> {
    const suspects = plan.kinds
      .map(({ queue }) => queue)
      .filter((queue) => missing.some(({ exchange }) => exchange === retryExchange(queue)));
    if (suspects.length === 0) {
      this.#toldQueues.clear();
      return plan;
    }
    // In this order: `apply` declares new wait queues and the switch before it unbinds, and deletes the switch after it has
    // bound. So whatever it is doing, and wherever it has got to meanwhile, one of these three answers shows it.
    const switches = await Promise.all(
      suspects.map((queue) => api.find(['exchanges', api.vhost, tierChangeExchange(queue)])),
    );
    const queues = await readQueues(api);
    const bindings = await readBindings(api);
    const switchedQueues = suspects.filter((_, index) => switches[index] !== undefined);
    const others = queuesWithOtherTiers(plan, { switchedQueues, queues, bindings });
    const replaced = suspects.filter((queue) => others.includes(queue));
    for (const queue of replaced.filter((one) => !this.#toldQueues.has(one))) {
      const remedy =
        'other tiers are applied, and their wait queues get what is rejected; messages in the wait queues of this process still come back. Start it again with the same tiers';
      this.#warn(fault('TIERS_REPLACED', queue, remedy));
    }
    this.#toldQueues = new Set(replaced);
    return withoutTiers(plan, replaced, { queues });
  }

  /**
   * AMQP has no question for a binding: all that can be done is to declare again what doubles nothing, whichever tiers are
   * applied. A missing `.retry` or wait queue is told, since the bindings between them are left as they are.
   */
  async #declareAgain(model: ChannelModel, plan: TopologyPlan): Promise<void> {
    const choices = plan.bindings.filter((one) => isChoiceOfTier(plan, one));
    const exchanges = new Set(choices.map(({ exchange }) => exchange));
    const lost = [
      ...(await missingOf(model, [...exchanges], (channel, name) => channel.checkExchange(name))),
      ...(await missingOf(
        model,
        plan.queues.filter(({ role }) => role === 'wait').map(({ name }) => name),
        (channel, name) => channel.checkQueue(name),
      )),
    ];
    const bindings = plan.bindings.filter((one) => !choices.includes(one));
    await declareObjects(model, { ...plan, bindings });
    const remedy =
      'somebody deleted it; it is there again, but without its bindings to the wait queues, so what is rejected may go to the dead-letter queue at once. If no other tiers are applied, start this process again';
    for (const name of lost) this.#warn(fault('TIERS_UNBOUND', name, remedy));
  }

  #warn(warning: Fault): void {
    const { onWarning } = this.#options;
    const { code, subject, remedy } = warning;
    if (onWarning !== undefined) onWarning(warning);
    else process.emitWarning(`${subject}: ${remedy}`, { type: 'TopologyWarning', code });
  }
}

function isPlanned(
  planned: TopologyPlan['policies'][number],
  live: Parameters<typeof isSamePolicy>[1],
): boolean {
  return live.name === planned.name && isSamePolicy(planned, live);
}

/** @returns those names that the broker does not know; a channel ends with each of them. */
async function missingOf(
  model: ChannelModel,
  names: readonly string[],
  check: (channel: Channel, name: string) => Promise<unknown>,
): Promise<string[]> {
  const missing: string[] = [];
  let channel: Channel | undefined;
  for (const name of names) {
    channel ??= await openQuietChannel(model);
    try {
      await check(channel, name);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 404) throw error;
      missing.push(name);
      channel = undefined;
    }
  }
  await channel?.close();
  return missing;
}

async function openQuietChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  return channel;
}
