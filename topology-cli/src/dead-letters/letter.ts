/** A dead letter, read without trusting it. */
import { createHash } from 'node:crypto';
import type { Headers, KindDeclaration } from '@fit/topology';
import { type DeathCause, describeDeath } from '@fit/topology';
import type { DeadLetterDelivery, DeadLetterProperties } from '@fit/topology/amqp';
import { type DeathStep, plausibleTime, readDeathHistory } from './deathHistory.ts';

/** A letter, read: what it is of, why it is here, when it died. */
export interface Letter {
  /** The message id; `body-` and 12 hex digits where the sender set none. */
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  /** The exchange it came through last: `<queue>.park`, `<queue>.retry`, ... */
  readonly exchange: string;
  readonly cause: DeathCause;
  /** From the worker's own headers; the cause, where it wrote none. */
  readonly errorClass: string;
  readonly message: string;
  readonly fingerprint: string;
  /** The newest time that the letter names; undefined where it names none. */
  readonly diedAt: Date | undefined;
  readonly deaths: readonly DeathStep[];
  /** All of them, the broker's too. */
  readonly headers: Headers;
  readonly properties: DeadLetterProperties;
  readonly body: Buffer;
  /** Why the headers are missing; such a letter can be looked at, but not be sent on. */
  readonly unreadableReason: string | undefined;
}

/** What is needed of a delivery to read it. */
export type RawLetter = Pick<
  DeadLetterDelivery,
  'body' | 'routingKey' | 'exchange' | 'headers' | 'properties' | 'unreadableReason'
>;

/** Never throws: a letter that defies reading has its reason in `unreadableReason`. */
export function readLetter(kind: KindDeclaration, raw: RawLetter): Letter {
  try {
    return read(kind, raw, raw.headers);
  } catch (error) {
    const unreadableReason = error instanceof Error ? error.message : String(error);
    return read(kind, { ...raw, unreadableReason, properties: {} }, {});
  }
}

function read(kind: KindDeclaration, raw: RawLetter, headers: Headers): Letter {
  const { body, routingKey: key, exchange, properties } = raw;
  const { cause, errorClass, message, fingerprint } = describeDeath(kind, key, headers);
  const deaths = readDeathHistory(headers);
  return {
    id: properties.messageId ?? idOfBody(key, body),
    kind: kind.kind,
    key,
    exchange,
    cause,
    errorClass,
    message,
    fingerprint,
    diedAt: diedAtOf(properties, deaths),
    deaths,
    headers,
    properties,
    body,
    unreadableReason: raw.unreadableReason,
  };
}

/** x-death names the first death of each sort only, and the timestamp is the parking worker's: the newest is nearest. */
function diedAtOf(
  properties: DeadLetterProperties,
  deaths: readonly DeathStep[],
): Date | undefined {
  const { timestamp } = properties;
  const times = [
    ...deaths.map(({ firstAt }) => plausibleTime(firstAt)),
    plausibleTime(typeof timestamp === 'number' ? timestamp * 1_000 : undefined),
  ].flatMap((time) => (time === undefined ? [] : [time.getTime()]));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

function idOfBody(key: string, body: Buffer): string {
  const hash = createHash('sha256').update(`${key}\n`).update(body).digest('hex');
  return `body-${hash.slice(0, 12)}`;
}
