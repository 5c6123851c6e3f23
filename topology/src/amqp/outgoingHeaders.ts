/** The headers that a published message is sent with. */
import type { OutgoingMessage } from './publisher.ts';

const NO_HEADERS: NonNullable<OutgoingMessage['headers']> = Object.freeze({});

/**
 * @returns the headers without those that would steer the broker; the same object where there are none.
 * @throws TypeError if a header is a number that no broker takes.
 */
export function outgoingHeaders({
  headers = NO_HEADERS,
}: OutgoingMessage): Readonly<Record<string, unknown>> {
  let isClean = true;
  for (const name in headers) {
    const value = headers[name];
    // RabbitMQ cannot read such a number, and ends the connection with an internal error (541, measured on 3.10.8).
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new TypeError(`the header ${name} is ${value}, which no broker takes`);
    if (STEERING_NAME.test(name)) isClean = false;
  }
  if (isClean) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !STEERING_NAME.test(name)));
}

const STEERING_NAME = /^(x-|cc$|bcc$)/i;
