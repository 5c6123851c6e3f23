/** Publishes letters as they are: any header, any property; mandatory, persistent, confirmed. For the dead-letter desk. */
import { type ConfirmChannel, connect, type Message } from 'amqplib';
import { connectFailure } from './connectFailure.ts';
import { endConnection } from './endConnection.ts';
import type { DeadLetterProperties } from './heldDeadLetter.ts';
import { credentialsIn, withHeartbeat } from './openSession.ts';
import type { PublishResult } from './publisher.ts';

/** A letter to be published as it is. */
export interface OutgoingDeadLetter {
  readonly exchange: string;
  readonly key: string;
  readonly body: Buffer;
  /** As given: whoever calls has taken out what steers the broker. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Delivery mode, expiration and user id are not passed on; the broker refuses the name of another user. */
  readonly properties: DeadLetterProperties;
}

/** unsendable: amqplib cannot encode it (headers above 64 kB, for instance); nothing was sent. */
export interface DeadLetterPublishResult {
  readonly result: PublishResult | 'unsendable';
  /** Present for unsendable and unknown. */
  readonly reason?: string;
}

/** A connection that publishes letters. */
export interface DeadLetterPublisher {
  /** Never rejects. After the first `unknown` the post is over: open another. */
  publish(letter: OutgoingDeadLetter): Promise<DeadLetterPublishResult>;
  close(): Promise<void>;
}

const CONFIRM_TIMEOUT_MS = 10_000;

/**
 * @returns a post on a connection of its own.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`.
 */
export async function openDeadLetterPublisher(url: string): Promise<DeadLetterPublisher> {
  const model = await connect(withHeartbeat(url), {
    credentials: credentialsIn(url),
    timeout: 5_000,
    noDelay: true,
  }).catch((error: unknown) => {
    throw connectFailure(error, url);
  });
  let alarm = '';
  model.on('blocked', (reason: string) => (alarm = `; the broker blocks publishers: ${reason}`));
  model.on('unblocked', () => (alarm = ''));
  const post = new Post(await model.createConfirmChannel(), () => alarm);
  model.on('error', (error) => {
    post.end(error.message);
  });
  model.on('close', () => {
    post.end('the connection was closed');
  });
  return {
    publish: (letter) => post.post(letter),
    close: () => endConnection(model),
  };
}

class Post {
  readonly #channel: ConfirmChannel;
  readonly #alarm: () => string;
  readonly #returnedIds = new Set<string>();
  /** By message id: a return names its message by nothing else, so two of one id are never under way at once. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  readonly #pending = new Set<(posted: DeadLetterPublishResult) => void>();
  #endReason: string | undefined;

  constructor(channel: ConfirmChannel, alarm: () => string) {
    this.#channel = channel;
    this.#alarm = alarm;
    channel.on('return', (message: Message) => {
      this.#returnedIds.add(idOf(message.properties));
    });
    channel.on('error', (error: Error) => {
      this.end(error.message);
    });
    // First of the listeners: amqplib's own would report every lost confirm as if it were a nack.
    channel.prependListener('close', () => {
      this.end('the channel was closed');
    });
  }

  async post(letter: OutgoingDeadLetter): Promise<DeadLetterPublishResult> {
    const id = idOf(letter.properties);
    const before = this.#lastOf.get(id);
    const posted = (async () => {
      await before;
      return await this.#send(letter, id);
    })();
    this.#lastOf.set(id, posted);
    const result = await posted;
    if (this.#lastOf.get(id) === posted) this.#lastOf.delete(id);
    return result;
  }

  end(reason: string): void {
    this.#endReason ??= reason;
    for (const settle of [...this.#pending]) settle({ result: 'unknown', reason: this.#endReason });
  }

  async #send(letter: OutgoingDeadLetter, id: string): Promise<DeadLetterPublishResult> {
    return await new Promise((resolve) => {
      const settle = (posted: DeadLetterPublishResult) => {
        clearTimeout(timer);
        this.#pending.delete(settle);
        resolve(posted);
      };
      const timer = setTimeout(() => {
        this.end(`no confirm within ${CONFIRM_TIMEOUT_MS} ms${this.#alarm()}`);
      }, CONFIRM_TIMEOUT_MS);
      this.#pending.add(settle);
      if (this.#endReason !== undefined) {
        settle({ result: 'unknown', reason: this.#endReason });
        return;
      }
      try {
        this.#publish(letter, (error) => {
          const wasReturned = this.#returnedIds.delete(id);
          settle({ result: error ? 'nacked' : wasReturned ? 'returned' : 'confirmed' });
        });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const isClosed = error instanceof Error && error.name === 'IllegalOperationError';
        settle({ result: isClosed ? 'unknown' : 'unsendable', reason });
      }
    });
  }

  #publish(letter: OutgoingDeadLetter, onConfirm: (error: unknown) => void): void {
    const { userId, expiration, deliveryMode, ...properties } = letter.properties;
    const options = {
      ...properties,
      persistent: true,
      mandatory: true,
      headers: encodable(letter.headers),
    };
    this.#channel.publish(letter.exchange, letter.key, letter.body, options, onConfirm);
  }
}

function idOf(properties: { readonly messageId?: string }): string {
  return properties.messageId === undefined ? '' : `id ${properties.messageId}`;
}

/** amqplib takes every number that is not between these for a 64-bit integer, and then cannot write it. */
function encodable(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, typed(held)]));
}

function typed(value: unknown): unknown {
  if (typeof value === 'number') {
    // RabbitMQ cannot read it, and ends the connection with an internal error (541, measured on 3.10.8).
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no number that a broker takes`);
    return Math.abs(value) < 2 ** 63 ? value : { '!': 'double', value };
  }
  if (Array.isArray(value)) return value.map(typed);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (Object.hasOwn(value, '!')) return value;
  return encodable(value as Record<string, unknown>);
}
