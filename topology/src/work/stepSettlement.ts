/** Which copy of a delivery must be published for a next step, and how the delivery is settled. No I/O. */
import { randomUUID } from 'node:crypto';
import type { Delivery, OutgoingMessage } from '../amqp/index.ts';
import { noteIdOf, notesName, parkExchange, retryExchange, tierKey } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { CAUSE_HEADER, type WorkerCause } from '../retry/deathCause.ts';
import {
  ATTEMPT_HEADER,
  ERROR_CLASS_HEADER,
  ERROR_MESSAGE_HEADER,
  STACK_HEADER,
  WORKER_HEADER,
} from '../retry/describeDeath.ts';
import { messageName } from '../retry/messageName.ts';
import { errorClass, errorMessage } from '../retry/outcome.ts';
import type { AttemptResult } from './queueWorkerOptions.ts';

/** The method of `Delivery` that settles a delivery. */
export type SettleMethod = 'ack' | 'nackToDeadLetterExchange' | 'rejectForNativeRetry';

/** The part of a delivery that is copied. */
export type CopiedDelivery = Pick<
  Delivery,
  'body' | 'headers' | 'messageId' | 'priority' | 'routingKey' | 'type'
>;

/** An attempt that ended, as far as its settlement depends on it. */
export type EndedAttempt = Pick<AttemptResult, 'attempt' | 'kind' | 'outcome' | 'step'> & {
  readonly delivery: CopiedDelivery;
};

/** @returns how the delivery is settled; where a copy is published (`copyFor`), once that is confirmed. */
export function settleMethodFor({ kind, step }: Pick<EndedAttempt, 'kind' | 'step'>): SettleMethod {
  switch (step.type) {
    case 'ack':
    case 'drop':
    case 'deadLetter':
    case 'skip':
      return 'ack';
    case 'wait':
      return kind.backend === 'native' ? 'rejectForNativeRetry' : 'nackToDeadLetterExchange';
    case 'exhaust':
      return 'nackToDeadLetterExchange';
  }
}

/** @returns the message that takes the place of the delivery; undefined if the broker itself moves the delivery. */
export function copyFor(ended: EndedAttempt, workerId: string): OutgoingMessage | undefined {
  const { attempt, delivery, kind, outcome, step } = ended;
  switch (step.type) {
    case 'ack':
    case 'drop':
    case 'wait':
    case 'exhaust':
      return undefined;
    case 'deadLetter':
      return deadLetterOf(kind, delivery, {
        cause: 'fatal',
        error: outcome.type === 'reject' ? outcome.error : undefined,
        attempt: attempt.number,
        workerId,
      });
    case 'skip':
      return {
        exchange: retryExchange(kind.queue),
        key: tierKey(kind, step.tier - 1),
        id: delivery.messageId ?? randomUUID(),
        type: messageName(kind, delivery),
        body: delivery.body,
        priority: delivery.priority,
        // The broker's headers are not copied: the routing key alone determines the attempt.
        headers: plainHeaders(delivery),
      };
  }
}

/**
 * @returns the note with the last error of a message whose last attempt failed; undefined for another step, and for a message
 * without an id, by which readers find the note. It is confirmed before the message is rejected, so a crash between may leave
 * a note without a dead letter, or two notes of one message, and readers take the newest.
 */
export function noteFor(ended: EndedAttempt, workerId: string): OutgoingMessage | undefined {
  const { attempt, delivery, kind, outcome, step } = ended;
  if (step.type !== 'exhaust' || delivery.messageId === undefined) return undefined;
  const error = 'error' in outcome ? outcome.error : undefined;
  return {
    exchange: notesName(kind.queue),
    key: kind.queue,
    id: noteIdOf(delivery.messageId),
    body: Buffer.alloc(0),
    headers: deathHeaders({ error, attempt: attempt.number, workerId }),
  };
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

/** @returns the copy of a delivery, with the details in its headers, for the dead-letter queue. */
export function deadLetterOf(
  kind: PlannedKind,
  delivery: CopiedDelivery,
  { cause, error, attempt, workerId }: DeadLetterDetails,
): OutgoingMessage {
  return {
    exchange: parkExchange(kind.queue),
    key: delivery.routingKey,
    id: delivery.messageId ?? randomUUID(),
    type: messageName(kind, delivery),
    body: delivery.body,
    priority: delivery.priority,
    headers: {
      ...plainHeaders(delivery),
      [CAUSE_HEADER]: cause,
      ...deathHeaders({ error, attempt, workerId }),
    },
  };
}

function deathHeaders({
  error,
  attempt,
  workerId,
}: Omit<DeadLetterDetails, 'cause'>): Record<string, string | number> {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return {
    [ERROR_CLASS_HEADER]: errorClass(error),
    [ERROR_MESSAGE_HEADER]: errorMessage(error),
    [STACK_HEADER]: stack.slice(0, STACK_LIMIT_CHARS),
    [ATTEMPT_HEADER]: attempt,
    [WORKER_HEADER]: workerId,
  };
}

/** A number of at least this size may be unsendable: amqplib takes negative ones for a 64-bit integer. */
const LARGEST_NUMBER = 2 ** 63;

/**
 * Headers with plain values that can be sent: a client's number must not make a dead letter unsendable. The publisher leaves
 * out those of the broker, which would steer the copy.
 */
export function plainHeaders(
  delivery: Pick<CopiedDelivery, 'headers'>,
): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(delivery.headers)) {
    const isNumber = typeof value === 'number' && Math.abs(value) < LARGEST_NUMBER;
    if (isNumber || typeof value === 'string') plain[name] = value;
  }
  return plain;
}
