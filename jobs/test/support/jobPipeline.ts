/** The whole pipeline for one test: records, relay, broker, worker, dead-letter recorder; each part opens on its first use. */
import assert from 'node:assert/strict';
import {
  compilePayload,
  type DeadLetterRecorder,
  type DeadLetterRecorderOptions,
  type Handler,
  type JobEvent,
  type JobRecord,
  JobWorker,
  type JobWorkerOptions,
  openDeadLetterRecorder,
  relayOnce,
} from '@fit/jobs';
import { askManagement, eventually, type Teardown, testBroker } from '@fit/stack/testing';
import type { Declaration, Outcome } from '@fit/topology';
import { Inspector, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import Type from 'typebox';
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
  readonly #closers: (() => Promise<void>)[];
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

  async publisher(): Promise<Publisher> {
    const publisher = await Publisher.open({
      url: this.amqpUrl,
      label: 'test relays',
      prepare: async (model) => {
        await assertTopology(model, this.declaration, this);
      },
    });
    this.#closers.push(() => publisher.close());
    return publisher;
  }

  async worker(change: Partial<JobWorkerOptions> = {}): Promise<JobWorker> {
    const worker = await JobWorker.open({
      ...this.#shared(),
      handlers: new Map([['trivial', this.#handler()]]),
      store: this.store.jobs,
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
    const { jobs: store, deadLetters } = this.store;
    const recorder = await openDeadLetterRecorder({
      ...this.#shared(),
      store,
      deadLetters,
      ...change,
    });
    this.#closers.push(() => recorder.close());
    return recorder;
  }

  async relay(
    publisher: Publisher,
    readyCount = (queue: string) => this.readyCount(queue),
  ): Promise<number> {
    const { declaration, store, events } = this;
    const onEvent = (event: JobEvent) => events.push(event);
    return await relayOnce({ declaration, publisher, store: store.jobs, readyCount, onEvent });
  }

  /** @returns the number of ready messages, from the broker. */
  async readyCount(queue: string): Promise<number> {
    if (this.#inspector === undefined) {
      const inspector = await Inspector.open({ url: this.amqpUrl, label: 'test inspects' });
      this.#closers.push(() => inspector.close());
      this.#inspector = inspector;
    }
    return (await this.#inspector.depthOf(queue)).readyCount;
  }

  /** Inserts jobs, relays them and expects the relay to have read all of them. */
  async submit(publisher: Publisher, jobs: readonly JobRecord[]): Promise<void> {
    await this.store.jobs.accept('run', jobs);
    assert.equal(await this.relay(publisher), jobs.length);
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
    const { amqpUrl, managementUrl, declaration, events } = this;
    return {
      amqpUrl,
      managementUrl,
      declaration,
      kind: declaration.kinds[0]!,
      onEvent: (event: JobEvent) => events.push(event),
      onSession: () => undefined,
    };
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
    };
    return handler;
  }
}
