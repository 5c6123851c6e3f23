/** Republishes dead letters of one kind to its own queue alone, in rounds: read and choose, publish, then acknowledge. */
import {
  type DeathNote,
  type Declaration,
  deadLetterQueue,
  type KindDeclaration,
  messageName,
  type ReplayRun,
  replayedBy,
  replayHeaders,
  replayTarget,
} from '@fit/topology';
import {
  type DeadLetterDelivery,
  type DeadLetterReader,
  DeadLetterReaderLost,
  type OutgoingDeadLetter,
} from '@fit/topology/amqp';
import {
  closeQuietly,
  type DeadLetterBroker,
  type ReadingEnd,
  readDeliveries,
} from './browseDeadLetters.ts';
import { type DeadLetterFilter, matchesFilter } from './deadLetterFilter.ts';
import { type DeadLetterGroup, DeadLetterGroups } from './deadLetterGroups.ts';
import { ProblemList, ProgressLog } from './operatorLog.ts';
import { explained, type ParsedDeadLetter, parseDeadLetter } from './parsedDeadLetter.ts';
import { type ReplayItem, type RepublishEnd, republish } from './republish.ts';
import { RefailureWatch } from './watchRefailures.ts';

export interface ReplayOptions {
  readonly broker: DeadLetterBroker;
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly filter: DeadLetterFilter;
  readonly run: ReplayRun;
  /** Messages to replay, at most. */
  readonly limit: number;
  /** Messages per second; undefined: as fast as the broker confirms them. */
  readonly ratePerSecond: number | undefined;
  readonly order: 'oldest' | 'newest';
  /** The replay stops once this many replayed messages have been dead-lettered again. */
  readonly refailureLimit: number;
  /** Messages held at a time. */
  readonly readLimit: number;
  /** Milliseconds for which a full queue may refuse without accepting a single message; default 60,000. */
  readonly fullQueueTimeoutMs?: number;
  readonly isDryRun: boolean;
  readonly log: (line: string) => void;
}

/**
 * - `done`: every matching message that could be read was tried.
 * - `limit`: as many as asked for are replayed.
 * - `refailures`: too many replayed messages were dead-lettered again.
 * - `full`, `unroutable`: the queue accepted no more.
 * - `broken`: the connection was lost again and again without a message in between.
 * - `blocked`: `readLimit` messages do not match, and the others lie behind them.
 */
export type ReplayEnd =
  | 'done'
  | 'limit'
  | 'refailures'
  | 'full'
  | 'unroutable'
  | 'broken'
  | 'blocked';

export interface ReplayReport {
  readonly kind: string;
  readonly end: ReplayEnd;
  /** In a dry run: messages that would be replayed. */
  readonly replayedCount: number;
  /** Matching messages that could not be replayed, and stay. */
  readonly failedCount: number;
  /** Messages that do not match or were replayed by another run meanwhile; they stay. */
  readonly otherCount: number;
  /** Messages that were seen to be dead-lettered again; `awaitReplayOutcome` reports those that follow later. */
  readonly refailed: readonly DeadLetterGroup[];
  /** Why the matching messages had died. */
  readonly groups: readonly DeadLetterGroup[];
  readonly problems: readonly string[];
}

const ROUND_LIMIT = 10_000;
/** Connections lost in a row without a replayed message in between: a message breaks its reader, or the broker is down. */
const LOSS_LIMIT = 3;
const MAX_UNCONFIRMED = 50;
const DEFAULT_FULL_QUEUE_TIMEOUT_MS = 60_000;
/**
 * The broker closes a channel that holds a message unacknowledged for 30 minutes, and messages that are published but
 * not acknowledged by then are duplicated. A slow replay therefore requeues what it holds and begins another round.
 */
const ROUND_DURATION_LIMIT_MS = 10 * 60_000;
/** Message bodies held in memory; matching messages beyond it are left to the next round. */
const BODY_LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * Replays every matching message that is in the queue when the last round begins: it is published, and acknowledged once
 * the broker has confirmed the copy. Killed at any point, or run twice at once, it loses no message; some may be
 * published twice. Run it again to continue.
 * @throws if the broker is unreachable.
 */
export async function replayDeadLetters(options: ReplayOptions): Promise<ReplayReport> {
  const { kind, isDryRun, log } = options;
  const losses: string[] = [];
  let replayedCount = 0;
  let lossCount = 0;
  // A round after a loss reads only up to the message that broke its reader.
  let readLimit = options.readLimit;
  let groups: readonly DeadLetterGroup[] | undefined;
  for (let roundNumber = 1; ; roundNumber += 1) {
    const limit = options.limit - replayedCount;
    const isShortened = readLimit < options.readLimit;
    const round = await runRound(options, limit, readLimit, replayedCount);
    const { selection } = round;
    replayedCount += round.publishedCount;
    if (round.end === 'lost') {
      const { end, seenCount } = selection.reading;
      const place = end === 'lost' ? ` at message ${seenCount + 1}` : '';
      losses.push(`${deadLetterQueue(kind)}: the connection was lost${place}: ${round.lossReason}`);
      log(losses.at(-1) ?? '');
      lossCount = round.publishedCount === 0 ? lossCount + 1 : 1;
      readLimit = end === 'lost' && seenCount > 0 ? seenCount : options.readLimit;
    } else {
      // The first round sees most of the matching messages.
      groups ??= selection.groups.list();
      lossCount = 0;
      readLimit = options.readLimit;
    }
    const end = replayEnd();
    if (end === undefined) continue;
    return {
      kind: kind.kind,
      end,
      replayedCount: isDryRun ? selection.selected.length : replayedCount,
      failedCount: round.failedCount + selection.unreadableCount,
      otherCount: selection.otherCount,
      refailed: selection.refailed.list(),
      groups: groups ?? selection.groups.list(),
      problems: [...losses, ...selection.problems, ...round.problems],
    };

    function replayEnd(): ReplayEnd | undefined {
      if (round.end === 'lost') return lossCount >= LOSS_LIMIT ? 'broken' : undefined;
      if (round.end === 'full' || round.end === 'unroutable' || round.end === 'refailures')
        return round.end;
      if (round.publishedCount >= limit) return 'limit';
      if (roundNumber >= ROUND_LIMIT) return 'broken';
      if (round.end === 'duration') return undefined;
      if (isDryRun || selection.reading.end === 'empty') return 'done';
      if (round.publishedCount > 0) return undefined;
      return isShortened ? 'broken' : 'blocked';
    }
  }
}

/**
 * @returns the message as it is published: with a key of its first attempt, so that it gets all its attempts again; without the
 * headers of its death and of the broker; with the marks of the run.
 */
function replayMessage(
  deadLetter: ParsedDeadLetter,
  { declaration, kind, run }: ReplayOptions,
): OutgoingDeadLetter {
  const { key: routingKey, headers, properties } = deadLetter;
  // The routing key and x-death, which may have told the name, are not replayed.
  const type = messageName(kind, { routingKey, type: properties.type, headers });
  return {
    ...replayTarget(declaration, kind),
    body: deadLetter.body,
    properties: type === undefined ? properties : { ...properties, type },
    headers: replayHeaders(deadLetter.headers, run, new Date()),
  };
}

interface Round {
  readonly selection: Selection;
  /** `duration`: the round has lasted as long as it may. */
  readonly end: RepublishEnd | 'duration' | 'refailures';
  readonly publishedCount: number;
  readonly failedCount: number;
  readonly problems: readonly string[];
  readonly lossReason: string;
}

/**
 * Whatever ends a round, messages that are not acknowledged are requeued in their order. A kill between confirm and
 * acknowledgement duplicates the messages of one batch, and loses none.
 * @throws if the broker is unreachable.
 */
async function runRound(
  options: ReplayOptions,
  limit: number,
  readLimit: number,
  replayedBefore: number,
): Promise<Round> {
  const reader = await options.broker.openReader(deadLetterQueue(options.kind));
  try {
    const { broker, kind, filter } = options;
    // Only a filter by the class of the error needs the notes.
    const notes =
      filter.errorClass === undefined
        ? new Map<string, DeathNote>()
        : await broker.readNotes(kind.queue, options.log);
    const selection = await selectDeadLetters(reader, options, notes, limit, readLimit);
    const { end, lossReason } = selection.reading;
    if (end !== 'lost' && !options.isDryRun && selection.selected.length > 0)
      return await publishSelection(reader, options, selection, replayedBefore);
    return {
      selection,
      end: end === 'lost' ? 'lost' : 'done',
      publishedCount: 0,
      failedCount: 0,
      problems: [],
      lossReason,
    };
  } finally {
    await closeQuietly(reader);
  }
}

interface SelectedDeadLetter {
  readonly deadLetter: ParsedDeadLetter;
  readonly delivery: DeadLetterDelivery;
}

interface Selection {
  readonly reading: ReadingEnd;
  /** In the order in which they are replayed. */
  readonly selected: readonly SelectedDeadLetter[];
  readonly copies: Copies;
  readonly otherCount: number;
  /** Matching messages whose headers cannot be read. */
  readonly unreadableCount: number;
  readonly refailed: DeadLetterGroups;
  readonly groups: DeadLetterGroups;
  readonly problems: readonly string[];
}

/** A copy of one death is not published a second time; it is acknowledged with the first one. */
class Copies {
  readonly #byIdentity = new Map<string, DeadLetterDelivery[]>();

  /** @returns true if a dead letter of the same death is selected, with which this one will be acknowledged. */
  take({ deadLetter, delivery }: SelectedDeadLetter): boolean {
    const { identity } = deadLetter;
    if (identity === undefined) return false;
    const copies = this.#byIdentity.get(identity);
    if (copies === undefined) this.#byIdentity.set(identity, []);
    else copies.push(delivery);
    return copies !== undefined;
  }

  /** Its copies stay in the queue. */
  forget({ identity }: ParsedDeadLetter): void {
    if (identity !== undefined) this.#byIdentity.delete(identity);
  }

  of({ identity }: ParsedDeadLetter): readonly DeadLetterDelivery[] {
    return this.#byIdentity.get(identity ?? '') ?? [];
  }
}

/** Reads past the limit to the end of the queue, because messages that are dead-lettered again arrive there. */
async function selectDeadLetters(
  reader: DeadLetterReader,
  { kind, run, filter, order, log }: ReplayOptions,
  notes: ReadonlyMap<string, DeathNote>,
  limit: number,
  readLimit: number,
): Promise<Selection> {
  const selected: SelectedDeadLetter[] = [];
  const copies = new Copies();
  const problems = new ProblemList();
  const refailed = new DeadLetterGroups();
  const groups = new DeadLetterGroups();
  const progress = new ProgressLog(log);
  let [seenCount, otherCount, unreadableCount, bodyBytes] = [0, 0, 0, 0];
  const reading = await readDeliveries(reader, readLimit, (delivery) => {
    const deadLetter = explained(kind, parseDeadLetter(kind, delivery), notes);
    seenCount += 1;
    progress.update(() => `${kind.kind}: ${seenCount} dead letters read`);
    const replayed = replayedBy(deadLetter.headers, run);
    if (replayed === 'this run') refailed.add(deadLetter);
    if (replayed !== undefined || !matchesFilter(deadLetter, filter)) {
      otherCount += 1;
      return 'continue';
    }
    if (deadLetter.unreadableReason !== undefined) {
      unreadableCount += 1;
      problems.add(
        `${deadLetter.id} is not replayed, its headers cannot be read: ${deadLetter.unreadableReason}`,
      );
      return 'continue';
    }
    groups.add(deadLetter);
    if (copies.take({ deadLetter, delivery })) return 'continue';
    if (selected.length >= limit) {
      if (order === 'oldest') return 'continue';
      const [oldest] = selected.splice(0, 1);
      bodyBytes -= oldest?.deadLetter.body.length ?? 0;
      if (oldest !== undefined) copies.forget(oldest.deadLetter);
    }
    selected.push({ deadLetter, delivery });
    bodyBytes += deadLetter.body.length;
    return bodyBytes < BODY_LIMIT_BYTES ? 'continue' : 'stop';
  });
  return {
    reading,
    copies,
    selected: order === 'newest' ? selected.reverse() : selected,
    otherCount,
    unreadableCount,
    refailed,
    groups,
    problems: problems.list(),
  };
}

async function publishSelection(
  reader: DeadLetterReader,
  options: ReplayOptions,
  selection: Selection,
  replayedBefore: number,
): Promise<Round> {
  const { kind, run, refailureLimit, broker, log } = options;
  const startedAtMs = performance.now();
  const progress = new ProgressLog(log);
  let end: Round['end'] | undefined;
  let lossReason = '';
  const stopAsLost = (reason: string) => {
    end ??= 'lost';
    lossReason = reason;
  };

  const watch = await RefailureWatch.start(reader, selection.reading.end, {
    kind,
    run,
    refailureLimit,
    refailed: selection.refailed,
  });
  if ((await watch.count()) >= refailureLimit)
    return {
      selection,
      end: 'refailures',
      publishedCount: 0,
      failedCount: 0,
      problems: [],
      lossReason: '',
    };

  const items = selection.selected.map(
    ({ deadLetter, delivery }): ReplayItem => ({
      id: deadLetter.id,
      createMessage: () => replayMessage(deadLetter, options),
      acknowledge: () => {
        // The message was requeued meanwhile and will be replayed a second time, so nothing more is published here.
        if (!delivery.isCurrent) stopAsLost('the connection that held the dead letters was lost');
        delivery.ack();
        for (const copy of selection.copies.of(deadLetter)) copy.ack();
      },
    }),
  );
  const publisher = await broker.openPublisher();
  try {
    const report = await republish(items, {
      publisher,
      ratePerSecond: options.ratePerSecond,
      log,
      maxUnconfirmed: Math.min(MAX_UNCONFIRMED, refailureLimit),
      fullQueueTimeoutMs: options.fullQueueTimeoutMs ?? DEFAULT_FULL_QUEUE_TIMEOUT_MS,
      onBatch: async (publishedCount) => {
        progress.update(() => `${kind.kind}: ${replayedBefore + publishedCount} replayed`);
        await checkRefailures();
        if (performance.now() - startedAtMs > ROUND_DURATION_LIMIT_MS) end ??= 'duration';
        return end !== undefined;
      },
    });
    return {
      selection,
      end: end ?? report.end,
      publishedCount: report.publishedCount,
      failedCount: report.failedCount,
      problems: report.problems,
      lossReason: lossReason || report.lossReason,
    };
  } finally {
    await closeQuietly(publisher);
  }

  async function checkRefailures(): Promise<void> {
    try {
      const refailedCount = await watch.count();
      if (refailedCount < refailureLimit) return;
      end ??= 'refailures';
      log(`${kind.kind}: ${refailedCount} replayed messages died again: the replay stops`);
    } catch (error) {
      if (!(error instanceof DeadLetterReaderLost)) throw error;
      stopAsLost(error.message);
    }
  }
}
