/** Consumes a kind's dead-letter queue and brings each letter into the records. */
import { createHash } from 'node:crypto';
import { type Declaration, deadLetterQueue, type KindDeclaration } from '@fit/topology';
import { Consumer, type Delivery, type SessionEvent } from '@fit/topology/amqp';
import { type AssertOptions, assertTopology } from '@fit/topology/assert';
import { Batcher } from '../settle/batcher.ts';
import type { DeadLetter } from '../store/deadLetterStore.ts';
import { type ReadDeadLetter, readDeadLetter } from './readDeadLetter.ts';
import { type RecordDeadLettersOptions, recordDeadLetters } from './recordDeadLetters.ts';

export interface DeadLetterRecorderOptions extends RecordDeadLettersOptions, AssertOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly onSession: (event: SessionEvent) => void;
}

export interface DeadLetterRecorder {
  readonly isUp: boolean;
  close(): Promise<void>;
}

/**
 * Letters unsettled at a time. Of each no more is held than `LETTER_BODY_LIMIT_BYTES`, however large it was, so together
 * they hold 4 MiB; a letter beyond that size is whole only while it arrives.
 */
export const RECORDER_PREFETCH_COUNT = 32;

const OUTLINE_LIMIT_CHARS = 500;

interface Arrived {
  readonly delivery: Delivery;
  readonly letter: ReadDeadLetter;
}

export async function openDeadLetterRecorder(
  options: DeadLetterRecorderOptions,
): Promise<DeadLetterRecorder> {
  const { kind, onEvent } = options;
  const batcher = new Batcher<Arrived>({
    maxCount: RECORDER_PREFETCH_COUNT,
    isCurrent: ({ delivery }) => delivery.isCurrent,
    write: async (arrived) => {
      await recordDeadLetters(
        arrived.map(({ letter }) => letter),
        options,
      );
      // Only now: until its content is stored, the letter on the broker is the only copy.
      for (const { delivery } of arrived) delivery.ack();
    },
    onRefused: async ({ delivery, letter }, error) => {
      onEvent({ type: 'stageFailed', stage: 'deadLetterRecorder', error });
      // Short plain text alone: were that refused too, no letter could be at fault.
      await options.deadLetters.keep([outlineOf(letter, error)], new Date());
      delivery.ack();
    },
    onOutage: (error) => {
      onEvent({ type: 'storeDown', stage: 'deadLetterRecorder', error });
    },
    onRecovery: () => {
      onEvent({ type: 'storeUp', stage: 'deadLetterRecorder' });
    },
  });
  const consumer = await Consumer.open({
    url: options.amqpUrl,
    label: `intake of ${deadLetterQueue(kind.queue)}`,
    queue: deadLetterQueue(kind.queue),
    prefetchCount: RECORDER_PREFETCH_COUNT,
    prepare: async (model) => {
      await assertTopology(model, options.declaration, options);
    },
    onEvent: options.onSession,
    onDelivery: (delivery) => {
      const letter = readDeadLetter(delivery, kind, new Date());
      // What is held of it from here on is bounded; a letter may be as large as the broker allows.
      delivery.discardContent();
      batcher.add({ delivery, letter });
    },
  });
  return {
    get isUp() {
      return consumer.isUp;
    },
    close: async () => {
      await consumer.drain(2_000);
      batcher.stop();
      await consumer.close();
    },
  };
}

/** What is kept of a letter that the database refuses: enough to find it in a dump of the broker. */
function outlineOf(letter: ReadDeadLetter, error: Error): DeadLetter {
  const plain = (text: string) =>
    text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, OUTLINE_LIMIT_CHARS);
  return {
    id: letter.id,
    cause: letter.cause,
    reason: plain(`refused by the database (${error.message}): ${letter.reason}`),
    messageId: letter.messageId === undefined ? undefined : plain(letter.messageId),
    routingKey: plain(letter.routingKey),
    body: Buffer.alloc(0),
    bodyBytes: letter.bodyBytes,
    bodyHash: letter.bodyHash ?? createHash('sha256').update(letter.body).digest('hex'),
    headers: '',
  };
}
