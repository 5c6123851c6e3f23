/** A message of a dead-letter queue, parsed for an operator. Clients can write anything, so nothing in it is trusted. */
import { createHash } from 'node:crypto';
import {
  type DeathDescription,
  type DeathNote,
  type DeathRecord,
  deathIdentity,
  describeDeath,
  type Headers,
  type KindDeclaration,
  noteIdOf,
  readDeaths,
} from '@fit/topology';
import type { DeadLetterDelivery, DeadLetterProperties } from '@fit/topology/amqp';

export interface ParsedDeadLetter extends DeathDescription {
  /** The message id; `body-` and 12 hexadecimal digits if the sender set none. */
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  /** Exchange that routed the message to the dead-letter queue, such as `<queue>.park`. */
  readonly exchange: string;
  /** The newest time that the message names; undefined if it names none. */
  readonly diedAt: Date | undefined;
  /** When the worker wrote the note with the error; undefined without a note. */
  readonly notedAt: Date | undefined;
  /** As `deathIdentity`: of two dead letters of one death. */
  readonly identity: string | undefined;
  /** Records of the broker's `x-death` header. */
  readonly deaths: readonly DeathRecord[];
  /** All headers, those of the broker included. */
  readonly headers: Headers;
  readonly properties: DeadLetterProperties;
  readonly body: Buffer;
  /** Why the headers are missing; such a message can be shown, but not be replayed. Undefined if they were readable. */
  readonly unreadableReason: string | undefined;
}

/** The fields of a delivery that `parseDeadLetter` uses. */
export type DeadLetterSource = Pick<
  DeadLetterDelivery,
  'body' | 'routingKey' | 'exchange' | 'headers' | 'properties' | 'unreadableReason'
>;

/** RabbitMQ was first released in 2007, so an earlier time is nonsense that a client wrote. */
const EARLIEST_MS = Date.UTC(2007, 0, 1);
const LATEST_MS = Date.UTC(2200, 0, 1);

/** @returns the dead letter with what the note of its message says about an exhausted one. */
export function explained(
  kind: KindDeclaration,
  deadLetter: ParsedDeadLetter,
  notes: ReadonlyMap<string, DeathNote>,
): ParsedDeadLetter {
  const note = notes.get(noteIdOf(deadLetter.id));
  if (note === undefined || deadLetter.cause !== 'exhausted') return deadLetter;
  return {
    ...deadLetter,
    ...describeDeath(kind, deadLetter.key, deadLetter.headers, note),
    notedAt: note.at,
  };
}

/** Never throws: the reason of a message that cannot be parsed is in `unreadableReason`. */
export function parseDeadLetter(kind: KindDeclaration, source: DeadLetterSource): ParsedDeadLetter {
  try {
    return parse(kind, source);
  } catch (error) {
    const unreadableReason = error instanceof Error ? error.message : String(error);
    return parse(kind, { ...source, unreadableReason, headers: {}, properties: {} });
  }
}

/** @returns one line per death, the oldest first. */
export function deathLines(deaths: readonly DeathRecord[]): string[] {
  return deaths
    .map(({ firstAtMs, ...death }) => ({ ...death, firstAt: plausibleTime(firstAtMs) }))
    .sort((a, b) => (a.firstAt?.getTime() ?? 0) - (b.firstAt?.getTime() ?? 0))
    .map(({ queue, reason, count, firstAt, routingKeys }) => {
      const times = count === 1 ? 'once' : `${count} times, first`;
      const keys = routingKeys.length === 0 ? '' : `  key ${routingKeys.join(', ')}`;
      return `${firstAt?.toISOString() ?? 'at an unknown time'}  ${queue}: ${reason} ${times}${keys}`;
    });
}

function parse(kind: KindDeclaration, source: DeadLetterSource): ParsedDeadLetter {
  const { body, routingKey: key, exchange, headers, properties, unreadableReason } = source;
  const deaths = readDeaths(headers);
  return {
    ...describeDeath(kind, key, headers),
    id: properties.messageId ?? idOfBody(key, body),
    kind: kind.kind,
    key,
    exchange,
    diedAt: diedAtOf(properties, deaths),
    notedAt: undefined,
    identity: deathIdentity({ messageId: properties.messageId, headers, body }),
    deaths,
    headers,
    properties,
    body,
    unreadableReason,
  };
}

/**
 * `x-death` holds the first time of each kind of death only, and the timestamp is that of the worker that dead-lettered
 * the message, so the newest of them is the nearest to the last death.
 */
function diedAtOf(
  { timestamp }: DeadLetterProperties,
  deaths: readonly DeathRecord[],
): Date | undefined {
  const times = [
    ...deaths.map(({ firstAtMs }) => plausibleTime(firstAtMs)),
    plausibleTime(timestamp === undefined ? undefined : timestamp * 1_000),
  ].flatMap((time) => (time === undefined ? [] : [time.getTime()]));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

function plausibleTime(timeMs: number | undefined): Date | undefined {
  if (timeMs === undefined || !(timeMs >= EARLIEST_MS && timeMs <= LATEST_MS)) return undefined;
  return new Date(timeMs);
}

function idOfBody(key: string, body: Buffer): string {
  const hash = createHash('sha256').update(`${key}\n`).update(body).digest('hex');
  return `body-${hash.slice(0, 12)}`;
}
