/** The dead-letter recorder consumes the dead-letter queue of one kind and stores the content of each dead letter. */
import { createHash } from 'node:crypto';
import { type Connection, type Declaration, type KindDeclaration, partsOf } from '@fit/topology';
import {
  DeadLetterConsumer,
  type ReceivedDeadLetter as ReceivedFromQueue,
} from '@fit/topology/work';
import { Batcher } from '../settle/batcher.ts';
import type { DeadLetter } from '../store/deadLetterStore.ts';
import { type ReceivedDeadLetter, readDeadLetter } from './readDeadLetter.ts';
import { type RecordDeadLettersOptions, recordDeadLetters } from './recordDeadLetters.ts';

export interface DeadLetterRecorderOptions extends RecordDeadLettersOptions {
  /** Its owner closes it after the recorder. */
  readonly connection: Connection;
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
}

export interface DeadLetterRecorder {
  readonly isUp: boolean;
  close(): Promise<void>;
}

/**
 * Unsettled dead letters at a time. Each takes at most `DEAD_LETTER_BODY_LIMIT_BYTES` of memory, so together they take 4 MiB.
 * A larger dead letter is in memory as a whole only while it arrives.
 */
export const RECORDER_PREFETCH_COUNT = 32;

const OUTLINE_LIMIT_CHARS = 500;

interface UnsettledDeadLetter {
  readonly received: ReceivedFromQueue;
  readonly deadLetter: ReceivedDeadLetter;
}

export async function openDeadLetterRecorder(
  options: DeadLetterRecorderOptions,
): Promise<DeadLetterRecorder> {
  const { kind, onEvent } = options;
  const batcher = new Batcher<UnsettledDeadLetter>({
    maxCount: RECORDER_PREFETCH_COUNT,
    isCurrent: ({ received }) => received.delivery.isCurrent,
    write: async (unsettled) => {
      await recordDeadLetters(
        unsettled.map(({ deadLetter }) => deadLetter),
        options,
      );
      // The dead letter on the broker is the only copy until its content is stored, so it is acknowledged afterwards.
      for (const { received } of unsettled) received.ack();
    },
    onRefused: async ({ received, deadLetter }, error) => {
      onEvent({ type: 'stageFailed', stage: 'deadLetterRecorder', error });
      // The outline is short plain text, so if the database refuses that as well, the dead letter is not the reason.
      const { deadLetters, clock } = options.stores;
      await deadLetters.store([outlineOf(deadLetter, error)], clock.now());
      received.ack();
    },
    onOutage: (error) => {
      onEvent({ type: 'storeDown', stage: 'deadLetterRecorder', error });
    },
    onRecovery: () => {
      onEvent({ type: 'storeUp', stage: 'deadLetterRecorder' });
    },
  });
  const { consuming, prepare, reporterOf } = partsOf(options.connection, options.declaration);
  const consumer = await DeadLetterConsumer.open({
    kind,
    session: consuming,
    prefetchCount: RECORDER_PREFETCH_COUNT,
    // A record has no stack.
    hasStacks: false,
    prepare,
    onEvent: reporterOf('consume'),
    onDeadLetter: (received) => {
      const { delivery, death } = received;
      const deadLetter = readDeadLetter(delivery, kind, options.stores.clock.now(), death);
      // A body may have many MB. The read dead letter is bounded, so the body of the delivery is freed.
      delivery.discardContent();
      batcher.add({ received, deadLetter });
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
function outlineOf(deadLetter: ReceivedDeadLetter, error: Error): DeadLetter {
  const plain = (text: string) =>
    text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, OUTLINE_LIMIT_CHARS);
  return {
    id: deadLetter.id,
    cause: deadLetter.cause,
    reason: plain(`refused by the database (${error.message}): ${deadLetter.reason}`),
    messageId: deadLetter.messageId === undefined ? undefined : plain(deadLetter.messageId),
    routingKey: plain(deadLetter.routingKey),
    body: Buffer.alloc(0),
    bodyBytes: deadLetter.bodyBytes,
    bodyHash: deadLetter.bodyHash ?? createHash('sha256').update(deadLetter.body).digest('hex'),
    headers: '',
  };
}
