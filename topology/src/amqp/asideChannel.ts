/** Publishes messages whose loss matters to nobody on a channel of their own. */
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { closeChannel } from './openConnection.ts';
import type { SessionEvent } from './openSession.ts';
import type { OutgoingMessage, PublishEnd } from './publisher.ts';
import { sendOn } from './sendOn.ts';

type OnOutcome = (outcome: PublishEnd['outcome']) => void;

/** Milliseconds after which a refused exchange is tried again. */
const REFUSED_MS = 30_000;

/** Which messages are published aside. */
export interface AsideOptions {
  /** Exchange whose messages go by this channel. */
  readonly exchange: string;
  /** Milliseconds until a missing confirm ends a message as `timeout`. */
  readonly confirmTimeoutMs: number;
  /** Is told once, as `channelFailed`, that the broker refuses the exchange; again only after a confirm. Must not throw. */
  readonly onEvent?: ((event: SessionEvent) => void) | undefined;
}

/**
 * A broker closes the channel that publishes to a missing exchange (404) or without the right to do so (403), with all that
 * is unconfirmed on it. Here that ends no other message. Nothing more is sent then until the topology is asserted again, or
 * for 30 seconds.
 */
export class AsideChannel {
  readonly #options: AsideOptions;
  readonly #pending = new Set<OnOutcome>();
  #model: ChannelModel | undefined;
  #channel: Promise<ConfirmChannel> | undefined;
  #refusedUntilMs = -Infinity;
  #hasWarned = false;

  constructor(options: AsideOptions) {
    this.#options = options;
  }

  get exchange(): string {
    return this.#options.exchange;
  }

  /** The topology was asserted on this connection, which is used from now on. */
  use(model: ChannelModel): void {
    if (this.#model !== model) this.#channel = undefined;
    this.#model = model;
    this.#refusedUntilMs = -Infinity;
  }

  /** @param onOutcome is called once. */
  send(message: OutgoingMessage, onOutcome: OnOutcome): void {
    const timer = setTimeout(() => {
      settle('timeout');
    }, this.#options.confirmTimeoutMs);
    const settle: OnOutcome = (outcome) => {
      clearTimeout(timer);
      if (this.#pending.delete(settle)) onOutcome(outcome);
    };
    this.#pending.add(settle);
    void this.#send(message, settle);
  }

  /** Ends what is unconfirmed, and closes the channel. */
  async close(): Promise<void> {
    this.#model = undefined;
    this.#settleAll();
    const channel = await this.#channel?.catch(() => undefined);
    if (channel !== undefined) await closeChannel(channel);
  }

  async #send(message: OutgoingMessage, settle: OnOutcome): Promise<void> {
    const model = this.#model;
    if (model === undefined || performance.now() < this.#refusedUntilMs) {
      settle('error');
      return;
    }
    this.#channel ??= this.#open(model);
    const opening = this.#channel;
    try {
      const channel = await opening;
      sendOn(channel, message, (error) => {
        if (!error) this.#hasWarned = false;
        settle(error ? 'nacked' : 'confirmed');
      });
    } catch {
      // A channel that could not be opened, or is closing; or a message that cannot be encoded.
      if (this.#channel === opening) this.#channel = undefined;
      settle('error');
    }
  }

  async #open(model: ChannelModel): Promise<ConfirmChannel> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => {
      this.#refuse(error);
    });
    // This listener must run before amqplib's own, which would report every lost confirm as a nack.
    channel.prependListener('close', () => {
      if (this.#model !== model) return;
      this.#channel = undefined;
      this.#settleAll();
    });
    return channel;
  }

  #refuse(error: Error): void {
    this.#refusedUntilMs = performance.now() + REFUSED_MS;
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { exchange, onEvent } = this.#options;
    const text = `nothing can be published to '${exchange}', so exhausted dead letters have no error: ${error.message}`;
    onEvent?.({ type: 'channelFailed', error: new Error(text, { cause: error }) });
  }

  #settleAll(): void {
    for (const settle of [...this.#pending]) settle('error');
  }
}
