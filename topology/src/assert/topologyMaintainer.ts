/** Asserts a topology on each connection, and checks it while the connection is up: deleted objects are restored. */
import { setTimeout as pause } from 'node:timers/promises';
import { type BrokerConnection, brokerVersion, vhostOf } from '../amqp/connection.ts';
import { declareObjects, lookForExchanges, lookForQueues } from '../amqp/declareObjects.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import { applyPolicies, isSamePolicy } from '../management/applyPolicies.ts';
import { bindingText, readBindings, readPolicies, readQueues } from '../management/liveTopology.ts';
import { ManagementApi } from '../management/managementApi.ts';
import {
  asLive,
  isRetryBinding,
  notesBinding,
  queuesWithOtherTiers,
  tierChangeExchange,
  withoutTiers,
} from '../management/ownedObjects.ts';
import { probeBroker } from '../management/probeBroker.ts';
import { retryExchanges } from '../plan/names.ts';
import type { BindingPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { type AssertOptions, assertTopology } from './assertTopology.ts';

/** How a topology is asserted, and how often it is checked. */
export interface TopologyMaintainerOptions extends AssertOptions {
  /**
   * Milliseconds between two checks of the topology, a quarter more or less at random, so that many processes do not check at
   * the same moment. Default 30,000; 0 switches the checks off.
   *
   * With the management API a check is three requests. Missing objects are restored, with a warning. Where the missing
   * bindings at `.retry` and the existing wait queues show that other tiers are applied, the tiers of this process are not
   * restored: this is one warning `TIERS_REPLACED`, and no fault. An API that refuses the user is a fault. An API that does
   * not answer is no fault; after three checks in a row it is a warning `CHECKS_FAILED`.
   *
   * Without the management API a check declares exchanges, queues and bindings again, which changes nothing if they exist.
   * The bindings at `.retry` are left out, because beside those of other tiers they would duplicate every rejected message;
   * only a new connection restores them. A `.retry` or wait queue is declared only if it is missing, with a warning
   * `TIERS_UNBOUND`.
   */
  readonly checkIntervalMs?: number;
}

const DEFAULT_CHECK_INTERVAL_MS = 30_000;
const JITTER_RATIO = 0.25;
/** One or two failed checks happen while a broker starts, or on a busy machine. */
const WARNED_FAILURE_COUNT = 3;
/** A process opens both of its connections within this time. */
const SHARED_MS = 5_000;

/** The end of an assertion. */
interface Assertion {
  readonly plan: TopologyPlan;
  /** Version of the broker, on which the plan depends. */
  readonly version: string;
  readonly isOpen: () => boolean;
  readonly endedAtMs: number;
}

/**
 * One for each consumer or publisher, or one for all that share a connection and a declaration: pass its `prepare` to
 * `Publisher.open` or `Consumer.open`.
 */
export class TopologyMaintainer {
  readonly #declaration: Declaration;
  readonly #options: TopologyMaintainerOptions;
  /** The plan of each connection, or the promise of it. */
  readonly #prepared = new WeakMap<BrokerConnection, Promise<TopologyPlan>>();
  #latest: Assertion | undefined;
  #fault: string | undefined;
  #failureCount = 0;
  /** Signal of the connection on which a check runs; aborted at the end of the connection, which may never settle the check. */
  #checking: AbortSignal | undefined;
  /** Main queues with a warning `TIERS_REPLACED`. */
  #warnedQueues = new Set<string>();

  constructor(declaration: Declaration, options: TopologyMaintainerOptions) {
    this.#declaration = declaration;
    this.#options = options;
  }

  /** Why the topology is not as planned and cannot be restored; undefined if the last look at it found it as planned. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Asserts the topology on a new connection, and begins to check it. All users of a shared connection may call it: it
   * asserts once, and again where a channel is opened again, since a queue may have been deleted. What was asserted a moment ago
   * on another connection, which is still open, is not asserted again: a process has two, and 20 queues have some 400 objects.
   * @throws TopologyError as `assertTopology`.
   */
  readonly prepare = async (
    connection: BrokerConnection,
    isReopened = false,
  ): Promise<TopologyPlan> => {
    const known = this.#prepared.get(connection);
    if (known !== undefined && !isReopened) return await known;
    const prepared = this.#prepare(connection, known === undefined);
    this.#prepared.set(connection, prepared);
    try {
      return await prepared;
    } catch (error) {
      this.#prepared.delete(connection);
      this.#latest = undefined;
      // A process that only checks finds a difference nowhere else; the session tries again, and must be able to say why.
      if (error instanceof TopologyError) this.#fault = error.message;
      throw error;
    }
  };

  async #prepare(connection: BrokerConnection, isNew: boolean): Promise<TopologyPlan> {
    const plan = isNew ? await this.#assertOnce(connection) : await this.#assert(connection);
    const { assert = 'create' } = this.#options;
    if (!isNew || assert !== 'create') return plan;
    const end = new AbortController();
    connection.once('close', () => {
      end.abort();
    });
    void this.#checkUntilClosed(connection, plan, end.signal);
    return plan;
  }

  async #assert(connection: BrokerConnection): Promise<TopologyPlan> {
    const plan = await assertTopology(connection, this.#declaration, this.#options);
    this.#fault = undefined;
    this.#failureCount = 0;
    return plan;
  }

  /** An assertion under way is not waited for, since its connection may hang while this one does not. */
  async #assertOnce(connection: BrokerConnection): Promise<TopologyPlan> {
    const version = brokerVersion(connection);
    const latest = this.#latest;
    const isRecent = latest?.isOpen() === true && performance.now() - latest.endedAtMs < SHARED_MS;
    if (isRecent && latest.version === version) return latest.plan;
    let isOpen = true;
    // After the end of a connection its broker may be another one, without these objects.
    connection.once('close', () => {
      isOpen = false;
    });
    const plan = await this.#assert(connection);
    this.#latest = { plan, version, isOpen: () => isOpen, endedAtMs: performance.now() };
    return plan;
  }

  async #checkUntilClosed(
    connection: BrokerConnection,
    plan: TopologyPlan,
    signal: AbortSignal,
  ): Promise<void> {
    const intervalMs = this.#options.checkIntervalMs ?? DEFAULT_CHECK_INTERVAL_MS;
    if (intervalMs === 0) return;
    for (;;) {
      const delayMs = intervalMs * (1 - JITTER_RATIO + 2 * JITTER_RATIO * Math.random());
      // Unreferenced, so that a pending check keeps no process running.
      await pause(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      // Two checks at a time, on both connections of a process, would each report what one of them restores.
      if (this.#checking?.aborted === false) continue;
      this.#checking = signal;
      await this.#check(connection, plan, signal);
      if (this.#checking === signal) this.#checking = undefined;
    }
  }

  async #check(
    connection: BrokerConnection,
    plan: TopologyPlan,
    signal: AbortSignal,
  ): Promise<void> {
    const { managementUrl, amqpUrl } = this.#options;
    try {
      if (managementUrl === undefined) await this.#restoreByAmqp(connection, plan);
      else
        await this.#restoreByManagement(
          connection,
          plan,
          new ManagementApi(managementUrl, vhostOf(amqpUrl)),
        );
      this.#fault = undefined;
      this.#failureCount = 0;
    } catch (error) {
      // The session reports the end of a connection.
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

  /** A failed check finds out nothing, so the fault stays as it was. */
  #countFailure(error: unknown): void {
    this.#failureCount += 1;
    if (this.#failureCount !== WARNED_FAILURE_COUNT) return;
    const message = error instanceof Error ? error.message : String(error);
    const remedy = `${WARNED_FAILURE_COUNT} checks in a row failed, so deleted objects are not restored: ${message}`;
    this.#warn(fault('CHECKS_FAILED', 'topology', remedy));
  }

  /** Every queue and exchange has bindings, and loses them when it is deleted, so missing bindings show missing queues and exchanges too. */
  async #restoreByManagement(
    connection: BrokerConnection,
    plan: TopologyPlan,
    api: ManagementApi,
  ): Promise<void> {
    const [bindings, { policies }] = await Promise.all([readBindings(api), readPolicies(api)]);
    const bound = new Set(bindings.map(bindingText));
    const isMissing = (one: BindingPlan) => !bound.has(bindingText(asLive(one)));
    const wanted = await this.#withoutReplacedTiers(plan, plan.bindings.filter(isMissing), api);
    const missing = wanted.bindings.filter(isMissing);
    const missingPolicies = wanted.policies.filter(
      (planned) => !policies.some((live) => isPlanned(planned, live)),
    );
    const missingNotes = wanted.notes.filter((one) => !bound.has(bindingText(notesBinding(one))));
    if (missing.length + missingPolicies.length + missingNotes.length === 0) return;
    // Tiers were compared above, and foreign policies were reported when the connection was opened.
    await probeBroker({ ...wanted, bindings: [] }, api);
    await applyPolicies(api, wanted.policies);
    // Only missing bindings are declared: `topology apply` may be replacing others now.
    await declareObjects(connection, { ...wanted, bindings: missing });
    const remedy = 'somebody deleted or changed it; it was restored as planned';
    for (const one of missing)
      this.#warn(fault('BINDING_MISSING', bindingText(asLive(one)), remedy));
    for (const { name } of missingNotes) this.#warn(fault('NOTES_MISSING', name, remedy));
    for (const { name } of missingPolicies) this.#warn(fault('POLICY_MISSING', name, remedy));
  }

  /** @returns the plan without the tiers that other tiers have replaced; each replacement is one warning. */
  async #withoutReplacedTiers(
    plan: TopologyPlan,
    missing: readonly BindingPlan[],
    api: ManagementApi,
  ): Promise<TopologyPlan> {
    const suspects = plan.kinds
      .map(({ queue }) => queue)
      .filter((queue) => missing.some(({ exchange }) => retryExchanges(queue).includes(exchange)));
    if (suspects.length === 0) {
      this.#warnedQueues.clear();
      return plan;
    }
    // The order of the requests matters: `topology apply` declares new wait queues and the tier-change exchange before it
    // unbinds, and deletes that exchange after it has bound. So at least one of the three answers shows that it is running.
    const tierChanges = await Promise.all(
      suspects.map((queue) => api.find(['exchanges', api.vhost, tierChangeExchange(queue)])),
    );
    const queues = await readQueues(api);
    const bindings = await readBindings(api);
    const changingQueues = suspects.filter((_, index) => tierChanges[index] !== undefined);
    const others = queuesWithOtherTiers(plan, { changingQueues, queues, bindings });
    const replaced = suspects.filter((queue) => others.includes(queue));
    for (const queue of replaced.filter((one) => !this.#warnedQueues.has(one))) {
      const remedy =
        'other tiers are applied, and rejected messages go to their wait queues; messages in the wait queues of this process still return. Start it again with the same tiers';
      this.#warn(fault('TIERS_REPLACED', queue, remedy));
    }
    this.#warnedQueues = new Set(replaced);
    return withoutTiers(plan, replaced, { queues });
  }

  /**
   * AMQP has no request that reads a binding, so objects are declared again that duplicate no message, whatever tiers are
   * applied. A missing `.retry` or wait queue is a warning, because the bindings between them are not restored.
   */
  async #restoreByAmqp(connection: BrokerConnection, plan: TopologyPlan): Promise<void> {
    const retryBindings = plan.bindings.filter((one) => isRetryBinding(plan, one));
    const exchanges = new Set(retryBindings.map(({ exchange }) => exchange));
    const waitQueues = plan.queues.filter(({ role }) => role === 'wait').map(({ name }) => name);
    const deletedNames = [
      ...(await lookForExchanges(connection, [...exchanges])).missing,
      ...(await lookForQueues(connection, waitQueues)).missing,
    ];
    // What was deleted after the look is left to the next check: declared now, it would be there without a warning.
    const isDeclared = ({ name }: { readonly name: string }) =>
      deletedNames.includes(name) || !(exchanges.has(name) || waitQueues.includes(name));
    await declareObjects(connection, {
      exchanges: plan.exchanges.filter(isDeclared),
      queues: plan.queues.filter(isDeclared),
      notes: plan.notes,
      bindings: plan.bindings.filter((one) => !retryBindings.includes(one)),
    });
    const remedy =
      'somebody deleted it; it was declared again, but without its bindings to the wait queues, so rejected messages may go to the dead-letter queue at once. If no other tiers are applied, start this process again';
    for (const name of deletedNames) this.#warn(fault('TIERS_UNBOUND', name, remedy));
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
