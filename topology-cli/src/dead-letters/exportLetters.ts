/** Letters of one kind → lines. Without taking, a look; with it, each letter is acked once its line is on the disk. */

import type { KindDeclaration } from '@fit/topology';
import { deadLetterQueue } from '@fit/topology';
import type { DeadLetterDelivery } from '@fit/topology/amqp';
import type { DeskBroker } from './deskBroker.ts';
import { readLetter } from './letter.ts';
import { encodeLetter } from './letterFile.ts';
import { isMatch, type LetterFilter } from './letterFilter.ts';
import type { LetterSink } from './letterSink.ts';
import { lostLine } from './lookThrough.ts';
import { Progress } from './progress.ts';
import { type BoxEnd, closeQuietly, type Reading, readBox } from './readBox.ts';
import { Remarks } from './remarks.ts';

/** Which letters go into which file. */
export interface ExportOptions {
  readonly broker: DeskBroker;
  readonly kind: KindDeclaration;
  readonly filter: LetterFilter;
  readonly sink: LetterSink;
  /** True: what is written is taken out of the queue. */
  readonly isTaking: boolean;
  /** Letters to write at most. */
  readonly limit: number;
  readonly holdLimit: number;
  readonly say: (line: string) => void;
}

/** What was exported, and what was not. */
export interface ExportReport {
  readonly kind: string;
  readonly exportedCount: number;
  /** Left out by the filter. */
  readonly otherCount: number;
  /** Could not be written without loss; they stay in the queue. */
  readonly skippedCount: number;
  /** The letters skipped, and whatever else went wrong; the first 20. */
  readonly problems: readonly string[];
  /** True: there are letters behind those that were looked at. */
  readonly hasMore: boolean;
  /** True: the reader broke each time, and letters behind that place are missing. */
  readonly isBroken: boolean;
}

const TRY_LIMIT = 3;
const BATCH_COUNT = 100;
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * A kill between the flush and the ack writes a letter twice, and loses none.
 * @throws where the file cannot be written: nothing is acked that is not in it.
 */
export async function exportLetters(options: ExportOptions): Promise<ExportReport> {
  const { kind, sink, isTaking, say } = options;
  const queue = deadLetterQueue(kind.queue);
  const mark = sink.mark();
  let exportedCount = 0;
  for (let attempt = 1; ; attempt += 1) {
    const round = new ExportRound(options, { doneCount: exportedCount, isCareful: attempt > 1 });
    const end = await round.run(queue);
    exportedCount += round.exportedCount;
    const isLost = end.end === 'lost';
    if (isLost) say(lostLine(queue, end));
    // What was taken is gone from the queue; what was only copied comes again from the first letter on.
    const canGoOn = isLost && attempt < TRY_LIMIT && (isTaking || (await sink.rewind(mark)));
    if (canGoOn && !isTaking) exportedCount = 0;
    if (canGoOn) continue;
    if (isLost) round.remarks.add(lostLine(queue, end));
    return {
      kind: kind.kind,
      exportedCount,
      otherCount: round.otherCount,
      skippedCount: round.skippedCount,
      problems: round.remarks.list(),
      hasMore: end.end === 'full',
      isBroken: isLost,
    };
  }
}

/** One way through the queue. */
class ExportRound {
  readonly #options: ExportOptions;
  readonly #start: { readonly doneCount: number; readonly isCareful: boolean };
  readonly #progress: Progress;
  #batch: { readonly line: string; readonly held: DeadLetterDelivery }[] = [];
  #batchBytes = 0;
  readonly remarks = new Remarks();
  exportedCount = 0;
  otherCount = 0;
  skippedCount = 0;

  /** @param start careful: a letter at a time, since the connection was lost before with a batch in the hand. */
  constructor(
    options: ExportOptions,
    start: { readonly doneCount: number; readonly isCareful: boolean },
  ) {
    this.#options = options;
    this.#start = start;
    this.#progress = new Progress(options.say);
  }

  async run(queue: string): Promise<BoxEnd> {
    const { broker, holdLimit } = this.#options;
    if (this.#remaining() <= 0)
      return { end: 'enough', seenCount: 0, behindCount: undefined, reason: '' };
    const box = await broker.openBox(queue);
    try {
      const end = await readBox(box, holdLimit, (held) => this.#take(held));
      if (end.end !== 'lost' || !this.#options.isTaking) await this.#flush();
      return end;
    } finally {
      await closeQuietly(box);
    }
  }

  async #take(held: DeadLetterDelivery): Promise<Reading> {
    const { kind, filter, isTaking } = this.#options;
    const letter = readLetter(kind, held);
    if (!isMatch(letter, filter)) {
      this.otherCount += 1;
      return 'hold';
    }
    try {
      const line = encodeLetter(letter);
      this.#batch.push({ line, held });
      this.#batchBytes += line.length;
    } catch (error) {
      this.skippedCount += 1;
      this.remarks.add(`${letter.id} is skipped: ${(error as Error).message}`);
      return 'hold';
    }
    const isLast = this.#remaining() <= 0;
    if (isLast || this.#isBatchFull()) await this.#flush();
    if (isLast) return 'enough';
    return isTaking ? 'settled' : 'hold';
  }

  #remaining(): number {
    const doneCount = this.#start.doneCount * Number(this.#options.isTaking);
    return this.#options.limit - doneCount - this.exportedCount - this.#batch.length;
  }

  #isBatchFull(): boolean {
    const limit = this.#start.isCareful ? 1 : BATCH_COUNT;
    return this.#batch.length >= limit || this.#batchBytes >= BATCH_BYTES;
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#options.sink.write(batch.map(({ line }) => line));
    // Only now: until its line is on the disk, the letter on the broker is the only copy.
    if (this.#options.isTaking) for (const { held } of batch) held.ack();
    this.exportedCount += batch.length;
    this.#progress.tick(() => `${this.#options.kind.kind}: ${this.exportedCount} letters written`);
  }
}
