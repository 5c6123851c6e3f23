/** Goes through a dead-letter queue and chooses what to replay; everything stays in the hand. */
import type { DeadLetterDelivery, DeadLetterReader } from '@fit/topology/amqp';
import { type Letter, readLetter } from './letter.ts';
import { isMatch } from './letterFilter.ts';
import { LetterGroups } from './letterGroups.ts';
import { replayMark } from './ownHeaders.ts';
import { Progress } from './progress.ts';
import { type BoxEnd, readBox } from './readBox.ts';
import { Remarks } from './remarks.ts';
import type { ReplayOptions } from './replayOptions.ts';

export interface ChosenLetter {
  readonly letter: Letter;
  readonly held: DeadLetterDelivery;
}

export interface Gathering extends BoxEnd {
  /** In the order of the replay. */
  readonly chosen: readonly ChosenLetter[];
  readonly otherCount: number;
  /** Matching, but not readable. */
  readonly unreadableCount: number;
  readonly cameBack: LetterGroups;
  readonly groups: LetterGroups;
  readonly problems: readonly string[];
}

/** Bodies kept in the memory; what matches beyond waits for the next round. */
const BODY_LIMIT_BYTES = 256 * 1024 * 1024;

export interface GatherLimits {
  /** Letters to choose. */
  readonly limit: number;
  readonly holdLimit: number;
}

/** Reads on past the limit, to the end of the queue: only there it is seen what comes back. */
export async function gather(
  box: DeadLetterReader,
  options: ReplayOptions,
  limits: GatherLimits,
): Promise<Gathering> {
  const choice = new Choice(options, limits.limit);
  const remarks = new Remarks();
  const [cameBack, groups] = [new LetterGroups(), new LetterGroups()];
  const tally = { otherCount: 0, unreadableCount: 0 };
  const progress = new Progress(options.say);
  let seenCount = 0;
  const end = await readBox(box, limits.holdLimit, (held) => {
    const letter = readLetter(options.kind, held);
    seenCount += 1;
    progress.tick(() => `${options.kind.kind}: ${seenCount} letters looked at`);
    const mark = replayMark(letter.headers, options.run);
    if (mark === 'own') cameBack.add(letter);
    if (mark !== 'none' || !isMatch(letter, options.filter)) tally.otherCount += 1;
    else if (letter.unreadableReason === undefined) {
      groups.add(letter);
      return choice.add({ letter, held }) ? 'hold' : 'enough';
    } else {
      tally.unreadableCount += 1;
      remarks.add(
        `${letter.id} is skipped: its headers cannot be read (${letter.unreadableReason})`,
      );
    }
    return 'hold';
  });
  const chosen = choice.inOrder();
  return { ...end, ...tally, chosen, cameBack, groups, problems: remarks.list() };
}

/** The first ones, or the last ones, of those that match. */
class Choice {
  readonly #options: ReplayOptions;
  readonly #limit: number;
  #chosen: ChosenLetter[] = [];
  #bytes = 0;

  constructor(options: ReplayOptions, limit: number) {
    this.#options = options;
    this.#limit = limit;
  }

  /** @returns false where the memory holds no more. */
  add(letter: ChosenLetter): boolean {
    const isNewest = this.#options.order === 'newest';
    const isFull = this.#chosen.length >= this.#limit;
    if (isFull && !isNewest) return true;
    if (isFull) this.#bytes -= this.#chosen.shift()?.letter.body.length ?? 0;
    this.#chosen.push(letter);
    this.#bytes += letter.letter.body.length;
    return this.#bytes < BODY_LIMIT_BYTES;
  }

  inOrder(): ChosenLetter[] {
    return this.#options.order === 'newest' ? this.#chosen.reverse() : this.#chosen;
  }
}
