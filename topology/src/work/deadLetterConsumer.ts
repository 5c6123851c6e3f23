/** Consumes the dead-letter queue of one kind: each dead letter once, with the cause of its death and its last error. */
import {
  Consumer,
  type Delivery,
  NoteReader,
  type Session,
  type SessionEvent,
} from '../amqp/index.ts';
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { deadLetterQueue, noteIdOf, notesName } from '../plan/names.ts';
import { deathCause } from '../retry/deathCause.ts';
import {
  type DeathDescription,
  type DeathNote,
  deathIdentity,
  describeDeath,
} from '../retry/describeDeath.ts';
import { REPLAYED_AT_HEADER } from '../retry/eligibleAt.ts';
import type { Headers } from '../retry/xDeath.ts';

/** A dead letter that is to be settled: by `ack` or by `requeue`, each of which does nothing after the first call. */
export interface ReceivedDeadLetter {
  readonly delivery: Delivery;
  /** Cause, last error and last attempt. */
  readonly death: DeathDescription;
  /** When the last error was noted; undefined without a note. */
  readonly notedAt: Date | undefined;
  /** Acknowledges it, and the copies of the same death. Call it once its content is stored elsewhere. */
  ack(): void;
  /** Gives it back to its queue. */
  requeue(): void;
}

/** What to consume. */
export interface DeadLetterConsumerOptions {
  /** Kind whose dead letters are read. */
  readonly kind: KindDeclaration;
  /** Connection, which its owner closes afterwards. */
  readonly session: Session;
  /** Unsettled dead letters at a time; 1 to 65,535. */
  readonly prefetchCount: number;
  /** As `ConsumerOptions.prepare`. */
  readonly prepare: Parameters<typeof Consumer.open>[0]['prepare'];
  /** False: `death.stack` is always undefined, so that notes take less memory. */
  readonly hasStacks: boolean;
  /** Must not throw. */
  readonly onDeadLetter: (letter: ReceivedDeadLetter) => void;
  /** The channel is lost: the broker delivers these again, and they can no longer be settled. */
  readonly onLost?: (deliveries: readonly Delivery[]) => void;
  /** Events of its channels. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/** Deaths that are remembered to recognise a later copy; the oldest are forgotten first. */
const REMEMBERED_DEATHS = 10_000;

/**
 * A dead letter that a worker published may come twice, if that worker was killed before it acknowledged the message. Such a
 * copy is acknowledged together with the first, or at once if the first was acknowledged by this process before. After a
 * restart a copy is delivered like a new one, so what is done with a dead letter should be safe to repeat.
 */
export class DeadLetterConsumer {
  readonly #options: DeadLetterConsumerOptions;
  readonly #endedDeaths = new Set<string>();
  /** Of dead letters that are not settled, by the identity of their death. */
  readonly #copies = new Map<string, Delivery[]>();
  /** Exhausted dead letters whose note is awaited. */
  readonly #asking = new Set<Delivery>();
  readonly #notes: NoteReader;
  #consumer: Consumer | undefined;

  private constructor(options: DeadLetterConsumerOptions) {
    this.#options = options;
    const { kind, hasStacks, onEvent } = options;
    this.#notes = new NoteReader({ stream: notesName(kind.queue), hasStacks, onEvent });
  }

  /** @throws TopologyError as `openSession` and `prepare` do. */
  static async open(options: DeadLetterConsumerOptions): Promise<DeadLetterConsumer> {
    const opened = new DeadLetterConsumer(options);
    try {
      await opened.#open();
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** True while its channel is open. */
  get isUp(): boolean {
    return this.#consumer?.isUp === true;
  }

  /** As `Consumer.refusal`. */
  get refusal(): Error | undefined {
    return this.#consumer?.refusal;
  }

  /** Dead letters that are delivered and not settled. */
  get unsettledCount(): number {
    return this.#consumer?.unsettledCount ?? 0;
  }

  /** As `Consumer.setPrefetch`. */
  setPrefetch(prefetchCount: number): void {
    this.#consumer?.setPrefetch(prefetchCount);
  }

  /** As `Consumer.drain`; dead letters whose note is awaited are requeued at once, and count as well. */
  async drain(deadlineMs: number, onCancelled?: () => void): Promise<number> {
    let askingCount = 0;
    const requeuedCount = await this.#consumer?.drain(deadlineMs, () => {
      askingCount = this.#asking.size;
      for (const delivery of this.#asking) delivery.requeue();
      this.#asking.clear();
      onCancelled?.();
    });
    return askingCount + (requeuedCount ?? 0);
  }

  /** Closes its channels; what is not settled goes back to the queue. */
  async close(): Promise<void> {
    await this.#consumer?.close();
    await this.#notes.close();
  }

  async #open(): Promise<void> {
    const { kind, session, prefetchCount, prepare, onEvent } = this.#options;
    this.#consumer = await Consumer.open({
      ...(onEvent === undefined ? {} : { onEvent }),
      session,
      url: '',
      label: '',
      queue: deadLetterQueue(kind),
      prefetchCount,
      prepare: async (model, isReopened) => {
        await prepare(model, isReopened);
        // Nothing is delivered before the notes are there, or known to be missing.
        await this.#notes.follow(model);
      },
      onDelivery: (delivery) => {
        this.#receive(delivery);
      },
      onLost: (deliveries) => {
        this.#copies.clear();
        this.#asking.clear();
        this.#options.onLost?.(deliveries);
      },
    });
  }

  #receive(delivery: Delivery): void {
    const { kind } = this.#options;
    const { messageId, headers, routingKey } = delivery;
    const identity = deathIdentity(delivery);
    if (identity !== undefined && this.#isCopy(identity, delivery)) return;
    const isNoted =
      messageId !== undefined && deathCause(kind, routingKey, headers) === 'exhausted';
    if (isNoted) void this.#ask(messageId, delivery);
    else this.#tell(delivery, identity, undefined);
  }

  async #ask(messageId: string, delivery: Delivery): Promise<void> {
    this.#asking.add(delivery);
    const note = await this.#notes.noteOf(noteIdOf(messageId), replayedAt(delivery.headers));
    this.#asking.delete(delivery);
    if (delivery.isCurrent && !delivery.isSettled) this.#tell(delivery, undefined, note);
  }

  #isCopy(identity: string, delivery: Delivery): boolean {
    if (this.#endedDeaths.has(identity)) {
      delivery.ack();
      return true;
    }
    const copies = this.#copies.get(identity);
    if (copies === undefined) this.#copies.set(identity, []);
    else copies.push(delivery);
    return copies !== undefined;
  }

  #tell(delivery: Delivery, identity: string | undefined, note: DeathNote | undefined): void {
    const { kind, onDeadLetter } = this.#options;
    const settle = (how: 'ack' | 'requeue') => {
      if (delivery.isSettled || !delivery.isCurrent) return;
      delivery[how]();
      if (how === 'ack' && note !== undefined) this.#notes.forget(note);
      if (identity === undefined) return;
      for (const copy of this.#copies.get(identity) ?? []) copy[how]();
      this.#copies.delete(identity);
      if (how === 'ack') this.#remember(identity);
    };
    onDeadLetter({
      delivery,
      death: describeDeath(kind, delivery.routingKey, delivery.headers, note),
      notedAt: note?.at,
      ack: () => {
        settle('ack');
      },
      requeue: () => {
        settle('requeue');
      },
    });
  }

  #remember(identity: string): void {
    this.#endedDeaths.add(identity);
    if (this.#endedDeaths.size <= REMEMBERED_DEATHS) return;
    const [oldest] = this.#endedDeaths;
    if (oldest !== undefined) this.#endedDeaths.delete(oldest);
  }
}

function replayedAt({ [REPLAYED_AT_HEADER]: ms }: Headers): Date | undefined {
  return typeof ms === 'number' && Number.isFinite(ms) ? new Date(ms) : undefined;
}
