/** Publishes persistent, mandatory messages with publisher confirms, with a limit of unconfirmed ones. */
import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import { AsideChannel } from './asideChannel.ts';
import type { BrokerConnection } from './connection.ts';
import { closeChannel, modelOf } from './openConnection.ts';
import { type Attachment, openSession, type Session, type SessionOptions } from './openSession.ts';
import { sendOn } from './sendOn.ts';

/**
 * confirmed: the broker has stored the message in every queue of its key. nacked: a queue is full and refused it. returned:
 * no queue is bound to the key, or there is no such exchange. unsendable: the message cannot be encoded, for example because its id is longer than 255 bytes; nothing
 * was sent, and no repetition can succeed. unknown: the confirm was lost or late, so the message may be stored; publish it
 * again with the same id.
 */
export type PublishResult = 'confirmed' | 'nacked' | 'returned' | 'unsendable' | 'unknown';

/**
 * A publish that ended. error: there was no connection, or it was lost before the confirm. unsent: it waited for a
 * connection or for room until its time was over, and was not sent.
 */
export interface PublishEnd {
  /** Exchange that was published to. */
  readonly exchange: string;
  /** Routing key that was published with. */
  readonly key: string;
  /** How the publish ended. */
  readonly outcome: Exclude<PublishResult, 'unknown'> | 'timeout' | 'error' | 'unsent';
  /** Milliseconds from sending to the confirm, or to giving up. */
  readonly durationMs: number;
}

/** A message to publish. It is sent persistent and mandatory. */
export interface OutgoingMessage {
  readonly exchange: string;
  readonly key: string;
  /** AMQP `type`: the name of the message, which the routing key no longer tells after a retry. Default none. */
  readonly type?: string | undefined;
  /** Message id: relates a returned message to its publish, and lets a consumer recognise a copy. */
  readonly id: string;
  readonly body: Buffer;
  /** Default application/json. */
  readonly contentType?: string;
  /** AMQP priority, 0 to 255: `priorityNumber` of one of the priorities that the kind declares. Default none. */
  readonly priority?: number | undefined;
  /**
   * Names that begin with `x-`, CC and BCC would steer the broker, and are left out. A number that is not finite makes the
   * message unsendable.
   */
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** Where to publish, and how many messages may be unconfirmed. */
export interface PublisherOptions extends Pick<SessionOptions, 'url' | 'label' | 'onEvent'> {
  /** Connection that is shared with others; default one of its own, which is closed with the publisher. */
  readonly session?: Session | undefined;
  /**
   * Runs on each connection before its channel is opened: assert the topology here. Exchanges of the plan that it returns
   * are taken to exist, so it returns a plan only if it has declared it; the first message for any other exchange waits until
   * the broker has been asked for it.
   * @param isReopened true where only the channel was lost, perhaps because an exchange was deleted.
   */
  readonly prepare: (connection: BrokerConnection, isReopened: boolean) => Promise<unknown>;
  /**
   * Messages whose basic.ack is awaited; further ones wait here. Default 1,000; at least 1.
   */
  readonly maxUnconfirmed?: number;
  /**
   * Milliseconds until a missing confirm counts as unknown; default 10,000. Infinity: only the end of the connection does,
   * which its heartbeat brings about where the broker does not answer. A caller that publishes unknown messages again needs
   * that: a broker that only stood still would store both copies.
   */
  readonly confirmTimeoutMs?: number;
  /**
   * True: a message waits for a connection as it waits for room, both within `confirmTimeoutMs`. Default false: without a
   * connection its publish ends at once.
   */
  readonly waitsForConnection?: boolean;
  /**
   * Exchange whose messages go by a channel of their own, because the broker may refuse it, and would close the channel of all
   * messages for that. `onPublish` is not told of them. Default none.
   */
  readonly asideExchange?: string;
  /**
   * True: while an alarm of the broker blocks the connection, messages wait here, and `confirmTimeoutMs` does not run. A caller
   * that repeats what led to an unknown message needs that, because the broker reads everything in the socket once the alarm
   * ends, and would store each repetition. Default false.
   */
  readonly holdsWhileBlocked?: boolean;
  /** Is called once for each publish. Must not throw. */
  readonly onPublish?: (end: PublishEnd) => void;
}

/** What the broker said about a message that it returned. */
export interface ReturnReply {
  /** Reply code of basic.return, such as 312. */
  readonly code: number;
  /** Reply text of basic.return, such as NO_ROUTE. */
  readonly text: string;
}

/** A publish whose caller may give it up. */
export interface WatchedPublish {
  readonly ended: Promise<PublishEnd['outcome']>;
  /** Ends it as `unsent`, so that it is never sent, or, where it was sent already, as `timeout`. */
  readonly giveUp: () => void;
}

/** A message that was not sent yet, or that is not confirmed yet. */
interface Waiting {
  readonly message: OutgoingMessage;
  readonly onOutcome: (outcome: PublishEnd['outcome']) => void;
  readonly startedAtMs: number;
  /** True: `confirmTimeoutMs` does not end it, since its caller does. */
  readonly isWatched: boolean;
  /** Is asked before a message is sent that has waited: false ends it as `unsent`. */
  readonly isWanted: (() => boolean) | undefined;
  state: 'waiting' | 'pending' | 'sent' | 'ended';
}

/** Fields of basic.return, which amqplib has no type for. */
interface ReturnFields {
  readonly exchange: string;
  readonly routingKey: string;
  readonly replyCode: number;
  readonly replyText: string;
}

const TIMEOUT_CHECK_MS = 500;

/** A channel that publishes messages and reports what became of each. It is opened again after a loss. */
export class Publisher {
  readonly #maxUnconfirmed: number;
  readonly #confirmTimeoutMs: number;
  readonly #onPublish: PublisherOptions['onPublish'];
  readonly #pending = new Set<Waiting>();
  /** Returned messages whose confirm has not come yet, by exchange, key and id: several may have one id. */
  readonly #returned = new Map<string, { count: number; readonly reply: ReturnReply }>();
  /** Replies to messages that were returned, for callers that ask. */
  readonly #replies = new WeakMap<OutgoingMessage, ReturnReply>();
  /** In the order of their publishes. Those that ended remain until they are taken, or are half of all. */
  #waiting: Waiting[] = [];
  #endedWaitingCount = 0;
  #isSendingWaiting = false;
  readonly #waitsForConnection: boolean;
  readonly #holdsWhileBlocked: boolean;
  /** When it was last seen that an alarm held messages. */
  #heldAtMs = -Infinity;
  #forgetSession: (() => void) | undefined;
  /** Exchanges that exist on this channel's connection: a publish to another one would close the channel for all. */
  readonly #exchanges = new Set<string>();
  /** Questions to the broker whether an exchange exists: many messages may wait for one answer. */
  readonly #exchangeChecks = new Map<string, Promise<boolean>>();
  #isClosed = false;
  readonly #timeoutTimer: NodeJS.Timeout | undefined;
  #channel: ConfirmChannel | undefined;
  #model: ChannelModel | undefined;
  #session: Session | undefined;
  /** A session of its own; undefined if it shares one. */
  #ownSession: Session | undefined;
  #attachment: Attachment | undefined;
  readonly #aside: AsideChannel | undefined;

  private constructor(options: PublisherOptions) {
    this.#maxUnconfirmed = options.maxUnconfirmed ?? 1_000;
    this.#confirmTimeoutMs = options.confirmTimeoutMs ?? 10_000;
    this.#waitsForConnection = options.waitsForConnection ?? false;
    this.#holdsWhileBlocked = options.holdsWhileBlocked ?? false;
    this.#onPublish = options.onPublish;
    if (options.asideExchange !== undefined)
      this.#aside = new AsideChannel({
        exchange: options.asideExchange,
        confirmTimeoutMs: this.#confirmTimeoutMs,
        onEvent: options.onEvent,
      });
    if (this.#confirmTimeoutMs < Infinity)
      this.#timeoutTimer = setInterval(() => {
        this.#settleOverdue();
      }, TIMEOUT_CHECK_MS);
  }

  /** @throws TopologyError as `openSession` does. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    try {
      if (options.session === undefined) publisher.#ownSession = await openSession(options);
      publisher.#session = options.session ?? publisher.#ownSession;
      publisher.#forgetSession = publisher.#session?.onUnblocked(() => {
        publisher.#sendWaiting();
      });
      publisher.#attachment = publisher.#session?.attach(async (connection, isReopened) => {
        const plan = await options.prepare(connection, isReopened);
        const model = modelOf(connection);
        await publisher.#openChannel(model, exchangesIn(plan), options.onEvent);
        publisher.#aside?.use(model);
      });
      await publisher.#attachment?.opened;
    } catch (error) {
      // The timer would keep a process running whose start was refused.
      clearInterval(publisher.#timeoutTimer);
      publisher.#forgetSession?.();
      await publisher.#ownSession?.close();
      throw error;
    }
    return publisher;
  }

  /** False while disconnected or blocked by an alarm: a publish would only end as unknown. */
  get isReady(): boolean {
    return this.#channel !== undefined && this.#session?.isBlocked !== true;
  }

  /** True while the channel is open, blocked or not. */
  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /** True while an alarm of the broker blocks publishers. */
  get isBlocked(): boolean {
    return this.#session?.isBlocked === true;
  }

  /** Messages that are sent and not confirmed yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Messages that are not sent yet, because the limit of unconfirmed ones is reached. */
  get waitingCount(): number {
    return this.#waiting.length - this.#endedWaitingCount;
  }

  /**
   * Publishes one message. It never rejects: the result says what went wrong.
   * @param isWanted is asked before a message is sent that has waited; false: it is not sent, and its result is unknown.
   */
  publish(message: OutgoingMessage, isWanted?: () => boolean): Promise<PublishResult> {
    return new Promise((resolve) => {
      const onOutcome = (outcome: PublishEnd['outcome']) => {
        resolve(resultOf(outcome));
      };
      this.#publish(waitingOf(message, onOutcome, false, isWanted));
    });
  }

  /**
   * As `publish`, for a caller that publishes many messages at once: a promise for each message would cost a tenth of the
   * publish.
   * @param onOutcome is called once, perhaps before `send` returns; it tells the reasons of `unknown` apart. Must not throw.
   */
  send(message: OutgoingMessage, onOutcome: (outcome: PublishEnd['outcome']) => void): void {
    this.#publish(waitingOf(message, onOutcome, false));
  }

  /** As `send`, for a caller that ends it itself: `confirmTimeoutMs` does not. */
  publishWatched(message: OutgoingMessage): WatchedPublish {
    let giveUp: () => void = () => undefined;
    const ended = new Promise<PublishEnd['outcome']>((resolve) => {
      const waiting = waitingOf(message, resolve, true);
      giveUp = () => {
        this.#giveUp(waiting);
      };
      this.#publish(waiting);
    });
    return { ended, giveUp };
  }

  /** @returns why the broker returned this message; undefined if it did not, or if the exchange does not exist. */
  replyTo(message: OutgoingMessage): ReturnReply | undefined {
    return this.#replies.get(message);
  }

  /**
   * Closes the channel, and the connection unless it is shared; unconfirmed messages end as unknown, unsent ones unsent.
   */
  async close(): Promise<void> {
    clearInterval(this.#timeoutTimer);
    this.#forgetSession?.();
    this.#isClosed = true;
    this.#attachment?.detach();
    await this.#aside?.close();
    const channel = this.#channel;
    if (this.#ownSession === undefined && channel !== undefined) await closeChannel(channel);
    await this.#ownSession?.close();
    this.#channel = undefined;
    this.#settleAll();
  }

  #publish(waiting: Waiting): void {
    if (waiting.message.exchange === this.#aside?.exchange) {
      this.#aside.send(waiting.message, (outcome) => {
        waiting.state = 'ended';
        waiting.onOutcome(outcome);
      });
      return;
    }
    const isUp = this.#channel !== undefined;
    const hasRoom = this.waitingCount === 0 && this.#pending.size < this.#maxUnconfirmed;
    if (isUp && hasRoom && !this.#isHeld()) this.#send(waiting);
    else if (isUp || (this.#waitsForConnection && !this.#isClosed)) this.#waiting.push(waiting);
    else this.#finish(waiting, this.#waitsForConnection ? 'unsent' : 'error');
  }

  async #openChannel(
    model: ChannelModel,
    exchanges: readonly string[],
    onEvent: SessionOptions['onEvent'],
  ): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => onEvent?.({ type: 'channelFailed', error }));
    // The broker sends the return of a message before its ack (RabbitMQ, publishers page).
    channel.on('return', (message: Message) => {
      const { exchange, routingKey, replyCode, replyText } =
        message.fields as unknown as ReturnFields;
      const key = returnKey(exchange, routingKey, String(message.properties.messageId));
      const count = (this.#returned.get(key)?.count ?? 0) + 1;
      this.#returned.set(key, { count, reply: { code: replyCode, text: replyText } });
    });
    // This listener must run before amqplib's own, which would report every lost confirm as a nack.
    channel.prependListener('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#settleAll();
      // Only the channel may be dead; then it is opened again on the same connection.
      this.#attachment?.reopen();
    });
    this.#exchanges.clear();
    this.#exchangeChecks.clear();
    for (const exchange of exchanges) this.#exchanges.add(exchange);
    this.#model = model;
    this.#channel = channel;
    this.#sendWaiting();
  }

  #send(pending: Waiting): void {
    pending.state = 'pending';
    this.#pending.add(pending);
    if (this.#exchanges.has(pending.message.exchange)) this.#sendNow(pending);
    else void this.#sendIfExchangeExists(pending);
  }

  /** The first messages for an exchange. The broker answers an unknown one by closing the channel, with all that is unconfirmed. */
  async #sendIfExchangeExists(pending: Waiting): Promise<void> {
    const { exchange } = pending.message;
    const channel = this.#channel;
    const exists = await this.#hasExchange(exchange);
    // Lost meanwhile: then it has ended already, or waits for the next channel.
    if (channel === undefined || this.#channel !== channel || !this.#pending.has(pending)) return;
    if (!exists) {
      this.#settle(pending, 'returned');
      return;
    }
    this.#exchanges.add(exchange);
    this.#sendNow(pending);
  }

  async #hasExchange(exchange: string): Promise<boolean> {
    if (this.#model === undefined) return true;
    const known = this.#exchangeChecks.get(exchange);
    if (known !== undefined) return await known;
    const check = hasExchange(this.#model, exchange);
    this.#exchangeChecks.set(exchange, check);
    try {
      return await check;
    } finally {
      // An exchange that is missing now may be there for the next message.
      if (this.#exchangeChecks.get(exchange) === check) this.#exchangeChecks.delete(exchange);
    }
  }

  #sendNow(pending: Waiting): void {
    const { message } = pending;
    const channel = this.#channel;
    if (channel === undefined) {
      this.#settle(pending, 'error');
      return;
    }
    try {
      sendOn(channel, message, (error) => {
        const wasReturned = this.#returned.size > 0 && this.#takeReturn(message);
        this.#settle(pending, error ? 'nacked' : wasReturned ? 'returned' : 'confirmed');
      });
      pending.state = 'sent';
    } catch (error) {
      // amqplib throws before it sends anything: if the channel is closing, or if it cannot encode the message.
      const isClosing = error instanceof Error && error.name === 'IllegalOperationError';
      // The end of the channel follows, and then it waits for the next one.
      if (isClosing && this.#waitsForConnection) return;
      this.#settle(pending, isClosing ? 'error' : 'unsendable');
    }
  }

  /** @returns true if the broker returned a message of this exchange, key and id, and forgets one such return. */
  #takeReturn(message: OutgoingMessage): boolean {
    const key = returnKey(message.exchange, message.key, message.id);
    const returned = this.#returned.get(key);
    if (returned === undefined) return false;
    returned.count -= 1;
    if (returned.count === 0) this.#returned.delete(key);
    this.#replies.set(message, returned.reply);
    return true;
  }

  /** Does nothing for a message that ended already: a confirm may come after its time. */
  #settle(pending: Waiting, outcome: PublishEnd['outcome']): void {
    if (!this.#pending.delete(pending)) return;
    this.#finish(pending, outcome);
    if (this.#waiting.length > 0) this.#sendWaiting();
  }

  /**
   * Sends messages that wait, as many as the limit allows: an unsendable one takes no place, so more than one may follow. It
   * makes room while this runs, and must not run this again: thousands of them would overflow the stack.
   */
  #sendWaiting(): void {
    if (this.#isSendingWaiting) return;
    this.#isSendingWaiting = true;
    try {
      while (this.#mayPublish()) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        if (next.state === 'ended') this.#endedWaitingCount -= 1;
        else if (next.isWanted?.() === false) this.#finish(next, 'unsent');
        else this.#send(next);
      }
    } finally {
      this.#isSendingWaiting = false;
    }
  }

  #mayPublish(): boolean {
    return (
      this.#channel !== undefined && this.#pending.size < this.#maxUnconfirmed && !this.#isHeld()
    );
  }

  #isHeld(): boolean {
    return this.#holdsWhileBlocked && this.isBlocked;
  }

  #giveUp(waiting: Waiting): void {
    if (waiting.state === 'waiting') this.#endWaiting(waiting);
    else if (waiting.state !== 'ended')
      this.#settle(waiting, waiting.state === 'sent' ? 'timeout' : 'unsent');
  }

  /** Ends a message that is in the list of those that wait, where it stays: to take each out would cost a copy of the list. */
  #endWaiting(waiting: Waiting): void {
    this.#endedWaitingCount += 1;
    this.#finish(waiting, 'unsent');
    if (this.#endedWaitingCount * 2 <= this.#waiting.length) return;
    this.#waiting = this.#waiting.filter(({ state }) => state !== 'ended');
    this.#endedWaitingCount = 0;
  }

  #finish(waiting: Waiting, outcome: PublishEnd['outcome']): void {
    const { message, startedAtMs } = waiting;
    waiting.state = 'ended';
    if (this.#onPublish !== undefined) {
      const { exchange, key } = message;
      this.#onPublish({ exchange, key, outcome, durationMs: performance.now() - startedAtMs });
    }
    waiting.onOutcome(outcome);
  }

  #settleOverdue(): void {
    const nowMs = performance.now();
    const latestMs = nowMs - this.#confirmTimeoutMs;
    if (this.#isHeld()) this.#heldAtMs = nowMs;
    if (this.#heldAtMs > latestMs) return;
    for (const pending of this.#pending) {
      if (pending.startedAtMs > latestMs) break;
      if (pending.isWatched) continue;
      const isUnsent = this.#waitsForConnection && pending.state === 'pending';
      this.#settle(pending, isUnsent ? 'unsent' : 'timeout');
    }
    if (!this.#waitsForConnection) return;
    // A copy: the list is made anew while they end.
    for (const one of [...this.#waiting])
      if (one.state === 'waiting' && one.startedAtMs <= latestMs && !one.isWatched)
        this.#endWaiting(one);
  }

  /** The channel is lost, and perhaps for good. What was not sent waits for the next one, where messages wait at all. */
  #settleAll(): void {
    const mayWait = this.#waitsForConnection && !this.#isClosed;
    const unsent = [...this.#pending].filter(({ state }) => state === 'pending');
    if (this.#waitsForConnection)
      for (const one of unsent) {
        this.#pending.delete(one);
        one.state = 'waiting';
      }
    if (this.#waitsForConnection) this.#waiting = [...unsent, ...this.#waiting];
    const waiting = mayWait ? [] : this.#waiting.splice(0);
    if (!mayWait) this.#endedWaitingCount = 0;
    for (const pending of [...this.#pending]) this.#settle(pending, 'error');
    for (const one of waiting)
      if (one.state !== 'ended') this.#finish(one, this.#waitsForConnection ? 'unsent' : 'error');
    this.#returned.clear();
  }
}

function waitingOf(
  message: OutgoingMessage,
  onOutcome: Waiting['onOutcome'],
  isWatched: boolean,
  isWanted?: () => boolean,
): Waiting {
  return {
    message,
    onOutcome,
    startedAtMs: performance.now(),
    isWatched,
    isWanted,
    state: 'waiting',
  };
}

function returnKey(exchange: string, key: string, id: string): string {
  return JSON.stringify([exchange, key, id]);
}

function resultOf(outcome: PublishEnd['outcome']): PublishResult {
  return outcome === 'timeout' || outcome === 'error' || outcome === 'unsent' ? 'unknown' : outcome;
}

function exchangesIn(plan: unknown): string[] {
  const { exchanges } = Object(plan) as { exchanges?: unknown };
  return Array.isArray(exchanges)
    ? (exchanges as readonly { readonly name: string }[]).map(({ name }) => name)
    : [];
}

const NOT_FOUND = 404;

/** @returns false if the broker does not know the exchange; true also where it cannot be asked. */
async function hasExchange(model: ChannelModel, exchange: string): Promise<boolean> {
  if (exchange === '') return true;
  try {
    const channel = await model.createChannel();
    // A missing exchange closes the channel that asks for it, so it is not the one that publishes.
    channel.on('error', () => undefined);
    await channel.checkExchange(exchange);
    await channel.close();
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== NOT_FOUND;
  }
}
