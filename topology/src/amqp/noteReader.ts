/** Reads the notes with which workers explain exhausted dead letters. A stream keeps what is read, so any number may read. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import {
  ATTEMPT_HEADER,
  type DeathNote,
  ERROR_CLASS_HEADER,
  ERROR_MESSAGE_HEADER,
  STACK_HEADER,
  WORKER_HEADER,
} from '../retry/describeDeath.ts';
import type { BrokerConnection } from './connection.ts';
import { closeChannel, closeConnection, modelOf, openConnection } from './openConnection.ts';
import type { SessionEvent } from './openSession.ts';

/** Bytes of notes that one reader remembers, as many as the stream has; the oldest are forgotten first. */
const REMEMBERED_BYTES = 20_000_000;
/** What a note takes beside its texts. */
const NOTE_BYTES = 300;
const PREFETCH_COUNT = 500;
/** Milliseconds without a note after which a reader has read all that there were. */
const QUIET_MS = 1_000;
/** The same where the broker counts no notes in the stream; its count may be some seconds old. */
const QUIET_IF_EMPTY_MS = 250;
/** Milliseconds that a reader which has read all older notes waits for one: it is confirmed before its dead letter exists. */
const ANSWER_MS = 1_000;
/** Milliseconds that a question waits at most, and an opening at most for the stream. */
const LONGEST_ANSWER_MS = 2_000;
/** Milliseconds before a stream that was lost or refused is opened again; the delay doubles with each failure. */
const FIRST_REOPEN_MS = 250;
const LONGEST_REOPEN_MS = 30_000;
/** Milliseconds that `readNotes` reads at most: 20 MB at 5 Mbit/s. */
const LONGEST_READING_MS = 30_000;

/** RabbitMQ was first released in 2007, so an earlier time is nonsense that a client wrote. */
const EARLIEST_SECONDS = Date.UTC(2007, 0, 1) / 1_000;
const LATEST_SECONDS = Date.UTC(2200, 0, 1) / 1_000;

const TEXT_HEADERS = [ERROR_CLASS_HEADER, ERROR_MESSAGE_HEADER, WORKER_HEADER, STACK_HEADER];
/** A longer text is none that a worker wrote. */
const TEXT_LIMIT_CHARS = 2_000;

/** The newest note of each message. */
class Notes {
  readonly #hasStacks: boolean;
  readonly #byId = new Map<string, DeathNote>();
  readonly #bytesOf = new WeakMap<DeathNote, number>();
  #bytes = 0;

  constructor({ hasStacks }: { readonly hasStacks: boolean }) {
    this.#hasStacks = hasStacks;
  }

  get(messageId: string): DeathNote | undefined {
    return this.#byId.get(messageId);
  }

  /** @returns undefined for a message without an id. */
  add({ properties }: ConsumeMessage): DeathNote | undefined {
    const messageId: unknown = properties.messageId;
    if (typeof messageId !== 'string') return undefined;
    const headers: Record<string, unknown> = {};
    let bytes = NOTE_BYTES + messageId.length;
    for (const name of TEXT_HEADERS) {
      const value: unknown = properties.headers?.[name];
      if (typeof value !== 'string' || (name === STACK_HEADER && !this.#hasStacks)) continue;
      headers[name] = value.slice(0, TEXT_LIMIT_CHARS);
      bytes += Math.min(value.length, TEXT_LIMIT_CHARS);
    }
    const attempt: unknown = properties.headers?.[ATTEMPT_HEADER];
    if (typeof attempt === 'number') headers[ATTEMPT_HEADER] = attempt;
    const note: DeathNote = { messageId, headers, at: timeOf(properties.timestamp) };
    // It is deleted first, so that the map is in the order of the newest notes.
    const older = this.#byId.get(messageId);
    if (older !== undefined) this.forget(older);
    this.#byId.set(messageId, note);
    this.#bytesOf.set(note, bytes);
    this.#bytes += bytes;
    for (const oldest of this.#byId.values()) {
      if (this.#bytes <= REMEMBERED_BYTES) break;
      this.forget(oldest);
    }
    return note;
  }

  /** A newer note of the message stays. */
  forget(note: DeathNote): void {
    if (this.#byId.get(note.messageId) !== note) return;
    this.#byId.delete(note.messageId);
    this.#bytes -= this.#bytesOf.get(note) ?? 0;
  }

  toMap(): ReadonlyMap<string, DeathNote> {
    return this.#byId;
  }
}

/** Which notes are read. */
export interface NoteReaderOptions {
  /** Stream of the notes. */
  readonly stream: string;
  /** False: stacks, which are most of a note, are not kept in memory. */
  readonly hasStacks: boolean;
  /** Is told once, as `channelFailed`, that the stream cannot be read; again only after it could be. Must not throw. */
  readonly onEvent?: ((event: SessionEvent) => void) | undefined;
}

/** A dead letter whose note has not been read yet. */
interface Question {
  readonly messageId: string;
  readonly since: Date | undefined;
  readonly answer: () => void;
}

/**
 * Looks up notes by message id, and follows the stream from its beginning. Where the stream is missing or may not be read,
 * there are no notes until it can be read, which is tried again after at most 30 seconds.
 */
export class NoteReader {
  readonly #options: NoteReaderOptions;
  readonly #notes: Notes;
  readonly #questions = new Set<Question>();
  #model: ChannelModel | undefined;
  #opening: Promise<void> | undefined;
  #channel: Channel | undefined;
  /** True: the broker has said no, so there is nothing to wait for. */
  #isRefused = false;
  #hasWarned = false;
  #reopenMs = FIRST_REOPEN_MS;
  #timer: NodeJS.Timeout | undefined;
  #openedAt = new Date();
  #changedAtMs = 0;
  /** True once a note was read that is younger than the channel. */
  #hasReadNow = false;
  #isClosed = false;

  constructor(options: NoteReaderOptions) {
    this.#options = options;
    this.#notes = new Notes(options);
  }

  /**
   * Reads on this connection from now on. Call it again where the topology was asserted again, since that may have restored
   * the stream.
   * @returns once the stream is open or refused, at the latest after two seconds. It never rejects.
   */
  async follow(connection: BrokerConnection): Promise<void> {
    const model = modelOf(connection);
    if (this.#isClosed || (this.#model === model && this.#channel !== undefined)) return;
    if (this.#model !== model) {
      this.#opening = undefined;
      this.#channel = undefined;
    }
    this.#model = model;
    await Promise.race([this.#open(model), pause(LONGEST_ANSWER_MS, undefined, { ref: false })]);
  }

  /**
   * @param since when the message was published again: an older note is of an earlier death, and counts only if no other comes.
   * @returns the newest note of a message; undefined if it does not come within a second, or within two seconds while older
   * notes are still being read.
   */
  async noteOf(messageId: string, since?: Date): Promise<DeathNote | undefined> {
    const known = this.#notes.get(messageId);
    if (this.#isClosed || this.#isRefused || (known !== undefined && isSince(known, since)))
      return known;
    await this.#asked(messageId, since);
    return this.#notes.get(messageId);
  }

  /** Frees the memory of a note whose dead letter is acknowledged. */
  forget(note: DeathNote): void {
    this.#notes.forget(note);
  }

  /** Answers what is asked, and closes its channel. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#answerAll();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) await closeChannel(channel);
  }

  #asked(messageId: string, since: Date | undefined): Promise<void> {
    return new Promise((resolve) => {
      let timer = setTimeout(() => {
        if (this.#hasCaughtUp) question.answer();
        else timer = setTimeout(question.answer, LONGEST_ANSWER_MS - ANSWER_MS);
      }, ANSWER_MS);
      const question: Question = {
        messageId,
        since,
        answer: () => {
          clearTimeout(timer);
          this.#questions.delete(question);
          resolve();
        },
      };
      this.#questions.add(question);
    });
  }

  get #hasCaughtUp(): boolean {
    if (this.#channel === undefined) return false;
    return this.#hasReadNow || performance.now() - this.#changedAtMs >= QUIET_MS;
  }

  #answerAll(): void {
    for (const { answer } of [...this.#questions]) answer();
  }

  #open(model: ChannelModel): Promise<void> {
    clearTimeout(this.#timer);
    this.#opening ??= this.#openOn(model).finally(() => {
      if (this.#model === model) this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openOn(model: ChannelModel): Promise<void> {
    const isWanted = () => this.#model === model && !this.#isClosed;
    try {
      this.#openedAt = new Date();
      this.#changedAtMs = performance.now();
      this.#hasReadNow = false;
      const channel = await consumeNotes(model, this.#options.stream, (message) => {
        if (isWanted()) this.#read(message);
      });
      if (!isWanted()) {
        channel.close().catch(() => undefined);
        return;
      }
      this.#channel = channel;
      this.#isRefused = false;
      this.#hasWarned = false;
      this.#reopenMs = FIRST_REOPEN_MS;
      channel.once('close', () => {
        if (this.#channel !== channel) return;
        this.#channel = undefined;
        this.#openLater(model);
      });
    } catch (error) {
      if (!isWanted()) return;
      if (isRefusal(error)) this.#refuse(error);
      this.#openLater(model);
    }
  }

  #refuse(error: Error): void {
    this.#isRefused = true;
    this.#answerAll();
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { onEvent, stream } = this.#options;
    const text = `the notes of '${stream}' cannot be read, so exhausted dead letters have no error: ${error.message}`;
    onEvent?.({ type: 'channelFailed', error: new Error(text, { cause: error }) });
  }

  #openLater(model: ChannelModel): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#model === model && !this.#isClosed) void this.#open(model);
    }, this.#reopenMs).unref();
    this.#reopenMs = Math.min(2 * this.#reopenMs, LONGEST_REOPEN_MS);
  }

  #read(message: ConsumeMessage): void {
    const note = this.#notes.add(message);
    this.#changedAtMs = performance.now();
    if (note === undefined) return;
    if (note.at !== undefined && note.at >= this.#openedAt) this.#hasReadNow = true;
    for (const { messageId, since, answer } of [...this.#questions])
      if (messageId === note.messageId && isSince(note, since)) answer();
  }
}

/** The timestamp of a note has whole seconds. */
function isSince({ at }: DeathNote, since: Date | undefined): boolean {
  return at === undefined || since === undefined || at.getTime() + 1_000 > since.getTime();
}

/** What `readNotes` has read. */
export interface NotesReading {
  /** The newest note of each message by its id. */
  readonly notes: ReadonlyMap<string, DeathNote>;
  /** Why notes may be missing, as a sentence for people; undefined if all that there were at the start were read. */
  readonly problem: string | undefined;
}

/**
 * Reads, on a connection of its own, the notes that a stream has now, at most 20 MB. It ends where nothing comes for a second,
 * at the first note that is younger than its start, and in any case after 30 seconds.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`.
 */
export async function readNotes(
  url: string,
  stream: string,
  limitMs: number = LONGEST_READING_MS,
): Promise<NotesReading> {
  const notes = new Notes({ hasStacks: true });
  const startedAt = new Date();
  const startedAtMs = performance.now();
  let changedAtMs = startedAtMs;
  const state = { hasReadNow: false };
  const model = await openConnection(url, `reader of ${stream}`);
  try {
    const channel = await consumeNotes(model, stream, (message) => {
      if (state.hasReadNow) return;
      const note = notes.add(message);
      changedAtMs = performance.now();
      state.hasReadNow = note?.at !== undefined && note.at >= startedAt;
    });
    const ended = new AbortController();
    channel.once('close', () => {
      ended.abort();
    });
    const { messageCount } = await channel.checkQueue(stream);
    // AMQP does not say where a stream ends, and the count of a busy broker is late.
    while (!state.hasReadNow) {
      const quietMs = messageCount === 0 && notes.toMap().size === 0 ? QUIET_IF_EMPTY_MS : QUIET_MS;
      const nowMs = performance.now();
      if (nowMs - changedAtMs >= quietMs) break;
      if (ended.signal.aborted || nowMs - startedAtMs >= limitMs) {
        const reason = ended.signal.aborted ? 'its channel was closed' : 'it took too long';
        return { notes: notes.toMap(), problem: `not all notes of ${stream} were read: ${reason}` };
      }
      await pause(POLL_MS);
    }
    return { notes: notes.toMap(), problem: undefined };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const problem = `the notes of ${stream} cannot be read, so exhausted dead letters have no error: ${error.message}`;
    return { notes: notes.toMap(), problem };
  } finally {
    await closeConnection(model);
  }
}

const POLL_MS = 20;

/**
 * A stream that is deleted closes the channel.
 * @throws the error of the broker; Error if the channel is lost meanwhile.
 */
async function consumeNotes(
  model: ChannelModel,
  stream: string,
  onNote: (message: ConsumeMessage) => void,
): Promise<Channel> {
  const channel = await model.createChannel();
  let reason: Error | undefined;
  channel.on('error', (error: Error) => {
    reason = error;
  });
  // amqplib may not settle a request whose connection is lost.
  const lost = new Promise<never>((_, reject) => {
    channel.once('close', () => {
      reject(reason ?? new Error('the channel was closed'));
    });
  });
  lost.catch(() => undefined);
  const consumed = async () => {
    await channel.prefetch(PREFETCH_COUNT);
    await channel.consume(
      stream,
      (message) => {
        if (message === null) {
          channel.close().catch(() => undefined);
          return;
        }
        onNote(message);
        channel.ack(message);
      },
      { arguments: { 'x-stream-offset': 'first' } },
    );
  };
  await Promise.race([consumed(), lost]);
  return channel;
}

/** @returns true if the broker answered: no such stream (404), no right to read it (403), a queue that is no stream (406). */
function isRefusal(error: unknown): error is Error {
  const { code } = Object(error) as { readonly code?: unknown };
  return error instanceof Error && typeof code === 'number' && code >= 400 && code < 500;
}

function timeOf(seconds: unknown): Date | undefined {
  const isPlausible =
    typeof seconds === 'number' && seconds >= EARLIEST_SECONDS && seconds <= LATEST_SECONDS;
  return isPlausible ? new Date(seconds * 1_000) : undefined;
}
