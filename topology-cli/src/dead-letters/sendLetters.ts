/** Publishes letters in order, confirmed, at a rate; backs off while a queue is full. */
import type {
  DeadLetterPublisher,
  DeadLetterPublishResult,
  OutgoingDeadLetter,
} from '@fit/topology/amqp';
import { Remarks } from './remarks.ts';

/** One letter to send. */
export interface Parcel {
  readonly id: string;
  readonly letter: OutgoingDeadLetter;
  /** Called once the broker has confirmed it: ack it, or note it. */
  readonly settle: () => void | Promise<void>;
}

/**
 * done: all were tried. full: the queue refused for as long as we wait. unroutable: nothing is bound to the key. lost:
 * the connection ended. asked: the caller wanted no more.
 */
export type SendEnd = 'done' | 'full' | 'unroutable' | 'lost' | 'asked';

export interface SendReport {
  readonly end: SendEnd;
  readonly sentCount: number;
  /** Not sent, and not settled: returned, not encodable, or refused by a full queue. */
  readonly leftCount: number;
  /** Under way when the connection was lost: they may have arrived. */
  readonly unanswered: readonly Parcel[];
  /** Why the connection was lost; otherwise empty. */
  readonly lossReason: string;
  readonly problems: readonly string[];
}

export interface SendOptions {
  readonly post: DeadLetterPublisher;
  /** Letters per second; undefined: as fast as they are confirmed. */
  readonly ratePerSecond: number | undefined;
  /** Letters under way at a time, at most. */
  readonly windowCount: number;
  /** How long a full queue may refuse without taking a single letter. */
  readonly patienceMs: number;
  readonly say: (line: string) => void;
  /** After each handful; true ends the sending. */
  readonly onSent: (sentCount: number) => boolean | Promise<boolean>;
}

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 2_000;
/** So many returned ones in a row, and the binding is missing rather than a letter odd. */
const RETURNED_LIMIT = 20;
/** At a rate, a handful is what is due in this time. */
const BEAT_MS = 100;

export async function sendLetters(
  parcels: AsyncIterable<Parcel> | Iterable<Parcel>,
  options: SendOptions,
): Promise<SendReport> {
  const sender = new Sender(options);
  let handful: Parcel[] = [];
  const size = handfulSize(options);
  let end: SendEnd | undefined;
  for await (const parcel of parcels) {
    handful.push(parcel);
    if (handful.length < size) continue;
    end = await sender.send(handful);
    handful = [];
    if (end !== undefined) break;
  }
  if (end === undefined && handful.length > 0) end = await sender.send(handful);
  return sender.report(end ?? 'done');
}

/** Pure: how many letters go out together. */
export function handfulSize({
  ratePerSecond,
  windowCount,
}: Pick<SendOptions, 'ratePerSecond' | 'windowCount'>): number {
  const due = ratePerSecond === undefined ? windowCount : (ratePerSecond * BEAT_MS) / 1_000;
  return Math.max(1, Math.min(windowCount, Math.floor(due)));
}

class Sender {
  readonly #options: SendOptions;
  readonly #remarks = new Remarks();
  readonly #startedAt = performance.now();
  #sentCount = 0;
  #leftCount = 0;
  #returnedInARow = 0;
  #unanswered: Parcel[] = [];
  #lossReason = '';

  constructor(options: SendOptions) {
    this.#options = options;
  }

  report(end: SendEnd): SendReport {
    return {
      end,
      sentCount: this.#sentCount,
      leftCount: this.#leftCount,
      unanswered: this.#unanswered,
      lossReason: this.#lossReason,
      problems: this.#remarks.list(),
    };
  }

  /** @returns why to stop, or undefined to go on. */
  async send(handful: readonly Parcel[]): Promise<SendEnd | undefined> {
    let waiting = handful;
    let backoffMs = FIRST_BACKOFF_MS;
    let waitedMs = 0;
    for (;;) {
      const countBefore = this.#sentCount;
      waiting = await this.#attempt(waiting);
      if (this.#unanswered.length > 0) {
        // Refused, but nobody waits for room on a lost connection: they are to be tried again.
        this.#unanswered.push(...waiting);
        return 'lost';
      }
      if (this.#returnedInARow >= RETURNED_LIMIT) return 'unroutable';
      if (waiting.length === 0) break;
      if (this.#sentCount > countBefore) {
        backoffMs = FIRST_BACKOFF_MS;
        waitedMs = 0;
      }
      if (waitedMs >= this.#options.patienceMs) return this.#giveUp(waiting);
      if (waitedMs === 0) this.#options.say('the queue is full: waiting for room');
      await pause(backoffMs);
      waitedMs += backoffMs;
      backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
    }
    if (await this.#options.onSent(this.#sentCount)) return 'asked';
    await this.#pace();
    return undefined;
  }

  /** @returns those that a full queue refused. */
  async #attempt(handful: readonly Parcel[]): Promise<Parcel[]> {
    const results = await Promise.all(
      handful.map(async (parcel) => ({
        parcel,
        posted: await this.#options.post.publish(parcel.letter),
      })),
    );
    const refused: Parcel[] = [];
    for (const { parcel, posted } of results) {
      this.#returnedInARow = posted.result === 'returned' ? this.#returnedInARow + 1 : 0;
      if (posted.result === 'nacked') refused.push(parcel);
      else await this.#note(parcel, posted);
    }
    return refused;
  }

  async #note(parcel: Parcel, { result, reason = '' }: DeadLetterPublishResult): Promise<void> {
    switch (result) {
      case 'confirmed':
        // Only now: until the broker has the copy on its disk, the letter is the only one.
        await parcel.settle();
        this.#sentCount += 1;
        return;
      case 'returned':
        this.#leave(parcel, 'returned: nothing is bound to its key');
        return;
      case 'unknown':
        this.#unanswered.push(parcel);
        this.#lossReason = reason;
        return;
      default:
        this.#leave(parcel, `${result}: ${reason}`);
    }
  }

  #leave(parcel: Parcel, reason: string): void {
    this.#leftCount += 1;
    this.#remarks.add(`${parcel.id} is not sent, ${reason}`);
  }

  #giveUp(waiting: readonly Parcel[]): SendEnd {
    for (const parcel of waiting) this.#leave(parcel, 'refused: the queue is full');
    return 'full';
  }

  async #pace(): Promise<void> {
    const { ratePerSecond } = this.#options;
    if (ratePerSecond === undefined) return;
    const dueMs = (this.#sentCount / ratePerSecond) * 1_000;
    await pause(dueMs - (performance.now() - this.#startedAt));
  }
}

async function pause(pauseMs: number): Promise<void> {
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
