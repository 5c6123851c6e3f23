/** Replays letters of a file: what an export with --take took out of the queue, for instance. */
import { appendFile, readFile } from 'node:fs/promises';
import { deadLetterQueue } from '@fit/topology';
import type { DeadLetterReader } from '@fit/topology/amqp';
import { filedLetters } from './importLetters.ts';
import { readLetter } from './letter.ts';
import { isMatch } from './letterFilter.ts';
import { LetterGroups } from './letterGroups.ts';
import { replayMark } from './ownHeaders.ts';
import { Progress } from './progress.ts';
import { closeQuietly, readBox } from './readBox.ts';
import { Remarks } from './remarks.ts';
import {
  type ReplayEnd,
  type ReplayOptions,
  type ReplayReport,
  replayed,
} from './replayOptions.ts';
import { type Parcel, type SendReport, sendLetters } from './sendLetters.ts';
import { TailWatch } from './tailWatch.ts';

const WINDOW_COUNT = 50;
const PATIENCE_MS = 60_000;

/** What `<file>.done` says: which lines were confirmed already. */
export class DoneList {
  readonly #path: string;
  readonly #done: Set<string>;
  #fresh: string[] = [];

  private constructor(path: string, done: Set<string>) {
    this.#path = path;
    this.#done = done;
  }

  /** @param path of the letters' file; no list beside it means that nothing is done. */
  static async read(path: string): Promise<DoneList> {
    const text = await readFile(`${path}.done`, 'utf8').catch((error: unknown) => {
      if ((error as { code?: unknown }).code === 'ENOENT') return '';
      throw error;
    });
    return new DoneList(`${path}.done`, new Set(text.split('\n')));
  }

  has(lineNumber: number, id: string): boolean {
    return this.#done.has(entry(lineNumber, id));
  }

  add(lineNumber: number, id: string): void {
    this.#fresh.push(entry(lineNumber, id));
  }

  /** What a kill takes before it is written, is published a second time. */
  async flush(): Promise<void> {
    if (this.#fresh.length === 0) return;
    const lines = this.#fresh.splice(0);
    // The line end goes first: a list that was cut off in the middle of a line spoils that line only.
    await appendFile(this.#path, `\n${lines.join('\n')}`);
  }
}

/**
 * The dead-letter queue is only looked at, for what comes back.
 * @throws where the file cannot be read or the broker is away.
 */
export async function replayFile(path: string, options: ReplayOptions): Promise<ReplayReport> {
  const done = await DoneList.read(path);
  const run = new FileRun(path, options, done);
  if (options.isDryRun) return await run.count();
  const box = await options.broker.openBox(deadLetterQueue(options.kind.queue));
  try {
    const watch = await watchFrom(box, options);
    const report = await send(run, options, watch);
    const ends = { asked: 'refailures', lost: 'broken', done: undefined } as const;
    const isRefused = report.end === 'full' || report.end === 'unroutable';
    const end = isRefused ? report.end : ends[report.end];
    return run.report({
      replayedCount: report.sentCount,
      end,
      cameBack: watch.cameBack.list(),
      leftCount: report.leftCount + report.unanswered.length,
      problems: [...report.problems, ...(report.lossReason === '' ? [] : [report.lossReason])],
    });
  } finally {
    await done.flush();
    await closeQuietly(box);
  }
}

async function watchFrom(box: DeadLetterReader, options: ReplayOptions): Promise<TailWatch> {
  const { kind, run, refailureLimit, holdLimit } = options;
  const cameBack = new LetterGroups();
  const { end } = await readBox(box, holdLimit, (held) => {
    const letter = readLetter(kind, held);
    if (replayMark(letter.headers, run) === 'own') cameBack.add(letter);
    return 'hold';
  });
  return await TailWatch.begin(box, end, { kind, run, refailureLimit, cameBack });
}

async function send(run: FileRun, options: ReplayOptions, watch: TailWatch): Promise<SendReport> {
  const { broker, kind, ratePerSecond, refailureLimit, patienceMs, say } = options;
  const post = await broker.openPost();
  const progress = new Progress(say);
  try {
    return await sendLetters(run.parcels(), {
      post,
      ratePerSecond,
      say,
      patienceMs: patienceMs ?? PATIENCE_MS,
      windowCount: Math.min(WINDOW_COUNT, refailureLimit),
      onSent: async (sentCount) => {
        await run.done.flush();
        progress.tick(() => `${kind.kind}: ${sentCount} letters replayed`);
        return (await watch.count()) >= refailureLimit;
      },
    });
  } finally {
    await closeQuietly(post);
  }
}

class FileRun {
  readonly #path: string;
  readonly #options: ReplayOptions;
  readonly done: DoneList;
  readonly #groups = new LetterGroups();
  readonly #remarks = new Remarks();
  #otherCount = 0;
  #malformedCount = 0;

  constructor(path: string, options: ReplayOptions, done: DoneList) {
    this.#path = path;
    this.#options = options;
    this.done = done;
  }

  /** For a dry run. */
  async count(): Promise<ReplayReport> {
    const parcels = this.parcels();
    let replayedCount = 0;
    while ((await parcels.next()).done !== true) replayedCount += 1;
    return this.report({ replayedCount, end: undefined, cameBack: [], leftCount: 0, problems: [] });
  }

  async *parcels(): AsyncGenerator<Parcel> {
    const { declaration, kind, filter, limit } = this.#options;
    let count = 0;
    const letters = filedLetters(this.#path, declaration, (line) => {
      this.#malformedCount += 1;
      this.#remarks.add(line);
    });
    for await (const { letter, lineNumber } of letters) {
      const isOther = letter.kind !== kind.kind || !isMatch(letter, filter);
      if (isOther || this.done.has(lineNumber, letter.id)) {
        this.#otherCount += 1;
        continue;
      }
      this.#groups.add(letter);
      yield {
        id: `line ${lineNumber} (${letter.id})`,
        letter: replayed(letter, this.#options, new Date()),
        settle: () => {
          this.done.add(lineNumber, letter.id);
        },
      };
      count += 1;
      if (count >= limit) return;
    }
  }

  /** @param sent end: undefined where the file came to its end, or the limit. */
  report(
    sent: Omit<ReplayReport, 'kind' | 'otherCount' | 'groups' | 'end'> & {
      readonly end: ReplayEnd | undefined;
    },
  ): ReplayReport {
    const { kind, limit } = this.#options;
    return {
      ...sent,
      kind: kind.kind,
      otherCount: this.#otherCount,
      groups: this.#groups.list(),
      end: sent.end ?? (sent.replayedCount >= limit ? 'limit' : 'done'),
      leftCount: sent.leftCount + this.#malformedCount,
      problems: [...this.#remarks.list(), ...sent.problems],
    };
  }
}

function entry(lineNumber: number, id: string): string {
  return `${lineNumber} ${JSON.stringify(id)}`;
}
