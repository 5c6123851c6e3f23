/** What became of each probe, written down as it happens. */

import type { PlannedKind } from '@fit/topology';
import { attemptOf, deathCause, isWaitQueue, readDeaths } from '@fit/topology';
import type { Delivery, PublishResult, SessionEvent } from '@fit/topology/amqp';
import type { Probe } from './probe.ts';
import type { Visit, VisitedLetter, Way } from './way.ts';

/** One probe's page; times in milliseconds of `performance.now()`. */
interface Page extends Way {
  readonly probe: Probe;
  publishedAtMs: number | undefined;
  published: PublishResult | undefined;
  readonly visits: Visit[];
  readonly letters: VisitedLetter[];
  /** Waits that are behind it. */
  waits: readonly string[];
}

/** Between the id of a probe and the number of a message that fills the queue behind it. */
const FILLER = '+';

export const fillerId = (probe: Probe, index: number): string => `${probe.id}${FILLER}${index}`;

/** Pages are made once, and never torn out. */
export class Logbook {
  readonly #pages: ReadonlyMap<string, Page>;
  /** What went wrong beside the probes. */
  failure: unknown;

  constructor(probes: readonly Probe[]) {
    const blank = () => ({
      publishedAtMs: undefined,
      published: undefined,
      visits: [],
      letters: [],
      waits: [],
    });
    this.#pages = new Map(probes.map((probe) => [probe.id, { probe, ...blank() }]));
  }

  /** Of every session. What a lost connection held comes again as a crash, which no path accounts for. */
  readonly onEvent = (event: SessionEvent): void => {
    if (event.type === 'disconnected')
      this.failure ??= new Error('the connection to the broker was lost', { cause: event.error });
  };

  wayOf(probe: Probe): Way {
    const { published, visits, letters } = this.#page(probe.id);
    return { published, visits, letters };
  }

  /** Just before the publish: what arrives can only be later. */
  begin(probe: Probe): void {
    this.#page(probe.id).publishedAtMs = performance.now();
  }

  answered(probe: Probe, result: PublishResult): void {
    this.#page(probe.id).published = result;
  }

  /** @returns the probe, and which of its deliveries this is, from 0; undefined where it is no probe of this run. */
  visited(
    kind: PlannedKind,
    delivery: Delivery,
    attendedSinceMs: number,
  ): { readonly probe: Probe; readonly index: number } | undefined {
    const page = this.#find(delivery.messageId);
    if (page === undefined) return undefined;
    const waits = readDeaths(delivery.headers)
      .filter(({ queue, reason }) => reason === 'expired' && isWaitQueue(kind.queue, queue))
      .map(({ queue, count }) => `${queue} ${count}`);
    const newest = waits.find((wait) => !page.waits.includes(wait));
    page.waits = waits;
    page.visits.push({
      atMs: this.#sincePublish(page),
      queue: kind.queue,
      key: delivery.routingKey,
      attempt: attemptOf(kind, delivery.routingKey, delivery.headers)?.number,
      via: newest?.split(' ')[0],
      attendedFromMs: attendedSinceMs - (page.publishedAtMs ?? 0),
    });
    return { probe: page.probe, index: page.visits.length - 1 };
  }

  died(kind: PlannedKind, queue: string, delivery: Delivery): void {
    const page = this.#find(delivery.messageId);
    if (page === undefined) return;
    const cause = deathCause(kind, delivery.routingKey, delivery.headers);
    const isProbe = delivery.messageId === page.probe.id;
    // What fills a queue that nobody takes from reaches its own age in the end, while another turn is awaited.
    if (!isProbe && cause === 'expired') return;
    page.letters.push({ atMs: this.#sincePublish(page), queue, cause, isProbe });
  }

  /** @param graceMs what is left to come after the planned end, where something came otherwise. */
  isOver(probe: Probe, { patienceMs, graceMs }: { patienceMs: number; graceMs: number }): boolean {
    const page = this.#page(probe.id);
    const { published, visits, letters, publishedAtMs } = page;
    if (published === undefined || publishedAtMs === undefined) return false;
    const { expected } = probe;
    const stops = [...expected.visits, ...expected.letters];
    const endMs = Math.max(0, ...stops.map(({ atMs }) => atMs));
    // A letter before its time mostly means that nothing more will come; a copy may still be on the planned way.
    const isAstray = letters.length > 0 || published !== expected.published;
    const overdueMs = this.#sincePublish(page) - endMs;
    if (overdueMs > (isAstray ? graceMs : patienceMs)) return true;
    return visits.length >= expected.visits.length && letters.length >= expected.letters.length;
  }

  #page(id: string): Page {
    const page = this.#pages.get(id);
    if (page === undefined) throw new RangeError(`${id} is no probe of this run`);
    return page;
  }

  #find(messageId: string | undefined): Page | undefined {
    return this.#pages.get(messageId?.split(FILLER)[0] ?? '');
  }

  #sincePublish({ publishedAtMs }: Page): number {
    return publishedAtMs === undefined ? 0 : performance.now() - publishedAtMs;
  }
}
