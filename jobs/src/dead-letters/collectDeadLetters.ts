/** Records the dead letters of a queue before a replay, where the recorder is off: a replay works on records alone. */
import type { KindDeclaration } from '@fit/topology';
import type { DeadLetterReader } from '@fit/topology/amqp';
import type { ReplayFilter } from '../replay/replayDeadJobs.ts';
import { type ReceivedDeadLetter, readDeadLetter } from './readDeadLetter.ts';
import { type RecordDeadLettersOptions, recordDeadLetters } from './recordDeadLetters.ts';

export interface CollectDeadLettersOptions extends RecordDeadLettersOptions {
  readonly kind: KindDeclaration;
  readonly reader: DeadLetterReader;
  readonly filter: ReplayFilter;
  /** True: only count. */
  readonly isDryRun: boolean;
}

export interface CollectedDeadLetters {
  /** Dead letters that match the filter; recorded, unless it is a dry run. */
  readonly matched: number;
  /** Dead letters that stay in the queue. */
  readonly others: number;
}

const GROUP_COUNT = 200;
/** Reading ends after this many dead letters; the next replay reads the rest. */
const DEAD_LETTERS_LIMIT = 100_000;

/**
 * A dead letter is acknowledged only after its content is stored. A process that is killed therefore loses none: what was
 * not acknowledged returns to its queue, and recording it twice changes nothing.
 */
export async function collectDeadLetters(
  options: CollectDeadLettersOptions,
): Promise<CollectedDeadLetters> {
  const tally = { matched: 0, others: 0 };
  let group: { letter: ReceivedDeadLetter; ack: () => void }[] = [];
  const recordGroup = async () => {
    await recordDeadLetters(
      group.map(({ letter }) => letter),
      options,
    );
    for (const { ack } of group) ack();
    group = [];
  };
  while (tally.matched + tally.others < DEAD_LETTERS_LIMIT) {
    const delivery = await options.reader.next();
    if (delivery === undefined) break;
    const letter = readDeadLetter(delivery, options.kind, new Date());
    delivery.discardContent();
    if (!matchesFilter(letter, options.filter)) {
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
    if (group.length >= GROUP_COUNT) await recordGroup();
  }
  await recordGroup();
  return tally;
}

/** The job id holds user and date: `<kind>:<userId>:<date>`. */
function matchesFilter(letter: ReceivedDeadLetter, filter: ReplayFilter): boolean {
  const [, userId, date] = letter.jobId?.split(':') ?? [];
  return (
    (filter.cause === undefined || filter.cause === letter.cause) &&
    (filter.userId === undefined || filter.userId === userId) &&
    (filter.date === undefined || filter.date === date)
  );
}
