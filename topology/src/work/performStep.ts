/** Carries out a next step: publishes what must be published, and chooses how the delivery is settled. */
import { randomUUID } from 'node:crypto';
import type { Delivery, Publisher } from '../amqp/index.ts';
import { parkExchange, retryExchange, tierKey } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { CAUSE_HEADER, type WorkerCause } from '../retry/deathCause.ts';
import { ERROR_CLASS_HEADER, ERROR_MESSAGE_HEADER } from '../retry/describeDeath.ts';
import { errorClass, errorMessage } from '../retry/outcome.ts';
import type { AttemptResult } from './queueWorkerOptions.ts';

/** The method of `Delivery` that settles a delivery. */
export type SettleMethod = 'ack' | 'nackToDeadLetterExchange' | 'rejectForNativeRetry';

/** The publisher of a worker, and the worker's name on dead letters. */
export interface WorkerPublisher {
  /** Publishes dead letters and messages for a later tier. */
  readonly publisher: Publisher;
  /** Written on dead letters. */
  readonly workerId: string;
}

/**
 * A publish is confirmed before the delivery is acknowledged: a crash in between only duplicates the message; in the other
 * order it would lose the message.
 * @returns how to settle the delivery once everything is stored, as a promise only where something must be published;
 * undefined if a publish was not confirmed. The delivery is then nacked, so the message waits for its next tier and is tried
 * again, and nothing must be stored.
 */
export function performStep(
  publisher: WorkerPublisher,
  result: AttemptResult,
): SettleMethod | Promise<SettleMethod | undefined> {
  const { kind, step } = result;
  switch (step.type) {
    case 'ack':
    case 'drop':
      return 'ack';
    case 'wait':
      return kind.backend === 'native' ? 'rejectForNativeRetry' : 'nackToDeadLetterExchange';
    case 'exhaust':
      return 'nackToDeadLetterExchange';
    case 'deadLetter':
      return publishDeadLetter(publisher, result);
    case 'skip':
      return publishForTier(publisher, result, step.tier);
  }
}

async function publishDeadLetter(
  { publisher, workerId }: WorkerPublisher,
  { delivery, outcome, attempt, kind }: AttemptResult,
): Promise<'ack' | undefined> {
  const details: DeadLetterDetails = {
    cause: 'fatal',
    error: outcome.type === 'reject' ? outcome.error : undefined,
    attempt: attempt.number,
    workerId,
  };
  return orNack(delivery, await deadLetter(publisher, kind, { delivery, details }));
}

async function publishForTier(
  { publisher }: WorkerPublisher,
  { delivery, kind }: AttemptResult,
  tier: number,
): Promise<'ack' | undefined> {
  // The broker's headers are not copied: the routing key alone determines the attempt.
  const published = await publisher.publish({
    exchange: retryExchange(kind.queue),
    key: tierKey(kind, tier - 1),
    id: delivery.messageId ?? randomUUID(),
    body: delivery.body,
    isUrgent: delivery.isUrgent,
    headers: plainHeaders(delivery),
  });
  return orNack(delivery, published === 'confirmed');
}

function orNack(delivery: Delivery, isConfirmed: boolean): 'ack' | undefined {
  if (isConfirmed) return 'ack';
  delivery.nackToDeadLetterExchange();
  return undefined;
}

/** What a worker writes on a dead letter. */
export interface DeadLetterDetails {
  /** Why the job died. */
  readonly cause: WorkerCause;
  /** What the handler threw, or the error of its outcome; a value of any type. */
  readonly error: unknown;
  /** Counted from 1; 0 if no attempt was begun. */
  readonly attempt: number;
  /** The worker that publishes the dead letter. */
  readonly workerId: string;
}

const STACK_LIMIT_CHARS = 2_000;

/**
 * Publishes a copy of the delivery, with the details in its headers, to the dead-letter queue. The caller acknowledges the
 * delivery afterwards.
 * @returns false if the publish was not confirmed; the caller then nacks the delivery, and the message waits for its next
 * tier.
 */
export async function deadLetter(
  publisher: Publisher,
  kind: PlannedKind,
  { delivery, details }: { readonly delivery: Delivery; readonly details: DeadLetterDetails },
): Promise<boolean> {
  const { cause, error, attempt, workerId } = details;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const result = await publisher.publish({
    exchange: parkExchange(kind.queue),
    key: delivery.routingKey,
    id: delivery.messageId ?? randomUUID(),
    body: delivery.body,
    isUrgent: delivery.isUrgent,
    headers: {
      ...plainHeaders(delivery),
      [CAUSE_HEADER]: cause,
      [ERROR_CLASS_HEADER]: errorClass(error),
      [ERROR_MESSAGE_HEADER]: errorMessage(error),
      'death-stack': stack.slice(0, STACK_LIMIT_CHARS),
      'death-attempt': attempt,
      'death-worker': workerId,
    },
  });
  return result === 'confirmed';
}

/** A number of at least this size may be unsendable: amqplib takes negative ones for a 64-bit integer. */
const LARGEST_NUMBER = 2 ** 63;

/**
 * Headers with plain values that can be sent: a client's number must not make a dead letter unsendable. The publisher leaves
 * out those of the broker, which would steer the copy.
 */
function plainHeaders(delivery: Delivery): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(delivery.headers)) {
    const isNumber = typeof value === 'number' && Math.abs(value) < LARGEST_NUMBER;
    if (isNumber || typeof value === 'string') plain[name] = value;
  }
  return plain;
}
