/** One way through the dead-letter queue: choose, publish, and only then ack. */

import { deadLetterQueue } from '@fit/topology';
import { type DeadLetterReader, DeadLetterReaderLost } from '@fit/topology/amqp';
import { type ChosenLetter, type Gathering, type GatherLimits, gather } from './gather.ts';
import { Progress } from './progress.ts';
import { closeQuietly } from './readBox.ts';
import { type ReplayOptions, replayed } from './replayOptions.ts';
import { type Parcel, type SendEnd, type SendReport, sendLetters } from './sendLetters.ts';
import { TailWatch } from './tailWatch.ts';

/** over: the round has lasted long enough. refailures: too many came back. */
export type RoundEnd = SendEnd | 'over' | 'refailures';

export interface Round {
  readonly gathering: Gathering;
  readonly end: RoundEnd;
  readonly sentCount: number;
  readonly leftCount: number;
  readonly problems: readonly string[];
  readonly lossReason: string;
}

/** Letters under way at a time. */
const WINDOW_COUNT = 50;
const PATIENCE_MS = 60_000;
/**
 * The broker closes a channel that holds a letter for 30 minutes, and what is published but not acked then is doubled:
 * a slow replay gives everything back in time, and begins another round.
 */
const ROUND_LIMIT_MS = 10 * 60_000;

/**
 * Whatever ends it, what is not acked is back in the queue, in order: a kill between the confirm and the ack doubles the
 * handful under way, and loses nothing.
 * @throws where the broker is away.
 */
export async function replayRound(
  options: ReplayOptions,
  limits: GatherLimits,
  doneCount: number,
): Promise<Round> {
  const box = await options.broker.openBox(deadLetterQueue(options.kind.queue));
  try {
    const gathering = await gather(box, options, limits);
    const nothing = { gathering, sentCount: 0, leftCount: 0, problems: [], lossReason: '' };
    if (gathering.end === 'lost') return { ...nothing, end: 'lost', lossReason: gathering.reason };
    if (options.isDryRun || gathering.chosen.length === 0) return { ...nothing, end: 'done' };
    return await new Dispatch(options, gathering, doneCount).run(box);
  } finally {
    await closeQuietly(box);
  }
}

/** The sending half of a round. */
class Dispatch {
  readonly #options: ReplayOptions;
  readonly #gathering: Gathering;
  readonly #doneCount: number;
  readonly #progress: Progress;
  readonly #startedAt = performance.now();
  #end: RoundEnd | undefined;
  #lossReason = '';

  constructor(options: ReplayOptions, gathering: Gathering, doneCount: number) {
    this.#options = options;
    this.#gathering = gathering;
    this.#doneCount = doneCount;
    this.#progress = new Progress(options.say);
  }

  async run(box: DeadLetterReader): Promise<Round> {
    const { broker, ratePerSecond, refailureLimit, say, patienceMs } = this.#options;
    const { kind, run } = this.#options;
    const { chosen, cameBack, end } = this.#gathering;
    const watch = await TailWatch.begin(box, end, { kind, run, refailureLimit, cameBack });
    if ((await watch.count()) >= refailureLimit) return this.#round('refailures');
    const post = await broker.openPost();
    try {
      const report = await sendLetters(this.#parcels(chosen), {
        post,
        ratePerSecond,
        say,
        windowCount: Math.min(WINDOW_COUNT, refailureLimit),
        patienceMs: patienceMs ?? PATIENCE_MS,
        onSent: (sentCount) => this.#mustStop(watch, sentCount),
      });
      return this.#round(this.#end ?? report.end, report);
    } finally {
      await closeQuietly(post);
    }
  }

  *#parcels(chosen: readonly ChosenLetter[]): Generator<Parcel> {
    for (const { letter, held } of chosen)
      yield {
        id: letter.id,
        letter: replayed(letter, this.#options, new Date()),
        settle: () => {
          // Returned to the queue meanwhile: it will be replayed a second time, and nothing more is sent from here.
          if (!held.isCurrent) this.#lose('the connection that held the letters was lost');
          held.ack();
        },
      };
  }

  async #mustStop(watch: TailWatch, sentCount: number): Promise<boolean> {
    const { kind, refailureLimit, say } = this.#options;
    this.#progress.tick(() => `${kind.kind}: ${this.#doneCount + sentCount} letters replayed`);
    try {
      const cameBackCount = await watch.count();
      if (cameBackCount >= refailureLimit) {
        this.#end ??= 'refailures';
        say(`${kind.kind}: ${cameBackCount} letters came back: the replay stops`);
      }
    } catch (error) {
      if (!(error instanceof DeadLetterReaderLost)) throw error;
      this.#lose(error.message);
    }
    if (performance.now() - this.#startedAt > ROUND_LIMIT_MS) this.#end ??= 'over';
    return this.#end !== undefined;
  }

  #lose(reason: string): void {
    this.#end ??= 'lost';
    this.#lossReason = reason;
  }

  #round(end: RoundEnd, report?: SendReport): Round {
    return {
      gathering: this.#gathering,
      end,
      sentCount: report?.sentCount ?? 0,
      leftCount: report?.leftCount ?? 0,
      problems: report?.problems ?? [],
      lossReason: this.#lossReason || (report?.lossReason ?? ''),
    };
  }
}
