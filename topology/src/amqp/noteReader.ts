/** Reads the notes with which workers explain exhausted dead letters. A stream keeps what is read, so any number may read. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { DeathNote } from '../retry/describeDeath.ts';
import { closeConnection, openConnection } from './connection.ts';
import type { Attachment, Session } from './openSession.ts';

/** Looks up notes by message id, and follows the stream while it is open. */
export interface NoteReader {
  /**
   * @returns the newest note of a message; undefined if none arrives within a second in which the stream brings nothing else.
   * A note is confirmed before its dead letter exists, so a longer wait would be for a note that was never written.
   */
  noteOf(messageId: string): Promise<DeathNote | undefined>;
  /** Closes its channel. */
  close(): Promise<void>;
}

/** Notes that one reader remembers, some two kilobytes each; the oldest are forgotten first. */
const REMEMBERED_NOTES = 10_000;
const PREFETCH_COUNT = 500;
/** Milliseconds without a note after which a note that is missing is taken to be missing for good. */
const QUIET_MS = 1_000;
/** The same where the broker counts no notes in the stream; its count may be some seconds old. */
const QUIET_IF_EMPTY_MS = 250;

/** RabbitMQ was first released in 2007, so an earlier time is nonsense that a client wrote. */
const EARLIEST_SECONDS = Date.UTC(2007, 0, 1) / 1_000;
const LATEST_SECONDS = Date.UTC(2200, 0, 1) / 1_000;

/** The newest note of each message. */
class Notes {
  readonly #byId = new Map<string, DeathNote>();
  #changedAtMs = performance.now();

  get(messageId: string): DeathNote | undefined {
    return this.#byId.get(messageId);
  }

  get changedAtMs(): number {
    return this.#changedAtMs;
  }

  add({ properties }: ConsumeMessage): void {
    this.#changedAtMs = performance.now();
    const messageId: unknown = properties.messageId;
    if (typeof messageId !== 'string') return;
    // It is deleted first, so that the map is in the order of the newest notes.
    this.#byId.delete(messageId);
    this.#byId.set(messageId, {
      messageId,
      headers: properties.headers ?? {},
      at: timeOf(properties.timestamp),
    });
    if (this.#byId.size <= REMEMBERED_NOTES) return;
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined) this.#byId.delete(oldest);
  }

  toMap(): ReadonlyMap<string, DeathNote> {
    return this.#byId;
  }
}

/**
 * Follows a stream of notes on a shared connection, from its beginning. Where the stream is missing or may not be read, there
 * are no notes, until the connection is opened again.
 */
export async function openNoteReader(session: Session, stream: string): Promise<NoteReader> {
  const notes = new Notes();
  let channel: Channel | undefined;
  const attachment: Attachment = session.attach(async (model) => {
    channel = await consumeNotes(model, stream, notes);
    channel?.once('close', () => {
      channel = undefined;
    });
  });
  await attachment.opened;
  return {
    noteOf: async (messageId) => {
      const askedAtMs = performance.now();
      for (;;) {
        const note = notes.get(messageId);
        const quietMs = performance.now() - Math.max(askedAtMs, notes.changedAtMs);
        if (note !== undefined || channel === undefined || quietMs >= QUIET_MS) return note;
        await pause(POLL_MS);
      }
    },
    close: async () => {
      attachment.detach();
      await channel?.close().catch(() => undefined);
    },
  };
}

const POLL_MS = 20;

/**
 * Reads all notes of a stream on a connection of its own.
 * @returns the newest note of each message by its id, at most 10,000; empty if there is no such stream.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`.
 */
export async function readNotes(
  url: string,
  stream: string,
): Promise<ReadonlyMap<string, DeathNote>> {
  const notes = new Notes();
  const model = await openConnection(url, `reader of ${stream}`);
  try {
    const channel = await consumeNotes(model, stream, notes);
    if (channel === undefined) return notes.toMap();
    const ended = new AbortController();
    channel.once('close', () => {
      ended.abort();
    });
    const { messageCount } = await channel.checkQueue(stream);
    // AMQP does not say where a stream ends, and the count of a busy broker is late.
    while (!ended.signal.aborted) {
      const limitMs = messageCount === 0 && notes.toMap().size === 0 ? QUIET_IF_EMPTY_MS : QUIET_MS;
      if (performance.now() - notes.changedAtMs >= limitMs) break;
      await pause(POLL_MS);
    }
    return notes.toMap();
  } finally {
    await closeConnection(model);
  }
}

/** @returns undefined if the broker refuses: no such stream (404), or no right to read it (403). */
async function consumeNotes(
  model: ChannelModel,
  stream: string,
  notes: Notes,
): Promise<Channel | undefined> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  try {
    await channel.prefetch(PREFETCH_COUNT);
    await channel.consume(
      stream,
      (message) => {
        // null: the stream was deleted.
        if (message === null) return;
        notes.add(message);
        channel.ack(message);
      },
      { arguments: { 'x-stream-offset': 'first' } },
    );
    return channel;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === 404 || code === 403) return undefined;
    throw error;
  }
}

function timeOf(seconds: unknown): Date | undefined {
  const isPlausible =
    typeof seconds === 'number' && seconds >= EARLIEST_SECONDS && seconds <= LATEST_SECONDS;
  return isPlausible ? new Date(seconds * 1_000) : undefined;
}
