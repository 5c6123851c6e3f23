/** The settler stores ended attempts in bulk and then answers the broker. No job is lost only because it keeps this order. */
import type { JobEnd, JobListener } from '../jobEvent.ts';
import { isReplayed } from '../record/jobRecord.ts';
import { disagreementOf, ForgedMessage } from '../record/messageAgreement.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { Handlers } from '../work/handler.ts';
import { Batcher } from './batcher.ts';
import { refusedSettlement, type Settlement } from './settlement.ts';

export interface SettlerOptions {
  readonly store: JobStore;
  readonly handlers: Handlers;
  readonly onEvent: JobListener;
  /** Attempts in one write at most; default 500, in a `JobWorker` its `prefetchCount`. */
  readonly maxCount?: number;
}

export function openSettler(options: SettlerOptions): Batcher<Settlement> {
  const { onEvent } = options;
  // A repeated batch must not send its forged messages to the dead-letter queue a second time.
  const refused = new WeakSet<Settlement>();
  return new Batcher<Settlement>({
    maxCount: options.maxCount ?? 500,
    isCurrent: ({ end }) => end.delivery.isCurrent,
    write: async (settlements) => {
      await settle(settlements, options, refused);
    },
    onRefused: async (settlement, error) => {
      // A change without an effect holds no content of the job, so if the database refuses it, the job is not the reason.
      if (settlement.transition !== 'finish') throw error;
      onEvent({ type: 'stageFailed', stage: 'settle', error });
      const workerId = settlement.change.attempt?.workerId ?? '';
      await settle([refusedSettlement(settlement, error, workerId)], options, refused);
    },
    onOutage: (error) => {
      onEvent({ type: 'storeDown', stage: 'settle', error });
    },
    onRecovery: () => {
      onEvent({ type: 'storeUp', stage: 'settle' });
    },
  });
}

/**
 * Settles a batch in this order: read the records, store the effects, change the records, acknowledge the messages. After a
 * crash in this order the broker delivers the message again, and the repeated attempt changes nothing. An acknowledgement
 * before the effect would lose the job in a crash between the two, and a record that is done before its effect is stored
 * would report a result that does not exist.
 *
 * A message that does not agree with the record of its job stores no effect, changes no record and goes to the dead-letter
 * queue, because any publisher can write any id on any payload.
 */
async function settle(
  all: readonly Settlement[],
  options: SettlerOptions,
  refused: WeakSet<Settlement>,
): Promise<void> {
  const settlements = await refuseForged(
    all.filter((settlement) => !refused.has(settlement)),
    options,
    refused,
  );
  if (settlements.length === 0) return;
  const now = new Date();
  const finished = settlements.filter(({ transition }) => transition === 'finish');
  const withEffect = finished.filter(({ effect }) => effect !== undefined);
  for (const [kind, group] of Map.groupBy(withEffect, (settlement) => settlement.kind))
    await options.handlers.get(kind)?.store(group.map(({ effect }) => effect));
  for (const [transition, group] of Map.groupBy(settlements, (item) => item.transition))
    for (const [kind, ofKind] of Map.groupBy(group, (item) => item.kind)) {
      const changes = ofKind.map(({ change }) => change);
      const count = await options.store.change(transition, changes, now);
      report({ transition, kind, settlements: ofKind, count, now }, options.onEvent);
    }
  for (const { end } of settlements) end.settleDelivery();
  endTraces(settlements, now);
}

/**
 * Refuses the messages that do not agree with their records. Refusals are not awaited: while a broker alarm blocks
 * publishers, each refusal lasts until its confirm times out, and valid attempts must not wait for that. A forged message
 * stays unsettled until its dead letter is confirmed, so the prefetch bounds the number of refusals under way, and a drain
 * waits for them.
 * @returns the settlements whose messages agree with their records.
 */
async function refuseForged(
  settlements: readonly Settlement[],
  { store, onEvent }: SettlerOptions,
  refused: WeakSet<Settlement>,
): Promise<Settlement[]> {
  const records = await store.findComparedFields(settlements.map(({ end }) => end.message.id));
  return settlements.filter((settlement) => {
    const { message, refuse } = settlement.end;
    const reason = disagreementOf(message, records.get(message.id));
    if (reason === undefined) return true;
    refused.add(settlement);
    refuse(new ForgedMessage(reason)).catch((thrown: unknown) => {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      onEvent({ type: 'stageFailed', stage: 'settle', error });
    });
    return false;
  });
}

/**
 * Adds the span of the write to each trace. The batch has no single span of its own, because few trace viewers show a span
 * that links to 250 traces.
 */
function endTraces(settlements: readonly Settlement[], startedAt: Date): void {
  const write = { startedAt, endedAt: new Date(), jobCount: settlements.length };
  for (const { trace, transition } of settlements) trace?.stored({ ...write, transition });
}

interface WrittenChanges {
  readonly transition: Settlement['transition'];
  readonly kind: string;
  readonly settlements: readonly Settlement[];
  /** Number of records that changed. */
  readonly count: number;
  readonly now: Date;
}

/**
 * Reports as many ends of jobs as records changed. A bulk write returns how many records changed, but not which, so where some
 * did not change the ends have no job id.
 */
function report(
  { transition, kind, settlements, count, now }: WrittenChanges,
  onEvent: JobListener,
): void {
  const unchanged = settlements.length - count;
  if (unchanged > 0) onEvent({ type: 'unchanged', transition, count: unchanged });
  if (count === 0) return;
  const ended = settlements.slice(0, count);
  const endsOf = (group: readonly Settlement[]) =>
    group.map((item) => ({
      ...endOf(item, now),
      jobId: unchanged === 0 ? item.change.id : undefined,
    }));
  if (transition === 'finish') onEvent({ type: 'finished', kind, count, ends: endsOf(ended) });
  if (transition !== 'markDead') return;
  const causes = Map.groupBy(ended, ({ change }) => change.death?.cause ?? 'unknown');
  for (const [cause, group] of causes)
    onEvent({ type: 'deadLettered', kind, cause, count: group.length, ends: endsOf(group) });
}

function endOf({ change, createdAtMs }: Settlement, now: Date): Omit<JobEnd, 'jobId'> {
  const isKnown = createdAtMs !== undefined && !isReplayed(change);
  return {
    attemptCount: change.attempt?.number ?? 0,
    endToEndMs: isKnown ? Math.max(0, now.getTime() - createdAtMs) : undefined,
  };
}
