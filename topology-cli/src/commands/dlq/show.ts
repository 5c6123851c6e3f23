/** `dlq show ID`: one letter whole. */
import { inspect } from 'node:util';
import type { Context } from '../../command.ts';
import { journeyLines } from '../../dead-letters/deathHistory.ts';
import { deskBroker } from '../../dead-letters/deskBroker.ts';
import type { Letter } from '../../dead-letters/letter.ts';
import { lookThrough } from '../../dead-letters/lookThrough.ts';
import { holdLimitOf, kindsOf, wordOf } from './options.ts';
import { plain, plainLines } from './print.ts';

const BODY_LIMIT_CHARS = 4_000;
const HEADER_LIMIT = 50;
const VALUE_LIMIT_CHARS = 300;

export async function runShow(context: Context): Promise<number> {
  const id = wordOf(context, 'the ID of a letter, as ls names it,');
  const letter = await find(context, id);
  if (letter === undefined) {
    if (context.isJson) context.print(JSON.stringify({ letter: null }));
    context.say(
      `no letter '${plain(id)}' was found; it may lie behind the letters looked at (--look)`,
    );
    return 2;
  }
  const isFull = context.values['full'] === true;
  if (context.isJson) context.print(JSON.stringify({ letter: documentOf(letter) }));
  else for (const line of lines(letter, isFull)) context.print(line);
  return 0;
}

/** The first of that id: copies of one message share it. */
async function find(context: Context, id: string): Promise<Letter | undefined> {
  for (const kind of kindsOf(context)) {
    let found: Letter | undefined;
    await lookThrough({
      broker: deskBroker(context.amqpUrl),
      kind,
      say: context.say,
      holdLimit: holdLimitOf(context),
      needsBody: (letter) => letter.id === id,
      onStart: () => (found = undefined),
      onLetter: (letter) => {
        if (letter.id === id) found = letter;
        return found !== undefined;
      },
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

function lines(letter: Letter, isFull: boolean): string[] {
  const { id, kind, key, exchange, cause, errorClass, message, diedAt, unreadableReason } = letter;
  return [
    `${plain(id, 300)}  (${kind})`,
    `cause      ${cause}${errorClass === cause ? '' : `  ${plain(errorClass)}: ${plain(message, 500)}`}`,
    `died       ${diedAt?.toISOString() ?? 'at an unknown time'}  fingerprint ${letter.fingerprint}`,
    `came by    ${plain(exchange)}  key ${plain(key, 255)}`,
    ...(unreadableReason === undefined ? [] : [`headers cannot be read: ${unreadableReason}`]),
    ...section('properties', valueLines(letter.properties, isFull)),
    ...section(
      'deaths',
      journeyLines(letter.deaths).map((line) => plain(line, 600)),
    ),
    ...section('headers', valueLines(letter.headers, isFull)),
    ...section('body', bodyLines(letter.body, isFull)),
  ];
}

function section(title: string, content: readonly string[]): string[] {
  return content.length === 0 ? [] : [title, ...content.map((line) => `  ${line}`)];
}

function valueLines(values: object, isFull: boolean): string[] {
  const entries = Object.entries(values) as [string, unknown][];
  const shown = isFull ? entries : entries.slice(0, HEADER_LIMIT);
  const lengthChars = isFull ? Infinity : VALUE_LIMIT_CHARS;
  const rest = entries.length - shown.length;
  return [
    ...shown.map(([name, value]) => `${plain(name, 255)}: ${plain(valueText(value), lengthChars)}`),
    ...(rest === 0 ? [] : [`... and ${rest} more (--full)`]),
  ];
}

function valueText(value: unknown): string {
  // Bounded in depth and length, whatever a client sent.
  return typeof value === 'string'
    ? value
    : inspect(value, { depth: 6, breakLength: Infinity, maxArrayLength: 100 });
}

function bodyLines(body: Buffer, isFull: boolean): string[] {
  const { text, form } = bodyText(body);
  const isCut = !isFull && text.length > BODY_LIMIT_CHARS;
  const shown = isCut ? text.slice(0, BODY_LIMIT_CHARS) : text;
  return [
    `${body.length} bytes, ${form}`,
    ...plainLines(shown).split('\n'),
    ...(isCut ? [`... cut after ${BODY_LIMIT_CHARS} of ${text.length} characters (--full)`] : []),
  ];
}

/** JSON where it is, else the text it is, else base64. */
function bodyText(body: Buffer): { text: string; form: string } {
  const text = body.toString();
  if (!Buffer.from(text).equals(body)) return { text: body.toString('base64'), form: 'base64' };
  try {
    return { text: JSON.stringify(JSON.parse(text), null, 2), form: 'JSON' };
  } catch {
    return { text, form: 'text' };
  }
}

function documentOf(letter: Letter): object {
  const { body, headers, ...rest } = letter;
  const { text, form } = bodyText(body);
  return { ...rest, headers: printable(headers), bodyForm: form, body: text };
}

/** Anyone may nest a table deeper than JSON.stringify can follow. */
function printable(headers: Letter['headers']): unknown {
  try {
    JSON.stringify(headers);
    return headers;
  } catch (error) {
    return { unprintable: (error as Error).message };
  }
}
