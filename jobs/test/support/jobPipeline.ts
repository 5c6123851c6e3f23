/** The whole pipeline for one test: records, relay, broker, worker, dead-letter recorder; each part opens on its first use. */
import { randomUUID } from 'node:crypto';
import {
  BATCH_LIMIT,
  type BatchRecord,
  compilePayload,
  type DeadLetterRecorder,
  type DeadLetterRecorderOptions,
  EndCounter,
  type Handler,
  type JobEvent,
  type JobRecord,
  JobWorker,
  type JobWorkerOptions,
  jobId,
  type NewJob,
  openDeadLetterRecorder,
  Relay,
  type RelayOptions,
  type RunRecord,
  type RunSource,
} from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { askManagement, eventually, type Teardown, testBroker } from '@fit/stack/testing';
import { type Connection, createConnection, type Declaration, type Outcome } from '@fit/topology';
import { Inspector, Publisher, type QueueDepth } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import Type from 'typebox';
import { openRelayPublisher, type RelayPublisher } from '../../src/relay/jobPublisher.ts';
import { type Payload, QUICK } from './fakes.ts';
import { type TestStore, testStore } from './testStore.ts';

const check = compilePayload(Type.Object({ outcome: Type.String() }));

export class JobPipeline {
  readonly store: TestStore;
  readonly declaration: Declaration;
  readonly vhost: string;
  readonly amqpUrl: string;
  readonly managementUrl: string;
  readonly events: JobEvent[] = [];
  /** Attempts that ran, as 'id attempt'. */
  readonly runs: string[] = [];
  /** Ids whose effect is stored; an effect that is stored again appears twice. */
  readonly effects: string[] = [];
  /** Requested jobs by run; `source` has them page by page. */
  readonly requested = new Map<string, readonly NewJob[]>();
  readonly source: RunSource = {
    kindOf: () => 'trivial',
    count: (run) => Promise.resolve(this.requested.get(run._id)?.length ?? 0),
    page: (run, after, limit) => {
      const following = (this.requested.get(run._id) ?? []).filter(({ key }) => key > after);
      const jobs = following.slice(0, limit);
      const last = jobs.at(-1)?.key ?? after;
      return Promise.resolve({ jobs, last, isLast: following.length <= limit });
    },
  };
  /** Of all workers and recorders of the test. */
  readonly endCounter: EndCounter;
  readonly #closers: (() => Promise<void>)[];
  #relay: Relay | undefined;
  #inspector: Inspector | undefined;

  private constructor(
    broker: { vhost: string; amqpUrl: string; managementUrl: string },
    parts: { store: TestStore; declaration: Declaration; closers: (() => Promise<void>)[] },
  ) {
    this.vhost = broker.vhost;
    this.amqpUrl = broker.amqpUrl;
    this.managementUrl = broker.managementUrl;
    this.store = parts.store;
    this.declaration = parts.declaration;
    this.#closers = parts.closers;
    const { store } = parts;
    this.endCounter = new EndCounter({
      runs: store.runs,
      countingRuns: countingRunStore(store.database, store),
    });
    this.#closers.push(() => this.endCounter.close());
  }

  static async open(teardown: Teardown, declaration: Declaration = QUICK): Promise<JobPipeline> {
    const closers: (() => Promise<void>)[] = [];
    // The parts close first, while broker and store still exist.
    teardown.after(async () => {
      for (const close of closers.reverse()) await close();
    });
    const [broker, store] = [await testBroker(teardown), await testStore(teardown)];
    return new JobPipeline(broker, { store, declaration, closers });
  }

  /** Opens the connections of one more process. */
  async connect(): Promise<Connection> {
    const { amqpUrl: url, managementUrl } = this;
    const connection = await createConnection({ url, managementUrl, logger: false });
    this.#closers.push(async () => {
      await connection.close({ deadline: 0 });
    });
    return connection;
  }

  /** Opens what a relay publishes on. */
  async relayPublisher(): Promise<RelayPublisher> {
    return await openRelayPublisher(await this.connect(), this.declaration);
  }

  /** Opens a publisher of messages that no relay would publish. */
  async publisher(): Promise<Publisher> {
    const publisher = await Publisher.open({
      url: this.amqpUrl,
      label: 'test publishes',
      prepare: async (model) => {
        await assertTopology(model, this.declaration, this);
      },
    });
    this.#closers.push(() => publisher.close());
    return publisher;
  }

  /** Opens a relay; the first one serves `submit` and `startRun`. */
  async relay(change: Partial<RelayOptions> = {}): Promise<Relay> {
    const { declaration, store, events } = this;
    const relay = new Relay({
      declaration,
      publisher: change.publisher ?? (await this.relayPublisher()),
      stores: store,
      source: this.source,
      readyCount: (queue) => this.readyCount(queue),
      onEvent: (event) => events.push(event),
      ...change,
    });
    this.#closers.push(() => relay.stop());
    this.#relay ??= relay;
    return relay;
  }

  async worker(change: Partial<JobWorkerOptions> = {}): Promise<JobWorker> {
    const worker = await JobWorker.open({
      ...this.#shared(),
      connection: change.connection ?? (await this.connect()),
      handlers: new Map([['trivial', this.#handler()]]),
      prefetchCount: 50,
      concurrency: 10,
      deadlineMs: 5_000,
      ...change,
    });
    this.#closers.push(() => worker.close(2_000));
    return worker;
  }

  async startRecorder(
    change: Partial<DeadLetterRecorderOptions> = {},
  ): Promise<DeadLetterRecorder> {
    const recorder = await openDeadLetterRecorder({
      ...this.#shared(),
      connection: change.connection ?? (await this.connect()),
      findStoredEffects: (jobs) => Promise.resolve(this.#storedAmong(jobs.map(({ _id }) => _id))),
      ...change,
    });
    this.#closers.push(() => recorder.close());
    return recorder;
  }

  /** @returns the number of ready messages, from the broker. */
  async readyCount(queue: string): Promise<number> {
    return (await this.depthOf(queue)).readyCount;
  }

  /** @returns the ready messages and the consumers of a queue, from the broker. */
  async depthOf(queue: string): Promise<QueueDepth> {
    if (this.#inspector === undefined) {
      const inspector = await Inspector.open({ url: this.amqpUrl, label: 'test inspects' });
      this.#closers.push(() => inspector.close());
      this.#inspector = inspector;
    }
    return await this.#inspector.depthOf(queue);
  }

  /** Stores a run for these jobs, whose keys are its items, held by `owner`. */
  async storeRun(
    jobs: readonly NewJob[],
    owner = '',
    id: string = randomUUID(),
  ): Promise<RunRecord> {
    const sorted = jobs.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    this.requested.set(id, sorted);
    const items = sorted.map(({ key }) => key);
    const run = { _id: id, request: {}, items, requestHash: '' };
    return await this.store.runs.insertIfAbsent(run, owner);
  }

  /** Starts a run, as a request does. */
  async startRun(jobs: readonly NewJob[]): Promise<RunRecord> {
    const relay = this.#relay ?? (await this.relay());
    const run = await this.storeRun(jobs, relay.owner);
    relay.begin(run);
    return run;
  }

  /** Stores jobs with an open batch that no relay holds, as a replay or a repair does. @returns the batch. */
  async storeBatch(jobs: readonly JobRecord[]): Promise<string> {
    const { batches, jobs: store } = this.store;
    const id = randomUUID();
    for (let from = 0; from < jobs.length; from += BATCH_LIMIT) {
      const part = jobs.slice(from, from + BATCH_LIMIT);
      const _id = `${id}:${from}`;
      const ids = part.map((job) => job._id).sort();
      const kind = part[0]?.kind ?? '';
      const isUrgent = part.every((job) => job.isUrgent === true);
      const urgency = isUrgent ? { isUrgent } : {};
      const batch = { _id, runId: id, kind, ...urgency, ids, createdAt: new Date(), owner: '' };
      await store.insert(part.map((job) => ({ ...job, batch: _id })));
      await batches.insert(batch, new Date(0));
    }
    return id;
  }

  /** Stores jobs with their batch, and waits until the relay has published it. */
  async submit(jobs: readonly JobRecord[]): Promise<void> {
    const relay = this.#relay ?? (await this.relay());
    const id = await this.storeBatch(jobs);
    relay.wake();
    await this.expectBatches(id, ({ state }) => state === 'published');
  }

  /** Waits until a condition holds for every batch of a run or an operation, and until it has a batch. */
  async expectBatches(
    runId: string,
    isReached: (batch: BatchRecord) => boolean,
  ): Promise<BatchRecord[]> {
    const read = () => this.store.batchesOf(runId);
    return await eventually(
      async () => {
        const batches = await read();
        return batches.length > 0 && batches.every(isReached) && batches;
      },
      {
        describe: async () =>
          JSON.stringify([
            (await read()).map((batch) => ({ ...batch, ids: batch.ids.length })),
            this.events,
          ]),
      },
    );
  }

  /** Waits until the run is as wanted. */
  async expectRun(id: string, isReached: (run: RunRecord) => boolean): Promise<RunRecord> {
    return await eventually(
      async () => {
        const run = await this.store.runs.find(id);
        return run !== undefined && isReached(run) && run;
      },
      {
        describe: async () =>
          JSON.stringify([await this.store.runs.find(id), this.events.slice(-20)]),
      },
    );
  }

  /** @returns the numbers of requested jobs by the state of their records. */
  async statesOf(jobs: readonly NewJob[]): Promise<Record<string, number>> {
    const ids = jobs.map(({ kind, key }) => jobId(kind, key));
    const states: Record<string, number> = {};
    for (let from = 0; from < ids.length; from += BATCH_LIMIT) {
      const counts = await this.store.jobs.countAmong(ids.slice(from, from + BATCH_LIMIT));
      for (const [state, count] of Object.entries(counts.states))
        states[state] = (states[state] ?? 0) + count;
    }
    return states;
  }

  async expectState(job: JobRecord, state: string): Promise<JobRecord> {
    return await eventually(
      async () => {
        const record = await this.store.jobs.find(job._id);
        return record?.state === state && record;
      },
      {
        describe: async () =>
          `${state} wanted, but ${JSON.stringify(await this.store.jobs.find(job._id))}; ${JSON.stringify(this.events)}`,
      },
    );
  }

  async purge(queue: string): Promise<void> {
    const path = `/api/queues/${this.vhost}/${queue}/contents`;
    await askManagement({ method: 'DELETE', path });
  }

  eventsOf<Type extends JobEvent['type']>(type: Type): Extract<JobEvent, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as Extract<
      JobEvent,
      { type: Type }
    >[];
  }

  #shared() {
    const { declaration, events, endCounter } = this;
    return {
      stores: this.store,
      endCounter,
      declaration,
      kind: declaration.kinds[0]!,
      onEvent: (event: JobEvent) => events.push(event),
    };
  }

  #storedAmong(ids: readonly string[]): ReadonlySet<string> {
    return new Set(ids.filter((id) => this.effects.includes(id)));
  }

  #handler(): Handler {
    const handler: Handler<Payload, string> = {
      payload: check,
      run: ({ id, attempt, payload }): Outcome<string> => {
        this.runs.push(`${id} ${attempt}`);
        if (payload.outcome === 'reject') return { type: 'reject', error: new RangeError('never') };
        if (payload.outcome === 'retry') throw new TypeError(`attempt ${attempt} failed`);
        if (payload.outcome === 'third' && attempt < 3) throw new TypeError('not yet');
        return { type: 'done', effect: id };
      },
      store: (ids) => {
        this.effects.push(...ids);
        return Promise.resolve();
      },
      findStored: (jobs) => Promise.resolve(this.#storedAmong(jobs.map(({ id }) => id))),
    };
    return handler;
  }
}
