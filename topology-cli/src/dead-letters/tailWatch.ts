/** Sees the letters that come back while a replay runs. */

import type { KindDeclaration } from '@fit/topology';
import { type DeadLetterReader, DeadLetterReaderLost } from '@fit/topology/amqp';
import { readLetter } from './letter.ts';
import { LetterGroups } from './letterGroups.ts';
import { type ReplayRun, replayMark } from './ownHeaders.ts';
import { type BoxEnd, readBox } from './readBox.ts';
import { countOf } from './replayOptions.ts';

/** Letters read per look: a look is short, or nothing else gets done. */
const LOOK_LIMIT = 1_000;
/** Letters read, and not kept, to find the end of a long queue. */
const SCAN_LIMIT = 50_000;

export interface Watched {
  readonly kind: KindDeclaration;
  readonly run: ReplayRun;
  /** So many are looked for. */
  readonly refailureLimit: number;
  /** What the reading up to here has found already; it grows. */
  readonly cameBack: LetterGroups;
}

export class TailWatch {
  readonly #box: DeadLetterReader;
  readonly #kind: KindDeclaration;
  readonly #run: ReplayRun;
  readonly #suspiciousCount: number;
  /** Undefined: the box is read to its end, so whatever is ready is new. */
  #unseenCount: number | undefined;
  #cameBackCount = 0;
  readonly cameBack: LetterGroups;

  private constructor(box: DeadLetterReader, of: Watched, unseenCount: number | undefined) {
    this.#box = box;
    this.#kind = of.kind;
    this.#run = of.run;
    this.#suspiciousCount = of.refailureLimit;
    this.cameBack = of.cameBack;
    this.#cameBackCount = countOf(of.cameBack.list());
    this.#unseenCount = unseenCount;
  }

  /** @throws DeadLetterReaderLost */
  static async begin(box: DeadLetterReader, end: BoxEnd['end'], of: Watched): Promise<TailWatch> {
    return new TailWatch(box, of, end === 'empty' ? undefined : await box.readyCount());
  }

  /** True: what comes back lies behind letters that are not looked at. */
  get isBlind(): boolean {
    return this.#unseenCount !== undefined;
  }

  /**
   * Blind, it reads on once so many letters have arrived that the cap could be among them: another desk that gives its
   * letters back looks the same, and is no reason to stop.
   * @returns how many came back from this run, as far as it is seen.
   * @throws DeadLetterReaderLost
   */
  async count(): Promise<number> {
    if (this.#unseenCount === undefined) {
      await this.#read(LOOK_LIMIT);
      return this.#cameBackCount;
    }
    const arrivedCount = (await this.#box.readyCount()) - this.#unseenCount;
    if (arrivedCount < this.#suspiciousCount) return this.#cameBackCount;
    const end = await this.#read(SCAN_LIMIT);
    // A queue that is longer still is watched from here on: what arrived up to now stays unseen.
    this.#unseenCount = end === 'empty' ? undefined : await this.#box.readyCount();
    return this.#cameBackCount;
  }

  async #read(limit: number): Promise<BoxEnd['end']> {
    const { end, reason } = await readBox(this.#box, limit, (held) => {
      const letter = readLetter(this.#kind, held);
      if (replayMark(letter.headers, this.#run) === 'own') {
        this.#cameBackCount += 1;
        this.cameBack.add(letter);
      }
      return 'hold';
    });
    if (end === 'lost') throw new DeadLetterReaderLost(reason);
    return end;
  }
}
