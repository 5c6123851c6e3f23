/** Publishes dead letters again with any header and property: mandatory, persistent, confirmed. */
import type { ConfirmChannel, Message } from 'amqplib';
import type { DeadLetterProperties } from './deadLetterReader.ts';
import { closeConnection, openConnection } from './openConnection.ts';
import type { PublishResult } from './publisher.ts';

/** A dead letter to publish. */
export interface OutgoingDeadLetter {
  /** Exchange to publish to. */
  readonly exchange: string;
  /** Routing key to publish with. */
  readonly key: string;
  /** Published unchanged. */
  readonly body: Buffer;
  /** Published as given: the caller has removed headers that would steer the broker. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Delivery mode, expiration and user id are not passed on; the broker refuses the name of another user. */
  readonly properties: DeadLetterProperties;
}

/** What became of a dead letter. */
export interface DeadLetterPublishResult {
  /** As of `Publisher`; unsendable, for example, because of headers above 64 kB. */
  readonly result: PublishResult;
  /** Present for unsendable and unknown. */
  readonly reason?: string;
}

/** A connection that publishes dead letters. It does not come back after a loss. */
export interface DeadLetterPublisher {
  /** Never rejects. After the first result `unknown` this publisher sends nothing more: open another. */
  publish(deadLetter: OutgoingDeadLetter): Promise<DeadLetterPublishResult>;
  /** Closes the connection. */
  close(): Promise<void>;
}

const CONFIRM_TIMEOUT_MS = 10_000;

/**
 * Opens a publisher on a connection of its own.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`.
 */
export async function openDeadLetterPublisher(url: string): Promise<DeadLetterPublisher> {
  const model = await openConnection(url, 'dead-letter publisher');
  let alarm = '';
  model.on('blocked', (reason: string) => (alarm = `; the broker blocks publishers: ${reason}`));
  model.on('unblocked', () => (alarm = ''));
  const publisher = new ChannelPublisher(await model.createConfirmChannel(), () => alarm);
  model.on('error', (error) => {
    publisher.end(error.message);
  });
  model.on('close', () => {
    publisher.end('the connection was closed');
  });
  return {
    publish: (deadLetter) => publisher.publish(deadLetter),
    close: () => closeConnection(model),
  };
}

class ChannelPublisher {
  readonly #channel: ConfirmChannel;
  readonly #alarm: () => string;
  readonly #returnedIds = new Set<string>();
  /** By message id. A return names its message by the id alone, so two messages of one id are never published at once. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  readonly #pending = new Set<(published: DeadLetterPublishResult) => void>();
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
    // This listener must run before amqplib's own, which would report every lost confirm as a nack.
    channel.prependListener('close', () => {
      this.end('the channel was closed');
    });
  }

  async publish(deadLetter: OutgoingDeadLetter): Promise<DeadLetterPublishResult> {
    const id = idOf(deadLetter.properties);
    const before = this.#lastOf.get(id);
    const published = (async () => {
      await before;
      return await this.#send(deadLetter, id);
    })();
    this.#lastOf.set(id, published);
    const result = await published;
    if (this.#lastOf.get(id) === published) this.#lastOf.delete(id);
    return result;
  }

  end(reason: string): void {
    this.#endReason ??= reason;
    for (const settle of [...this.#pending]) settle({ result: 'unknown', reason: this.#endReason });
  }

  async #send(deadLetter: OutgoingDeadLetter, id: string): Promise<DeadLetterPublishResult> {
    return await new Promise((resolve) => {
      const settle = (published: DeadLetterPublishResult) => {
        clearTimeout(timer);
        this.#pending.delete(settle);
        resolve(published);
      };
      const timer = setTimeout(() => {
        this.end(`no confirm within ${CONFIRM_TIMEOUT_MS} ms${this.#alarm()}`);
      }, CONFIRM_TIMEOUT_MS);
      this.#pending.add(settle);
      if (this.#endReason !== undefined) {
        settle({ result: 'unknown', reason: this.#endReason });
        return;
      }
      const { userId, expiration, deliveryMode, ...properties } = deadLetter.properties;
      const { exchange, key, body } = deadLetter;
      try {
        const options = {
          ...properties,
          persistent: true,
          mandatory: true,
          headers: encodableTable(deadLetter.headers),
        };
        this.#channel.publish(exchange, key, body, options, (error: unknown) => {
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
}

function idOf(properties: { readonly messageId?: string }): string {
  return properties.messageId === undefined ? '' : `id ${properties.messageId}`;
}

function encodableTable(table: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, encodable(value)]));
}

function encodable(value: unknown): unknown {
  if (typeof value === 'number') {
    // RabbitMQ cannot read such a number, and ends the connection with an internal error (541, measured on 3.10.8).
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no number that a broker takes`);
    // amqplib takes every larger number for a 64-bit integer, and then cannot encode it.
    return Math.abs(value) < 2 ** 63 ? value : { '!': 'double', value };
  }
  if (Array.isArray(value)) return value.map(encodable);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (Object.hasOwn(value, '!')) return value;
  return encodableTable(value as Record<string, unknown>);
}
