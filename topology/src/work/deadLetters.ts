/** What a worker publishes in place of a message: a letter with its reason, or the message for another tier. */
import { randomUUID } from 'node:crypto';
import type { Delivery, Publisher } from '../amqp/index.ts';
import { parkExchange, retryExchange, tierKey } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { CAUSE_HEADER, type WorkerCause } from '../retry/deathCause.ts';
import { ERROR_CLASS_HEADER, ERROR_MESSAGE_HEADER } from '../retry/describeDeath.ts';
import { errorClass } from '../retry/outcome.ts';

const MESSAGE_LIMIT_CHARS = 500;
const STACK_LIMIT_CHARS = 2_000;

export interface DeadLetterDetails {
  readonly cause: WorkerCause;
  readonly error: unknown;
  /** Counted from 1; 0 where none was begun. */
  readonly attempt: number;
  readonly workerId: string;
}

/**
 * Confirmed, then acked by the caller: a crash in between doubles the letter only, the other order would lose it.
 * @returns false where it was not confirmed; the caller then rejects, and the message waits a tier.
 */
export async function deadLetter(
  publisher: Publisher,
  kind: PlannedKind,
  { delivery, reason }: { readonly delivery: Delivery; readonly reason: DeadLetterDetails },
): Promise<boolean> {
  const result = await publisher.publish({
    exchange: parkExchange(kind.queue),
    key: delivery.routingKey,
    id: delivery.messageId ?? randomUUID(),
    body: delivery.body,
    isUrgent: delivery.isUrgent,
    headers: { ...ownHeaders(delivery), ...reasonHeaders(reason) },
  });
  return result === 'confirmed';
}

/**
 * To a tier that is not the next one: through the retry exchange with the key that leads there. Confirmed, then acked.
 * The broker's headers are not copied: the key alone tells the attempt.
 */
export async function skipTo(
  publisher: Publisher,
  kind: PlannedKind,
  { delivery, tier }: { readonly delivery: Delivery; readonly tier: number },
): Promise<boolean> {
  const result = await publisher.publish({
    exchange: retryExchange(kind.queue),
    key: tierKey(kind, tier - 1),
    id: delivery.messageId ?? randomUUID(),
    body: delivery.body,
    isUrgent: delivery.isUrgent,
    headers: ownHeaders(delivery),
  });
  return result === 'confirmed';
}

/** The publisher's own headers of plain values; the broker's would steer the copy, and the publisher strips them. */
function ownHeaders(delivery: Delivery): Record<string, string | number> {
  const plain = Object.entries(delivery.headers).filter(
    (entry): entry is [string, string | number] =>
      typeof entry[1] === 'string' || typeof entry[1] === 'number',
  );
  return Object.fromEntries(plain);
}

function reasonHeaders({
  cause,
  error,
  attempt,
  workerId,
}: DeadLetterDetails): Record<string, string | number> {
  const message = error instanceof Error ? error.message : printed(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return {
    [CAUSE_HEADER]: cause,
    [ERROR_CLASS_HEADER]: errorClass(error),
    [ERROR_MESSAGE_HEADER]: message.slice(0, MESSAGE_LIMIT_CHARS),
    'death-stack': stack.slice(0, STACK_LIMIT_CHARS),
    'death-attempt': attempt,
    'death-worker': workerId,
  };
}

/** An object may refuse to become text; that must not end the worker that reports it. */
function printed(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'unprintable';
  }
}
