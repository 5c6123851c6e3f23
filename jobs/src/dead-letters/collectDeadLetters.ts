/** Records the dead letters of a queue before a replay, which reads only job records. It is needed where the recorder is off. */
import type { KindDeclaration } from '@fit/topology';
import type { DeadLetterReader } from '@fit/topology/amqp';
import { idPattern, type ReplayFilter } from '../store/deadJobStore.ts';
import { type ReceivedDeadLetter, readDeadLetter } from './readDeadLetter.ts';
import { type RecordDeadLettersOptions, recordDeadLetters } from './recordDeadLetters.ts';

export interface CollectDeadLettersOptions extends RecordDeadLettersOptions {
  readonly kind: KindDeclaration;
  readonly reader: DeadLetterReader;
  readonly filter: ReplayFilter;
  /** True: dead letters are counted, but not recorded. */
  readonly isDryRun: boolean;
}

export interface CollectedDeadLetters {
  /** Number of dead letters that match the filter; these are recorded, except in a dry run. */
  readonly matched: number;
  /** Number of dead letters that do not match and stay in the queue. */
  readonly others: number;
}

/** Dead letters that are recorded together. */
const GROUP_COUNT = 200;
/** Reading ends after this many dead letters; the next replay reads the rest. */
const DEAD_LETTERS_LIMIT = 100_000;

/**
 * Records the dead letters that match the filter. Each is acknowledged only after its content is stored, so a process that is
 * killed loses none: the broker returns unacknowledged dead letters to the queue, and recording one twice changes nothing.
 */
export async function collectDeadLetters(
  options: CollectDeadLettersOptions,
): Promise<CollectedDeadLetters> {
  const counts = { matched: 0, others: 0 };
  let group: { deadLetter: ReceivedDeadLetter; ack: () => void }[] = [];
  const recordGroup = async () => {
    await recordDeadLetters(
      group.map(({ deadLetter }) => deadLetter),
      options,
    );
    for (const { ack } of group) ack();
    group = [];
  };
  while (counts.matched + counts.others < DEAD_LETTERS_LIMIT) {
    const delivery = await options.reader.next();
    if (delivery === undefined) break;
    const deadLetter = readDeadLetter(delivery, options.kind, options.stores.clock.now());
    delivery.discardContent();
    if (!matchesFilter(deadLetter, options.filter)) {
      counts.others += 1;
      continue;
    }
    counts.matched += 1;
    if (options.isDryRun) continue;
    group.push({
      deadLetter,
      ack: () => {
        delivery.ack();
      },
    });
    if (group.length >= GROUP_COUNT) await recordGroup();
  }
  await recordGroup();
  await options.endCounter.flush();
  return counts;
}

function matchesFilter(deadLetter: ReceivedDeadLetter, filter: ReplayFilter): boolean {
  const pattern = idPattern(filter);
  return (
    (filter.cause === undefined || filter.cause === deadLetter.cause) &&
    (pattern === undefined || new RegExp(pattern).test(deadLetter.jobId ?? ''))
  );
}
