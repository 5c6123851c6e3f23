/** Carries out a next step: publishes what must be published, and chooses how the delivery is settled. */
import type { Delivery, OutgoingMessage, Publisher } from '../amqp/index.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import type { AttemptResult } from './queueWorkerOptions.ts';
import {
  copyFor,
  type DeadLetterDetails,
  deadLetterOf,
  noteFor,
  type SettleMethod,
  settleMethodFor,
} from './stepSettlement.ts';

/** The publisher of a worker, and the worker's name on dead letters. */
export interface WorkerPublisher {
  /** Publishes dead letters and messages for a later tier. */
  readonly publisher: Pick<Publisher, 'isBlocked' | 'publish'>;
  /** Written on dead letters. */
  readonly workerId: string;
}

/**
 * @returns true if the broker delivers the message again, or has done so already: a copy of it would be a second message.
 */
export function isGivenBack(delivery: Pick<Delivery, 'isCurrent' | 'isSettled'>): boolean {
  return delivery.isSettled || !delivery.isCurrent;
}

/**
 * A publish is confirmed before the delivery is acknowledged: a crash in between only duplicates the message; in the other
 * order it would lose the message.
 * @returns how to settle the delivery once everything is stored, as a promise only where something must be published;
 * undefined if a publish was not confirmed. The delivery is then nacked, so the message waits for its next tier and is tried
 * again, and nothing must be stored.
 */
export function performStep(
  { publisher, workerId }: WorkerPublisher,
  result: AttemptResult,
): SettleMethod | Promise<SettleMethod | undefined> {
  const method = settleMethodFor(result);
  const copy = copyFor(result, workerId);
  if (copy !== undefined) return publishCopy(publisher, copy, { ...result, method });
  const note = isGivenBack(result.delivery) ? undefined : noteFor(result, workerId);
  return note === undefined ? method : leaveNote(publisher, note, method);
}

/** A note that is not confirmed by then may still arrive, and the message must not wait for it longer. */
const NOTE_WAIT_MS = 2_000;

/**
 * A dead letter without its note is better than none, so the result of the publish does not matter, and while an alarm of the
 * broker blocks publishers no note is written.
 */
async function leaveNote(
  publisher: Pick<Publisher, 'isBlocked' | 'publish'>,
  note: OutgoingMessage,
  method: SettleMethod,
): Promise<SettleMethod> {
  if (publisher.isBlocked) return method;
  let timer: NodeJS.Timeout | undefined;
  const isOver = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, NOTE_WAIT_MS);
  });
  await Promise.race([publisher.publish(note), isOver]);
  clearTimeout(timer);
  return method;
}

async function publishCopy(
  publisher: Pick<Publisher, 'publish'>,
  copy: OutgoingMessage,
  { delivery, method }: { readonly delivery: Delivery; readonly method: SettleMethod },
): Promise<SettleMethod | undefined> {
  const result = await publisher.publish(copy, () => !isGivenBack(delivery));
  if (result === 'confirmed') return method;
  delivery.nackToDeadLetterExchange();
  return undefined;
}

/**
 * Publishes a copy of the delivery, with the details in its headers, to the dead-letter queue. The caller acknowledges the
 * delivery afterwards.
 * @returns false if the publish was not confirmed; the caller then nacks the delivery, and the message waits for its next
 * tier.
 */
export async function deadLetter(
  publisher: Pick<Publisher, 'publish'>,
  kind: PlannedKind,
  { delivery, details }: { readonly delivery: Delivery; readonly details: DeadLetterDetails },
): Promise<boolean> {
  const copy = deadLetterOf(kind, delivery, details);
  return (await publisher.publish(copy, () => !isGivenBack(delivery))) === 'confirmed';
}
