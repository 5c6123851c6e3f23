/** The dead-letter recorder consumes the dead-letter queue of one kind and stores what each dead letter says. */
import { createHash } from 'node:crypto';
import { type Declaration, deadLetterQueue, type KindDeclaration } from '@fit/topology';
import { Consumer, type Delivery, type SessionEvent } from '@fit/topology/amqp';
import { type AssertOptions, assertTopology } from '@fit/topology/assert';
import { Batcher } from '../settle/batcher.ts';
import type { DeadLetter } from '../store/deadLetterStore.ts';
import { type ReceivedDeadLetter, readDeadLetter } from './readDeadLetter.ts';
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
 * Unsettled dead letters at a time. Each keeps at most `DEAD_LETTER_BODY_LIMIT_BYTES` in memory, so together they keep 4 MiB;
 * a larger dead letter is whole only while it arrives.
 */
export const RECORDER_PREFETCH_COUNT = 32;

const OUTLINE_LIMIT_CHARS = 500;

interface Arrived {
  readonly delivery: Delivery;
  readonly letter: ReceivedDeadLetter;
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
      // Until its content is stored, the dead letter on the broker is the only copy.
      for (const { delivery } of arrived) delivery.ack();
    },
    onRefused: async ({ delivery, letter }, error) => {
      onEvent({ type: 'stageFailed', stage: 'deadLetterRecorder', error });
      // The outline is short plain text: if the database refuses that as well, the dead letter is not the reason.
      await options.deadLetters.store([outlineOf(letter, error)], new Date());
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
    label: `recorder of ${deadLetterQueue(kind.queue)}`,
    queue: deadLetterQueue(kind.queue),
    prefetchCount: RECORDER_PREFETCH_COUNT,
    prepare: async (model) => {
      await assertTopology(model, options.declaration, options);
    },
    onEvent: options.onSession,
    onDelivery: (delivery) => {
      const letter = readDeadLetter(delivery, kind, new Date());
      // The broker allows bodies of many MB; what was read of them is bounded, so the delivery's body is freed.
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

/** The part of a refused dead letter that is stored: enough to recognise it in a dump of the broker. */
function outlineOf(letter: ReceivedDeadLetter, error: Error): DeadLetter {
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
