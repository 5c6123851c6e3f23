/** Reads dead-letter queues without consuming them: messages are taken unacknowledged and requeued in their order. */
import { type DeathNote, deadLetterQueue, type KindDeclaration, notesName } from '@fit/topology';
import {
  type DeadLetterDelivery,
  type DeadLetterPublisher,
  type DeadLetterReader,
  DeadLetterReaderLost,
  type DeadLetterReaderOptions,
  Inspector,
  openDeadLetterPublisher,
  openDeadLetterReader,
  readNotes,
} from '@fit/topology/amqp';
import { explained, type ParsedDeadLetter, parseDeadLetter } from './parsedDeadLetter.ts';

/** The connections that the operations on dead letters open; tests replace single ones. */
export interface DeadLetterBroker {
  /**
   * @param onArrival called with each dead letter as it arrives.
   * @throws if the broker is unreachable or the queue is missing.
   */
  openReader(
    queue: string,
    onArrival?: DeadLetterReaderOptions['onArrival'],
  ): Promise<DeadLetterReader>;
  /** @throws if the broker is unreachable. */
  openPublisher(): Promise<DeadLetterPublisher>;
  openInspector(): Promise<Inspector>;
  /** @returns the newest note of each message of a main queue by its id; what is missing is logged. */
  readNotes(queue: string, log: (line: string) => void): Promise<ReadonlyMap<string, DeathNote>>;
}

/** Opens a connection for each: a broker that blocks a publisher blocks its whole connection. */
export function deadLetterBroker(amqpUrl: string): DeadLetterBroker {
  return {
    openReader: (queue, onArrival) => openDeadLetterReader(amqpUrl, queue, { onArrival }),
    openPublisher: () => openDeadLetterPublisher(amqpUrl),
    openInspector: () => Inspector.open({ url: amqpUrl, label: 'topology dlq' }),
    readNotes: async (queue, log) => {
      const { notes, problem } = await readNotes(amqpUrl, notesName(queue));
      if (problem !== undefined) log(problem);
      return notes;
    },
  };
}

/** Dead letters that one reading holds unless `--read-limit` says otherwise. */
export const DEFAULT_READ_LIMIT = 10_000;

/** How a reading ended. */
export interface ReadingEnd {
  /**
   * - `empty`: no message is left behind the last one.
   * - `limit`: `readLimit` messages are held, and there are more.
   * - `stopped`: the caller asked to stop.
   * - `lost`: the connection ended, so all messages that were held are back in the queue.
   */
  readonly end: 'empty' | 'limit' | 'stopped' | 'lost';
  /** Messages that were given to the caller. */
  readonly seenCount: number;
  /** Messages behind those; undefined if the connection was lost. */
  readonly behindCount: number | undefined;
  /** Why the connection was lost; otherwise empty. */
  readonly lossReason: string;
}

/**
 * Reads until the queue is empty, `readLimit` messages are held, or `onDelivery` returns 'stop'.
 * @throws what `onDelivery` throws; a lost connection is an end, not an error.
 */
export async function readDeliveries(
  reader: DeadLetterReader,
  readLimit: number,
  onDelivery: (delivery: DeadLetterDelivery) => 'continue' | 'stop',
): Promise<ReadingEnd> {
  let seenCount = 0;
  try {
    while (seenCount < readLimit) {
      const delivery = await reader.next();
      if (delivery === undefined)
        return { end: 'empty', seenCount, behindCount: 0, lossReason: '' };
      const answer = onDelivery(delivery);
      seenCount += 1;
      if (answer === 'stop')
        return {
          end: 'stopped',
          seenCount,
          behindCount: await reader.readyCount(),
          lossReason: '',
        };
    }
    const behindCount = await reader.readyCount();
    return { end: behindCount > 0 ? 'limit' : 'empty', seenCount, behindCount, lossReason: '' };
  } catch (error) {
    if (!(error instanceof DeadLetterReaderLost)) throw error;
    return { end: 'lost', seenCount, behindCount: undefined, lossReason: error.message };
  }
}

/** Closes a connection that may be lost already: its messages are back in the queue, so the error has no consequence. */
export async function closeQuietly(closable: { close(): Promise<void> }): Promise<void> {
  await closable.close().catch(() => undefined);
}

export interface BrowseOptions {
  readonly broker: DeadLetterBroker;
  readonly kind: KindDeclaration;
  /** Notes of the kind's messages; default none, so that an exhausted dead letter has no error. */
  readonly notes?: ReadonlyMap<string, DeathNote>;
  /** Messages held at a time, at least 1. */
  readonly readLimit: number;
  /** Called before the first message, and again when browsing restarts: forget what was seen. */
  readonly onStart: () => void;
  /** @returns 'stop' if no further message is of interest. */
  readonly onDeadLetter: (deadLetter: ParsedDeadLetter) => 'continue' | 'stop';
  /**
   * Whether the body of a dead letter is needed; default: always. If it is not, the body is released as the message
   * arrives, so that browsing messages of any size needs little memory.
   */
  readonly needsBody?: (deadLetter: ParsedDeadLetter) => boolean;
  readonly log: (line: string) => void;
}

const NO_BODY = Buffer.alloc(0);
const TRY_LIMIT = 3;

/**
 * Messages are requeued in their order when the reader closes.
 * Browsing restarts after a lost connection, at most three times in all. The end is `lost` then, and the message behind
 * the last one that was seen is the one that breaks its reader.
 * @throws if the broker is unreachable at the start or the queue is missing.
 */
export async function browseDeadLetters(options: BrowseOptions): Promise<ReadingEnd> {
  const { broker, kind, readLimit, onStart, onDeadLetter, log, needsBody = () => true } = options;
  const { notes = new Map<string, DeathNote>() } = options;
  const queue = deadLetterQueue(kind);
  for (let attempt = 1; ; attempt += 1) {
    const bodiless = new WeakMap<DeadLetterDelivery, ParsedDeadLetter>();
    const reader = await broker.openReader(queue, (delivery) => {
      const deadLetter = parseDeadLetter(kind, delivery);
      if (needsBody(deadLetter)) return;
      bodiless.set(delivery, { ...deadLetter, body: NO_BODY });
      delivery.discardContent();
    });
    onStart();
    try {
      const reading = await readDeliveries(reader, readLimit, (delivery) =>
        onDeadLetter(
          explained(kind, bodiless.get(delivery) ?? parseDeadLetter(kind, delivery), notes),
        ),
      );
      if (reading.end !== 'lost') return reading;
      log(
        `${queue}: the connection was lost at message ${reading.seenCount + 1}: ${reading.lossReason}`,
      );
      if (attempt === TRY_LIMIT) return reading;
    } finally {
      await closeQuietly(reader);
    }
  }
}
