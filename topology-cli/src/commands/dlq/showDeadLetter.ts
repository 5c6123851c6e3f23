/** `topology dlq show ID`: one dead letter in full. */
import { inspect } from 'node:util';
import { type CommandContext, EXIT_DIFFERENT, UsageError } from '../../command.ts';
import { browseDeadLetters, deadLetterBroker } from '../../dead-letters/browseDeadLetters.ts';
import { deathLines, type ParsedDeadLetter } from '../../dead-letters/parsedDeadLetter.ts';
import { chosenKinds, readLimitOption } from './dlqOptions.ts';
import { multiLine, singleLine } from './terminalText.ts';

const BODY_LIMIT_CHARS = 4_000;
const HEADER_LIMIT = 50;
const VALUE_LIMIT_CHARS = 300;

export async function showDeadLetter(context: CommandContext): Promise<number> {
  const [id, ...others] = context.positionals;
  if (id === undefined || id === '') throw new UsageError('give the ID of a dead letter, see ls');
  if (others.length > 0) throw new UsageError(`'${others.join(' ')}' is too much: give one ID`);
  const deadLetter = await findDeadLetter(context, id);
  if (deadLetter === undefined) {
    if (context.isJson) context.print(JSON.stringify({ deadLetter: null }));
    context.log(
      `no dead letter '${singleLine(id)}' was found; it may lie behind those that were read (--read-limit)`,
    );
    return EXIT_DIFFERENT;
  }
  const isFull = context.options['full'] === true;
  if (context.isJson) context.print(JSON.stringify({ deadLetter: jsonDocument(deadLetter) }));
  else for (const line of deadLetterLines(deadLetter, isFull)) context.print(line);
  return 0;
}

/** @returns the first dead letter of that id: copies of one message share it. */
async function findDeadLetter(
  context: CommandContext,
  id: string,
): Promise<ParsedDeadLetter | undefined> {
  for (const kind of chosenKinds(context)) {
    let found: ParsedDeadLetter | undefined;
    const broker = deadLetterBroker(context.amqpUrl);
    await browseDeadLetters({
      broker,
      kind,
      notes: await broker.readNotes(kind.queue, context.log),
      log: context.log,
      readLimit: readLimitOption(context),
      needsBody: (deadLetter) => deadLetter.id === id,
      onStart: () => (found = undefined),
      onDeadLetter: (deadLetter) => {
        if (deadLetter.id !== id) return 'continue';
        found = deadLetter;
        return 'stop';
      },
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

function deadLetterLines(deadLetter: ParsedDeadLetter, isFull: boolean): string[] {
  const { id, kind, key, exchange, cause, errorClass, message, diedAt } = deadLetter;
  const { attempt, notedAt, stack } = deadLetter;
  const error =
    errorClass === cause ? '' : `  ${singleLine(errorClass)}: ${singleLine(message, 500)}`;
  const { unreadableReason, fingerprint, properties, headers, deaths, body } = deadLetter;
  return [
    `${singleLine(id, 300)}  (${kind})`,
    `cause      ${cause}${error}`,
    ...(attempt === undefined ? [] : [`attempt    ${attempt}${notedText(notedAt)}`]),
    `died       ${diedAt?.toISOString() ?? 'at an unknown time'}  fingerprint ${fingerprint}`,
    `came by    ${singleLine(exchange)}  key ${singleLine(key, 255)}`,
    ...(unreadableReason === undefined ? [] : [`headers cannot be read: ${unreadableReason}`]),
    // A fatal dead letter has its stack among its headers.
    ...section('stack', notedAt === undefined || stack === undefined ? [] : stackLines(stack)),
    ...section('properties', valueLines(properties, isFull)),
    ...section(
      'deaths',
      deathLines(deaths).map((line) => singleLine(line, 600)),
    ),
    ...section('headers', valueLines(headers, isFull)),
    ...section('body', bodyLines(body, isFull)),
  ];
}

function notedText(notedAt: Date | undefined): string {
  return notedAt === undefined ? '' : `, failed ${notedAt.toISOString()}`;
}

function stackLines(stack: string): string[] {
  return multiLine(stack).split('\n');
}

function section(title: string, content: readonly string[]): string[] {
  return content.length === 0 ? [] : [title, ...content.map((line) => `  ${line}`)];
}

function valueLines(values: object, isFull: boolean): string[] {
  const entries = Object.entries(values) as [string, unknown][];
  const shown = isFull ? entries : entries.slice(0, HEADER_LIMIT);
  const limitChars = isFull ? Infinity : VALUE_LIMIT_CHARS;
  const omittedCount = entries.length - shown.length;
  return [
    ...shown.map(
      ([name, value]) => `${singleLine(name, 255)}: ${singleLine(valueText(value), limitChars)}`,
    ),
    ...(omittedCount === 0 ? [] : [`... and ${omittedCount} more (--full)`]),
  ];
}

/** Bounded in depth and length, because a client can send any header. */
function valueText(value: unknown): string {
  return typeof value === 'string'
    ? value
    : inspect(value, { depth: 6, breakLength: Infinity, maxArrayLength: 100 });
}

function bodyLines(body: Buffer, isFull: boolean): string[] {
  const { text, format } = bodyText(body);
  const isCut = !isFull && text.length > BODY_LIMIT_CHARS;
  const shown = isCut ? text.slice(0, BODY_LIMIT_CHARS) : text;
  return [
    `${body.length} bytes, ${format}`,
    ...multiLine(shown).split('\n'),
    ...(isCut ? [`... cut after ${BODY_LIMIT_CHARS} of ${text.length} characters (--full)`] : []),
  ];
}

/** @returns formatted JSON, else the text, else base64 if the body is not text. */
function bodyText(body: Buffer): { text: string; format: string } {
  const text = body.toString();
  if (!Buffer.from(text).equals(body)) return { text: body.toString('base64'), format: 'base64' };
  try {
    return { text: JSON.stringify(JSON.parse(text), null, 2), format: 'JSON' };
  } catch {
    return { text, format: 'text' };
  }
}

function jsonDocument({ body, headers, ...rest }: ParsedDeadLetter): object {
  const { text, format } = bodyText(body);
  return { ...rest, headers: serializable(headers), bodyFormat: format, body: text };
}

/** A client can nest a table deeper than JSON.stringify can follow. */
function serializable(headers: ParsedDeadLetter['headers']): unknown {
  try {
    JSON.stringify(headers);
    return headers;
  } catch (error) {
    return { unprintable: (error as Error).message };
  }
}
