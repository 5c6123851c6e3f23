/** Letters that lie on the broker (intake off) → records, before a replay: a record can be replayed, a letter cannot. */
import type { KindDeclaration } from '@fit/topology';
import type { LetterBox } from '@fit/topology/amqp';
import { type AbsorbOptions, absorbLetters } from '../intake/absorbLetters.ts';
import { type ReadLetter, readLetter } from '../intake/readLetter.ts';
import type { ReplayFilter } from './replayFilter.ts';

export interface CollectOptions extends AbsorbOptions {
  readonly kind: KindDeclaration;
  readonly box: LetterBox;
  readonly filter: ReplayFilter;
  /** True: only count. */
  readonly isDryRun: boolean;
}

export interface Collected {
  /** Matching the filter; taken in, unless it is a dry run. */
  readonly matched: number;
  /** Left where they are. */
  readonly others: number;
}

const GROUP_COUNT = 200;
/** A look at a longer queue ends here; run again for the rest. */
const LETTERS_LIMIT = 100_000;

/**
 * A letter is acked only after its record says what it said, so a kill at any point loses none: what was not acked goes
 * back to its queue, and taking it in twice changes nothing.
 */
export async function collectLetters(options: CollectOptions): Promise<Collected> {
  const tally = { matched: 0, others: 0 };
  let group: { letter: ReadLetter; ack: () => void }[] = [];
  const takeIn = async () => {
    await absorbLetters(
      group.map(({ letter }) => letter),
      options,
    );
    for (const { ack } of group) ack();
    group = [];
  };
  while (tally.matched + tally.others < LETTERS_LIMIT) {
    const delivery = await options.box.next();
    if (delivery === undefined) break;
    const letter = readLetter(delivery, options.kind, new Date());
    delivery.release();
    if (!isMatch(letter, options.filter)) {
      tally.others += 1;
      continue;
    }
    tally.matched += 1;
    if (options.isDryRun) continue;
    group.push({
      letter,
      ack: () => {
        delivery.ack();
      },
    });
    if (group.length >= GROUP_COUNT) await takeIn();
  }
  await takeIn();
  return tally;
}

/** The job id holds user and date: `<kind>:<userId>:<date>`. */
function isMatch(letter: ReadLetter, filter: ReplayFilter): boolean {
  const [, userId, date] = letter.jobId?.split(':') ?? [];
  return (
    (filter.cause === undefined || filter.cause === letter.cause) &&
    (filter.userId === undefined || filter.userId === userId) &&
    (filter.date === undefined || filter.date === date)
  );
}
