/** Consumes a kind's dead-letter queue and brings each letter into the records. */
import { type Declaration, deadLetterQueue, type KindDeclaration } from '@fit/topology';
import {
  type AssertOptions,
  assertTopology,
  Consumer,
  type Delivery,
  type SessionEvent,
} from '@fit/topology/amqp';
import { Batcher } from '../settle/batcher.ts';
import { type AbsorbOptions, absorbLetters } from './absorbLetters.ts';
import { readLetter } from './readLetter.ts';

export interface IntakeOptions extends AbsorbOptions, AssertOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly onSession: (event: SessionEvent) => void;
}

export interface LetterIntake {
  readonly isUp: boolean;
  close(): Promise<void>;
}

const PREFETCH_COUNT = 500;

export async function openIntake(options: IntakeOptions): Promise<LetterIntake> {
  const { kind, onEvent } = options;
  const batcher = new Batcher<Delivery>({
    maxCount: PREFETCH_COUNT,
    isCurrent: (delivery) => delivery.isCurrent,
    write: async (deliveries) => {
      const now = new Date();
      await absorbLetters(
        deliveries.map((delivery) => readLetter(delivery, kind, now)),
        options,
      );
      // Only now: until its content is stored, the letter on the broker is the only copy.
      for (const delivery of deliveries) delivery.ack();
    },
    onRefused: (_, error) => Promise.reject(error),
    onOutage: (error) => {
      onEvent({ type: 'storeDown', stage: 'intake', error });
    },
    onRecovery: () => {
      onEvent({ type: 'storeUp', stage: 'intake' });
    },
  });
  const consumer = await Consumer.open({
    url: options.amqpUrl,
    label: `intake of ${deadLetterQueue(kind.queue)}`,
    queue: deadLetterQueue(kind.queue),
    prefetchCount: PREFETCH_COUNT,
    prepare: async (model) => {
      await assertTopology(model, options.declaration, options);
    },
    onEvent: options.onSession,
    onDelivery: (delivery) => {
      batcher.add(delivery);
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
