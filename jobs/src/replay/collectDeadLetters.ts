/** Letters that lie on the broker (intake off) → records, before a replay: a record can be replayed, a letter cannot. */
import type { KindDeclaration } from '@fit/topology';
import type { DeadLetterReader } from '@fit/topology/amqp';
import { type ReadDeadLetter, readDeadLetter } from '../dead-letters/readDeadLetter.ts';
import {
  type RecordDeadLettersOptions,
  recordDeadLetters,
} from '../dead-letters/recordDeadLetters.ts';
import type { ReplayFilter } from './replayFilter.ts';

export interface CollectDeadLettersOptions extends RecordDeadLettersOptions {
  readonly kind: KindDeclaration;
  readonly reader: DeadLetterReader;
  readonly filter: ReplayFilter;
  /** True: only count. */
  readonly isDryRun: boolean;
}

export interface CollectedDeadLetters {
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
export async function collectDeadLetters(
  options: CollectDeadLettersOptions,
): Promise<CollectedDeadLetters> {
  const tally = { matched: 0, others: 0 };
  let group: { letter: ReadDeadLetter; ack: () => void }[] = [];
  const takeIn = async () => {
    await recordDeadLetters(
      group.map(({ letter }) => letter),
      options,
    );
    for (const { ack } of group) ack();
    group = [];
  };
  while (tally.matched + tally.others < LETTERS_LIMIT) {
    const delivery = await options.reader.next();
    if (delivery === undefined) break;
    const letter = readDeadLetter(delivery, options.kind, new Date());
    delivery.discardContent();
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
function isMatch(letter: ReadDeadLetter, filter: ReplayFilter): boolean {
  const [, userId, date] = letter.jobId?.split(':') ?? [];
  return (
    (filter.cause === undefined || filter.cause === letter.cause) &&
    (filter.userId === undefined || filter.userId === userId) &&
    (filter.date === undefined || filter.date === date)
  );
}
