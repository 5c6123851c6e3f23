/** The settler stores ended attempts in bulk and then answers the broker. No job is lost only because it keeps this order. */
import { reject } from '@fit/topology';
import type { JobEnd, JobListener } from '../jobEvent.ts';
import { isReplayed } from '../record/jobRecord.ts';
import { disagreementOf, ForgedMessage } from '../record/messageAgreement.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { StatementRefused } from '../store/statement.ts';
import type { Handlers } from '../work/handler.ts';
import { Batcher, type FillOptions } from './batcher.ts';
import type { EndCounter } from './endCounter.ts';
import {
  changeOf,
  deathCauseOf,
  effectOf,
  finishedByEarlierAttempt,
  isFirstSuccess,
  refusedSettlement,
  type Settlement,
} from './settlement.ts';

export interface SettlerOptions {
  readonly stores: Pick<JobStores, 'jobs' | 'clock'>;
  readonly endCounter: EndCounter;
  readonly handlers: Handlers;
  readonly workerId: string;
  /** Unsettled deliveries at a time: a quarter of them is enough for a batch, because others run or are being stored. */
  readonly prefetchCount: number;
  readonly onEvent: JobListener;
}

/** Attempts in one write at most. A statement that changes more documents is not faster (measured). */
const BATCH_LIMIT = 500;
/**
 * The first stage waits for more attempts, and its batches reach the second stage as large as they are. A statement costs as much
 * as many documents: without the wait two workers that are faster than the relay wrote 75 documents at a time (measured).
 */
const FILL = { busyCount: 20, quietMs: 20, limitMs: 100 };

/**
 * Settles attempts in two stages that overlap: while one batch writes its records, the next one writes its effects. For each
 * job the order is: store the effect, change the record, answer the broker. After a crash in this order the broker delivers
 * the message again, and the repeated attempt changes nothing. An acknowledgement before the effect would lose the job in a
 * crash between the two, and a record that is done before its effect is stored would report a result that does not exist.
 */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #effects: Batcher<Settlement>;
  readonly #records: Batcher<Settlement>;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#effects = this.#stage(
      'storeEffects',
      (settlements) => this.#storeEffects(settlements),
      (settlement, error) => {
        if (effectOf(settlement) === undefined) this.#refuse(settlement, error);
        // The refused attempt may be the last one, so it passes this stage again, which looks for an effect of an earlier attempt.
        else this.#effects.add(refusedSettlement(settlement, error));
      },
      { ...FILL, enoughCount: Math.min(BATCH_LIMIT, Math.floor(options.prefetchCount / 4)) },
    );
    this.#records = this.#stage(
      'changeRecords',
      (settlements) => this.#changeRecords(settlements),
      (settlement, error) => {
        this.#refuse(settlement, error);
      },
    );
  }

  add(settlement: Settlement): void {
    this.#effects.add(settlement);
  }

  /** Abandons what is not written yet; the broker delivers these messages again. */
  stop(): void {
    this.#effects.stop();
    this.#records.stop();
  }

  #stage(
    stage: string,
    write: (settlements: readonly Settlement[]) => Promise<void>,
    onRefused: (settlement: Settlement, error: StatementRefused) => void,
    fill?: FillOptions,
  ): Batcher<Settlement> {
    const { onEvent } = this.#options;
    return new Batcher<Settlement>({
      maxCount: BATCH_LIMIT,
      ...(fill === undefined ? {} : { fill }),
      isCurrent: ({ isSettled, end }) => !isSettled && end.isCurrent,
      write,
      onRefused: (settlement, error) => {
        onEvent({ type: 'stageFailed', stage, error });
        onRefused(settlement, error);
      },
      onOutage: (error) => {
        onEvent({ type: 'storeDown', stage, error });
      },
      onRecovery: () => {
        onEvent({ type: 'storeUp', stage });
      },
    });
  }

  /** The first stage. Everything that may fail comes before the settlements are handed on, so a repeated batch hands on none twice. */
  async #storeEffects(settlements: readonly Settlement[]): Promise<void> {
    const agreeing = settlements.every(({ runId }) => runId !== undefined)
      ? settlements
      : await this.#refuseForged(settlements);
    for (const [kind, group] of byKind(agreeing)) await this.#storeEffectsOf(kind, group);
    const dying = agreeing.filter(({ transition }) => transition === 'markDead');
    const stored = dying.length === 0 ? NONE : await this.#findStored(dying);
    for (const settlement of agreeing)
      this.#records.add(
        stored.has(settlement.end.message.body.id) && settlement.transition === 'markDead'
          ? finishedByEarlierAttempt(settlement)
          : settlement,
      );
  }

  async #storeEffectsOf(kind: string, settlements: readonly Settlement[]): Promise<void> {
    const effects: unknown[] = [];
    for (const settlement of settlements) {
      const effect = effectOf(settlement);
      if (effect !== undefined) effects.push(effect);
    }
    if (effects.length > 0) await this.#options.handlers.get(kind)?.store(effects);
  }

  /** @returns the ids of the jobs whose effect exists. */
  async #findStored(dying: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const stored = new Set<string>();
    for (const [kind, group] of byKind(dying)) {
      const handler = this.#options.handlers.get(kind);
      const found = await handler?.findStored?.(group.map(({ end }) => end.message.body));
      for (const id of found ?? NONE) stored.add(id);
    }
    return stored;
  }

  /**
   * Compares unsigned messages with their records, because any publisher can write any id on any payload. A message that does
   * not agree stores no effect, changes no record and goes to the dead-letter queue.
   * @returns the settlements whose messages are signed or agree with their records.
   */
  async #refuseForged(settlements: readonly Settlement[]): Promise<Settlement[]> {
    const unsigned = settlements.filter(({ runId }) => runId === undefined);
    const records = await this.#options.stores.jobs.findComparedFields(
      unsigned.map(({ end }) => end.message.body.id),
    );
    return settlements.filter((settlement) => {
      if (settlement.runId !== undefined) return true;
      const message = settlement.end.message.body;
      const record = records.get(message.id);
      const reason = disagreementOf(message, record);
      if (reason === undefined) {
        settlement.runId = record?.runId;
        return true;
      }
      this.#refuse(settlement, new ForgedMessage(reason));
      return false;
    });
  }

  /**
   * Sends a message to the dead-letter queue as malformed. Nothing waits for that: while a broker alarm blocks publishers, it
   * lasts until its confirm times out, and valid attempts must not wait so long. The message stays unsettled until its dead
   * letter is confirmed, so the prefetch bounds the number of refusals under way, and a stop waits for them.
   */
  #refuse(settlement: Settlement, reason: Error): void {
    settlement.isSettled = true;
    settlement.settle(reject(reason));
  }

  /** The second stage. Each group is settled at once, so a repeated batch leaves it out. */
  async #changeRecords(settlements: readonly Settlement[]): Promise<void> {
    const startedAt = new Date();
    for (const [kind, ofKind] of byKind(settlements))
      for (const [group, members] of Map.groupBy(ofKind, groupOf)) {
        const counts = await this.#change(group, members);
        this.#report({ kind, members, ...counts });
        for (const settlement of members) {
          settlement.isSettled = true;
          settlement.settle(settlement.answer);
        }
        endTraces(members, startedAt);
      }
  }

  async #change(group: Group, members: readonly Settlement[]): Promise<ChangeCounts> {
    const { jobs } = this.#options.stores;
    if (group === 'firstSuccess') {
      const ids = members.map(({ end }) => end.message.body.id);
      const { workerId } = this.#options;
      return changeCounts(await jobs.finish({ ids, attemptCount: 1, workerId }));
    }
    const { workerId, stores } = this.#options;
    const writer = { workerId, clock: stores.clock };
    const changes = members.map((settlement) => changeOf(settlement, writer));
    if (group === 'finish') return changeCounts(await jobs.finishEach(changes));
    const transition = group === 'exhausted' || group === 'fatal' ? 'markDead' : group;
    return { changedCount: await jobs.change(transition, changes), revivedCount: 0 };
  }

  /**
   * Reports and counts as many ends of jobs as records changed. A statement returns how many records changed, but not which,
   * so where some did not change the ends have no job id.
   */
  #report({ kind, members, changedCount, revivedCount }: WrittenGroup): void {
    const { onEvent, endCounter, stores } = this.#options;
    const [first] = members;
    if (first === undefined) return;
    const { transition } = first;
    const unchangedCount = members.length - changedCount;
    if (unchangedCount > 0) onEvent({ type: 'unchanged', transition, count: unchangedCount });
    if (changedCount === 0 || transition === 'wait') return;
    const cause = transition === 'markDead' ? deathCauseOf(first) : undefined;
    endCounter.add({
      runIds: members.map(({ runId }) => runId ?? ''),
      end: END_OF[transition],
      ...(cause === undefined ? {} : { cause }),
      changedCount,
      revivedCount,
    });
    if (transition === 'cancel') return;
    const nowMs = stores.clock.now().getTime();
    const ends: JobEnd[] = [];
    for (let index = 0; index < changedCount; index += 1) {
      const settlement = members[index];
      if (settlement !== undefined) ends.push(endOf(settlement, unchangedCount === 0, nowMs));
    }
    if (cause === undefined) onEvent({ type: 'finished', kind, count: changedCount, ends });
    else onEvent({ type: 'deadLettered', kind, cause, count: changedCount, ends });
  }
}

const NONE: ReadonlySet<string> = new Set();

const END_OF = { finish: 'done', markDead: 'dead', cancel: 'cancelled' } as const;

/** Settlements that one call of the store writes. Deaths are divided by cause, because the counts of a run are. */
type Group = 'firstSuccess' | 'finish' | 'wait' | 'cancel' | 'exhausted' | 'fatal';

function groupOf(settlement: Settlement): Group {
  if (isFirstSuccess(settlement)) return 'firstSuccess';
  return settlement.transition === 'markDead' ? deathCauseOf(settlement) : settlement.transition;
}

/** A worker consumes the queue of one kind, so there is one group, unless somebody publishes other kinds into that queue. */
function byKind(settlements: readonly Settlement[]): Iterable<[string, readonly Settlement[]]> {
  const kind = settlements[0]?.end.message.body.kind;
  if (kind === undefined) return [];
  return settlements.every(({ end }) => end.message.body.kind === kind)
    ? [[kind, settlements]]
    : Map.groupBy(settlements, ({ end }) => end.message.body.kind);
}

interface ChangeCounts {
  /** Number of records that changed. */
  readonly changedCount: number;
  /** How many of these were dead before. */
  readonly revivedCount: number;
}

interface WrittenGroup extends ChangeCounts {
  readonly kind: string;
  readonly members: readonly Settlement[];
}

function changeCounts({
  finished,
  revived,
}: {
  readonly finished: number;
  readonly revived: number;
}): ChangeCounts {
  return { changedCount: finished + revived, revivedCount: revived };
}

function endOf({ end }: Settlement, isIdKnown: boolean, nowMs: number): JobEnd {
  const { body: job } = end.message;
  const createdMs = isReplayed(job) ? undefined : job.createdAt;
  return {
    jobId: isIdKnown ? job.id : undefined,
    attemptCount: end.attempt.number,
    endToEndMs: createdMs === undefined ? undefined : Math.max(0, nowMs - createdMs),
  };
}

/**
 * Adds the span of the write to each trace. The batch has no single span of its own, because few trace viewers show a span
 * that links to 500 traces.
 */
function endTraces(settlements: readonly Settlement[], startedAt: Date): void {
  let write: { startedAt: Date; endedAt: Date; jobCount: number } | undefined;
  for (const { trace, transition } of settlements) {
    if (trace === undefined) continue;
    write ??= { startedAt, endedAt: new Date(), jobCount: settlements.length };
    trace.stored({ ...write, transition });
  }
}
