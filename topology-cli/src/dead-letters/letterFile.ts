/** Letters as lines of JSON: what an export writes, and an import or a replay reads. */

import type { Declaration, KindDeclaration } from '@fit/topology';
import { DEATH_CAUSES, tierOfKey } from '@fit/topology';
import type { DeadLetterProperties } from '@fit/topology/amqp';
import { plausibleTime, stepsIn } from './deathHistory.ts';
import { headerFromJson, headerToJson } from './headerJson.ts';
import { type Letter, readLetter } from './letter.ts';
import { DESK_HEADER, filedHeaders, ownHeaders } from './ownHeaders.ts';

/** A line that is no letter, or a letter that makes no line; the message says why. */
export class LetterFileError extends Error {
  override readonly name = 'LetterFileError';
}

/**
 * `{id, kind, key, exchange, cause, diedAt?, deaths, headers, properties}` and `body`, where it is JSON and comes back
 * from JSON byte for byte, otherwise `bodyBase64`. Own headers only; their values keep their AMQP types.
 * @returns one line, without its end.
 * @throws LetterFileError where the letter cannot be written without loss.
 */
export function encodeLetter(letter: Letter): string {
  const { id, kind, key, exchange, cause, diedAt, deaths, properties } = letter;
  if (letter.unreadableReason !== undefined)
    throw new LetterFileError(`its headers cannot be read (${letter.unreadableReason})`);
  const head = {
    id,
    kind,
    key,
    exchange,
    cause,
    ...(diedAt === undefined ? {} : { diedAt: diedAt.toISOString() }),
    deaths,
    headers: jsonHeaders(letter),
    properties,
  };
  return lineWithJson(head, letter.body) ?? lineWithBytes(head, letter.body);
}

/**
 * @returns the letter as it will be once it is imported: its cause, time and history in own headers.
 * @throws LetterFileError
 */
export function decodeLetter(line: string, declaration: Declaration): Letter {
  const fields = fieldsOf(parsed(line), 'the line');
  const key = textIn(fields, 'key');
  const kind = kindOf(fields['kind'], key, declaration);
  const exchange = typeof fields['exchange'] === 'string' ? fields['exchange'] : '';
  return readLetter(kind, {
    routingKey: key,
    exchange,
    body: bodyIn(fields),
    unreadableReason: undefined,
    properties: propertiesIn(fields['properties'] ?? {}),
    headers: { ...headersIn(fields['headers'] ?? {}), ...derivedHeaders(fields) },
  });
}

function lineWithJson(head: object, body: Buffer): string | undefined {
  const text = body.toString();
  try {
    const value = JSON.parse(text) as unknown;
    if (JSON.stringify(value) !== text || !Buffer.from(text).equals(body)) return undefined;
    return JSON.stringify({ ...head, body: value });
  } catch {
    // No JSON, or JSON nested too deep to be written again.
    return undefined;
  }
}

function lineWithBytes(head: object, body: Buffer): string {
  return JSON.stringify({ ...head, bodyBase64: body.toString('base64') });
}

function jsonHeaders(letter: Letter): unknown {
  try {
    return headerToJson(filedHeaders(letter.headers));
  } catch (error) {
    throw new LetterFileError(`its headers cannot be written: ${(error as Error).message}`);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new LetterFileError(`no JSON: ${(error as Error).message}`);
  }
}

/** By its name, else by its key: a file may have been made by hand. */
function kindOf(name: unknown, key: string, declaration: Declaration): KindDeclaration {
  const kind = declaration.kinds.find((one) =>
    name === undefined ? tierOfKey(one, key) !== undefined : one.kind === name,
  );
  if (kind !== undefined) return kind;
  const known = declaration.kinds.map((one) => one.kind).join(', ');
  throw new LetterFileError(
    name === undefined
      ? `the key '${key}' is of none of the kinds ${known}; add a field "kind"`
      : `the kind ${JSON.stringify(name)} is none of ${known}`,
  );
}

function bodyIn(fields: Readonly<Record<string, unknown>>): Buffer {
  const { bodyBase64 } = fields;
  if (Object.hasOwn(fields, 'body')) return Buffer.from(JSON.stringify(fields['body']));
  if (typeof bodyBase64 !== 'string') throw new LetterFileError('neither "body" nor "bodyBase64"');
  const body = Buffer.from(bodyBase64, 'base64');
  // Buffer skips what is not base64; a letter must not shrink unseen.
  if (body.toString('base64') !== bodyBase64)
    throw new LetterFileError('"bodyBase64" is no base64');
  return body;
}

const TEXT_PROPERTIES = [
  ...(['messageId', 'correlationId', 'contentType', 'contentEncoding', 'replyTo'] as const),
  ...(['type', 'appId', 'userId', 'expiration'] as const),
];
const NUMBER_PROPERTIES = ['priority', 'deliveryMode', 'timestamp'] as const;

function propertiesIn(value: unknown): DeadLetterProperties {
  const fields = fieldsOf(value, '"properties"');
  const wrong = [
    ...TEXT_PROPERTIES.filter((name) => !['string', 'undefined'].includes(typeof fields[name])),
    ...NUMBER_PROPERTIES.filter((name) => !['number', 'undefined'].includes(typeof fields[name])),
  ];
  if (wrong.length > 0)
    throw new LetterFileError(`the property ${wrong.join(', ')} has the wrong type`);
  const names = [...TEXT_PROPERTIES, ...NUMBER_PROPERTIES];
  return Object.fromEntries(
    names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  );
}

/** Written by hand, they may hold what steers the broker: that is not own. */
function headersIn(value: unknown): Record<string, unknown> {
  try {
    return ownHeaders(fieldsOf(headerFromJson(value), '"headers"'));
  } catch (error) {
    throw new LetterFileError((error as Error).message);
  }
}

function derivedHeaders(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  const cause = DEATH_CAUSES.find((known) => known === fields['cause']);
  const diedAt = plausibleTime(fields['diedAt']);
  const deaths = stepsIn(fields['deaths']);
  return {
    ...(cause === undefined ? {} : { [DESK_HEADER.cause]: cause }),
    ...(diedAt === undefined ? {} : { [DESK_HEADER.diedAt]: diedAt.toISOString() }),
    ...(deaths.length === 0 ? {} : { [DESK_HEADER.history]: JSON.stringify(deaths) }),
  };
}

function textIn(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw new LetterFileError(`"${name}" must be a text`);
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new LetterFileError(`${what} must be an object`);
}
