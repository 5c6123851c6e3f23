/** Sends a message on a channel with confirms. */
import type { ConfirmChannel } from 'amqplib';
import { outgoingHeaders } from './outgoingHeaders.ts';
import type { OutgoingMessage } from './publisher.ts';

/** The untyped part of amqplib's channel that `sendOn` uses. */
interface MessageSender {
  sendMessage(fields: object, properties: object, body: Buffer): unknown;
  pushConfirmCallback(onConfirm: OnConfirm): void;
}

/** Is told of the confirm; a truthy error is a nack. */
type OnConfirm = (error: unknown) => void;

const PERSISTENT = 2;

/**
 * Does what `channel.publish` of amqplib does, which makes an object for each message whose prototype is the header table:
 * that took a fifth of a publisher's processor time (measured).
 * @throws IllegalOperationError if the channel is closing; another error if the message cannot be encoded. Nothing was sent.
 */
export function sendOn(
  channel: ConfirmChannel,
  message: OutgoingMessage,
  onConfirm: OnConfirm,
): void {
  const sender = channel as unknown as MessageSender;
  const fields = {
    exchange: message.exchange,
    routingKey: message.key,
    mandatory: true,
    immediate: false,
    ticket: undefined,
    contentType: message.contentType ?? 'application/json',
    headers: outgoingHeaders(message),
    deliveryMode: PERSISTENT,
    priority: message.priority,
    messageId: message.id,
    type: message.type,
    timestamp: Math.floor(Date.now() / 1_000),
  };
  sender.sendMessage(fields, fields, message.body);
  sender.pushConfirmCallback(onConfirm);
}
