/** Lines → letters in the dead-letter queue, by way of the park exchange. */

import type { Declaration, KindDeclaration } from '@fit/topology';
import { parkExchange } from '@fit/topology';
import type { OutgoingDeadLetter } from '@fit/topology/amqp';
import type { DeskBroker } from './deskBroker.ts';
import { fileLines } from './fileLines.ts';
import type { Letter } from './letter.ts';
import { decodeLetter } from './letterFile.ts';
import { isMatch, type LetterFilter } from './letterFilter.ts';
import { ownHeaders } from './ownHeaders.ts';
import { Progress } from './progress.ts';
import { closeQuietly } from './readBox.ts';
import { Remarks } from './remarks.ts';
import { type Parcel, type SendReport, sendLetters } from './sendLetters.ts';

/** Which letters of which file go where. */
export interface ImportOptions {
  readonly broker: DeskBroker;
  readonly declaration: Declaration;
  /** Undefined: each line's own. */
  readonly kind: KindDeclaration | undefined;
  readonly filter: LetterFilter;
  /** '-' is standard input. */
  readonly path: string;
  readonly limit: number;
  readonly isDryRun: boolean;
  readonly say: (line: string) => void;
}

/** What was imported, and what was not. */
export interface ImportReport {
  /** In the queue now; under a dry run, those that would be. */
  readonly importedCount: number;
  /** Left out by the filter. */
  readonly otherCount: number;
  /** Lines that are no letters. */
  readonly malformedCount: number;
  /** Letters that the broker did not take. */
  readonly refusedCount: number;
  /** By line number; the first 20. */
  readonly problems: readonly string[];
}

/** A letter of a file, and the line it stands on. */
export interface FiledLetter {
  readonly letter: Letter;
  readonly lineNumber: number;
}

const WINDOW_COUNT = 100;
const PATIENCE_MS = 30_000;
/** So many letters in a row that end the connection, and it is not the letters. */
const LOSS_LIMIT = 20;

/**
 * A line that is no letter is named and skipped. Running it again imports a second copy of each letter.
 * @throws where the file cannot be read or the broker is away.
 */
export async function importLetters(options: ImportOptions): Promise<ImportReport> {
  const remarks = new Remarks();
  const tally = { importedCount: 0, otherCount: 0, malformedCount: 0, refusedCount: 0 };
  const progress = new Progress(options.say);
  const parcels = chosen(options, tally, remarks)[Symbol.asyncIterator]();
  if (options.isDryRun) {
    while ((await parcels.next()).done !== true) tally.importedCount += 1;
    return { ...tally, problems: remarks.list() };
  }
  let lostInARow = 0;
  const sendSome = async (some: AsyncIterable<Parcel> | readonly Parcel[], windowCount: number) => {
    const report = await send(some, windowCount, options);
    tally.importedCount += report.sentCount;
    tally.refusedCount += report.leftCount;
    for (const problem of report.problems) remarks.add(problem);
    progress.tick(() => `${tally.importedCount} letters imported`);
    if (report.sentCount > 0) lostInARow = 0;
    return report;
  };
  for (;;) {
    const report = await sendSome(untilDone(parcels), WINDOW_COUNT);
    if (report.end === 'done') return { ...tally, problems: remarks.list() };
    // The broker closes the channel for a letter that it does not like: alone, that one is found, and the rest goes on.
    for (const parcel of report.unanswered) {
      const alone = await sendSome([parcel], 1);
      if (alone.end !== 'lost') continue;
      tally.refusedCount += 1;
      lostInARow += 1;
      remarks.add(`${parcel.id} is not imported: ${alone.lossReason}`);
      if (lostInARow >= LOSS_LIMIT) throw new Error(`nothing is taken: ${alone.lossReason}`);
    }
  }
}

async function send(
  parcels: AsyncIterable<Parcel> | readonly Parcel[],
  windowCount: number,
  options: ImportOptions,
): Promise<SendReport> {
  const post = await options.broker.openPost();
  try {
    return await sendLetters(parcels, {
      post,
      ratePerSecond: undefined,
      windowCount,
      patienceMs: PATIENCE_MS,
      say: options.say,
      onSent: () => false,
    });
  } finally {
    await closeQuietly(post);
  }
}

/** Letters of a file; what is none is told to `onMalformed`. */
export async function* filedLetters(
  path: string,
  declaration: Declaration,
  onMalformed: (line: string) => void,
): AsyncGenerator<FiledLetter> {
  for await (const { number, text } of fileLines(path)) {
    try {
      if (text === undefined) throw new Error('longer than 64 MiB');
      yield { letter: decodeLetter(text, declaration), lineNumber: number };
    } catch (error) {
      onMalformed(`line ${number} is skipped: ${(error as Error).message}`);
    }
  }
}

async function* chosen(
  options: ImportOptions,
  tally: { otherCount: number; malformedCount: number },
  remarks: Remarks,
): AsyncGenerator<Parcel> {
  const { declaration, path, filter } = options;
  let count = 0;
  const letters = filedLetters(path, declaration, (line) => {
    tally.malformedCount += 1;
    remarks.add(line);
    options.say(line);
  });
  for await (const { letter, lineNumber } of letters) {
    const kind = declaration.kinds.find((one) => one.kind === letter.kind);
    const isWanted = options.kind === undefined || options.kind === kind;
    if (kind === undefined || !isWanted || !isMatch(letter, filter)) {
      tally.otherCount += 1;
      continue;
    }
    yield {
      id: `line ${lineNumber} (${letter.id})`,
      letter: parked(letter, kind),
      settle: () => undefined,
    };
    count += 1;
    if (count >= options.limit) return;
  }
}

/** The park exchange leads to the dead-letter queue whatever the key, which the letter therefore keeps. */
function parked(letter: Letter, kind: KindDeclaration): OutgoingDeadLetter {
  const { key, body, headers, properties } = letter;
  return {
    exchange: parkExchange(kind.queue),
    key,
    body,
    properties,
    headers: ownHeaders(headers),
  };
}

/** A loop that breaks off would end the generator; the next connection goes on where this one stopped. */
function untilDone(parcels: AsyncIterator<Parcel>): AsyncIterable<Parcel> {
  return { [Symbol.asyncIterator]: () => ({ next: () => parcels.next() }) };
}
