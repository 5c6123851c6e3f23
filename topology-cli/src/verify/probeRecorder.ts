/** Records what happens to each probe. */
import { attemptOf, deathCause, isWaitQueue, type PlannedKind, readDeaths } from '@fit/topology';
import type { Delivery, PublishResult, SessionEvent } from '@fit/topology/amqp';
import type { Probe } from './probes.ts';
import type { ProbeDeadLetter, ProbeDelivery, ProbeTrace } from './probeTrace.ts';

/** Times in milliseconds of `performance.now()`. */
interface ProbeRecord extends ProbeTrace {
  readonly probe: Probe;
  publishedAtMs: number | undefined;
  published: PublishResult | undefined;
  readonly deliveries: ProbeDelivery[];
  readonly deadLetters: ProbeDeadLetter[];
  /** Waits that were over at the last delivery, as wait queue and count. */
  pastWaits: readonly string[];
}

/** Stands between the id of a probe and the number of a message that fills the queue behind it. */
const FILLER_SEPARATOR = '+';

export function fillerId(probe: Probe, index: number): string {
  return `${probe.id}${FILLER_SEPARATOR}${index}`;
}

/** Records are kept to the end: a probe that arrives late must still find its record. */
export class ProbeRecorder {
  readonly #records: ReadonlyMap<string, ProbeRecord>;
  /** The first error that no probe accounts for. */
  failure: unknown;

  constructor(probes: readonly Probe[]) {
    this.#records = new Map(
      probes.map((probe) => [
        probe.id,
        {
          probe,
          publishedAtMs: undefined,
          published: undefined,
          deliveries: [],
          deadLetters: [],
          pastWaits: [],
        },
      ]),
    );
  }

  /** A lost connection returns its messages as if a worker had crashed, which no path expects, so it is a failure. */
  readonly onEvent = (event: SessionEvent): void => {
    if (event.type === 'disconnected')
      this.failure ??= new Error('the connection to the broker was lost', { cause: event.error });
  };

  traceOf(probe: Probe): ProbeTrace {
    const { published, deliveries, deadLetters } = this.#recordOf(probe.id);
    return { published, deliveries, deadLetters };
  }

  /** Called just before the publish, so that nothing can arrive before it. */
  recordPublish(probe: Probe): void {
    this.#recordOf(probe.id).publishedAtMs = performance.now();
  }

  recordAnswer(probe: Probe, result: PublishResult): void {
    this.#recordOf(probe.id).published = result;
  }

  /**
   * @param consumingSinceMs when the consumer opened.
   * @returns the probe and the number of its delivery, from 0; undefined if the message is not a probe of this round.
   */
  recordDelivery(
    kind: PlannedKind,
    delivery: Delivery,
    consumingSinceMs: number,
  ): { readonly probe: Probe; readonly index: number } | undefined {
    const record = this.#findRecord(delivery.messageId);
    if (record === undefined) return undefined;
    const pastWaits = readDeaths(delivery.headers)
      .filter(({ queue, reason }) => reason === 'expired' && isWaitQueue(kind, queue))
      .map(({ queue, count }) => `${queue} ${count}`);
    const newestWait = pastWaits.find((wait) => !record.pastWaits.includes(wait));
    record.pastWaits = pastWaits;
    record.deliveries.push({
      atMs: sincePublishMs(record),
      queue: kind.queue,
      key: delivery.routingKey,
      attempt: attemptOf(kind, delivery.routingKey, delivery.headers)?.number,
      waitQueue: newestWait?.split(' ')[0],
      consumedFromMs: consumingSinceMs - (record.publishedAtMs ?? 0),
    });
    return { probe: record.probe, index: record.deliveries.length - 1 };
  }

  recordDeadLetter(kind: PlannedKind, queue: string, delivery: Delivery): void {
    const record = this.#findRecord(delivery.messageId);
    if (record === undefined) return;
    const cause = deathCause(kind, delivery.routingKey, delivery.headers);
    const isProbe = delivery.messageId === record.probe.id;
    // A message that only fills a queue expires in the end, too, while another scenario is still running.
    if (!isProbe && cause === 'expired') return;
    record.deadLetters.push({ atMs: sincePublishMs(record), queue, cause, isProbe });
  }

  /**
   * @param timeoutMs how long after its expected time an event is awaited.
   * @param deviationTimeoutMs the same if something happened that was not expected, so mostly nothing more will come.
   * @returns true once all expected events have happened or are given up.
   */
  isFinished(probe: Probe, timeoutMs: number, deviationTimeoutMs: number): boolean {
    const record = this.#recordOf(probe.id);
    const { published, deliveries, deadLetters, publishedAtMs } = record;
    if (published === undefined || publishedAtMs === undefined) return false;
    const { expected } = probe;
    const expectedMs = [...expected.deliveries, ...expected.deadLetters].map(({ atMs }) => atMs);
    const overdueMs = sincePublishMs(record) - Math.max(0, ...expectedMs);
    // A copy of an early dead letter may still be on the expected path, so a deviation does not end the wait at once.
    const deviates = deadLetters.length > 0 || published !== expected.published;
    if (overdueMs > (deviates ? deviationTimeoutMs : timeoutMs)) return true;
    return (
      deliveries.length >= expected.deliveries.length &&
      deadLetters.length >= expected.deadLetters.length
    );
  }

  #recordOf(id: string): ProbeRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new RangeError(`${id} is no probe of this round`);
    return record;
  }

  #findRecord(messageId: string | undefined): ProbeRecord | undefined {
    return this.#records.get(messageId?.split(FILLER_SEPARATOR)[0] ?? '');
  }
}

function sincePublishMs({ publishedAtMs }: ProbeRecord): number {
  return publishedAtMs === undefined ? 0 : performance.now() - publishedAtMs;
}
