/**
 * Goal: the simulator does what the broker does. Method: random outcomes and crashes of messages, one after the other, run
 * by the same handler in a simulation and on the real broker; every delivery and every dead letter must be the same.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import {
  type Declaration,
  deathCause,
  declareTopology,
  type Headers,
  spreadHeader,
} from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import type { QueueWorker, QueueWorkerOptions } from '@fit/topology/work';
import fc from 'fast-check';
import { brokerFacts, brokerVersion } from '../support/brokerFacts.ts';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

const MESSAGE_COUNT = 10;
/** Long enough for a worker to change its prefetch meanwhile: a delivery that it cancels counts as a return up to 4.2. */
const TIERS_MS = [100, 200, 300];
const CRASH_LIMIT = 4;
/** Only a handler that never answers reaches it: the others answer within their call. */
const DEADLINE_MS = 400;

const WORDS = [
  'retry',
  'throw',
  'crash',
  'later',
  'nonRetryable',
  'reject',
  'discard',
  'done',
  'nothing',
  'invalid',
  'silent',
] as const;
type Word = (typeof WORDS)[number];

/** Weighted towards what leads to more deliveries; the last word is repeated. */
const path = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Word>('retry', 'throw', 'crash') },
    { weight: 2, arbitrary: fc.constant<Word>('crash') },
    fc.constantFrom(...WORDS),
  ),
  { minLength: 1, maxLength: 8 },
);
const scenario = fc.array(path, { minLength: MESSAGE_COUNT, maxLength: MESSAGE_COUNT });

/** What a worker or a reader of dead letters sees, but for times. */
interface Sight {
  readonly attempt?: number;
  readonly key: string;
  readonly deliveryCount: unknown;
  readonly deaths: string;
  readonly lastDeath: unknown;
  readonly cause?: string;
}

function headersSeen(headers: Headers): Pick<Sight, 'deliveryCount' | 'deaths' | 'lastDeath'> {
  const deaths = (headers['x-death'] ?? []) as { queue: string; reason: string; count: number }[];
  return {
    // A release series writes 0, another one nothing.
    deliveryCount: headers['x-delivery-count'] ?? 0,
    deaths: deaths.map(({ queue, reason, count }) => `${queue} ${reason} ${count}`).join(', '),
    lastDeath: [headers['x-last-death-queue'], headers['x-last-death-reason']],
  };
}

/** What happened to each message, and the worker's options that record it. */
class Recorder {
  readonly deliveries = new Map<string, Sight[]>();
  readonly deadLetters = new Map<string, Sight[]>();
  readonly #paths: readonly (readonly Word[])[];

  constructor(paths: readonly (readonly Word[])[]) {
    this.#paths = paths;
  }

  countOf(id: string): number {
    return (this.deliveries.get(id)?.length ?? 0) + (this.deadLetters.get(id)?.length ?? 0);
  }

  /** In the order of the messages. */
  get sights(): unknown {
    return this.#paths.map((words, index) => ({
      path: words.join(' '),
      deliveries: this.deliveries.get(`m${index}`) ?? [],
      deadLetters: this.deadLetters.get(`m${index}`) ?? [],
    }));
  }

  add(sights: Map<string, Sight[]>, id: string, sight: Sight): number {
    const seen = sights.get(id) ?? [];
    sights.set(id, [...seen, sight]);
    return seen.length;
  }

  options(crash: () => void): Pick<QueueWorkerOptions, 'run' | 'circuitBreaker' | 'deadlineMs'> {
    return {
      circuitBreaker: false,
      deadlineMs: DEADLINE_MS,
      run: ({ delivery, attempt }) => {
        const { messageId: id = '', routingKey: key, headers } = delivery;
        const sight = { attempt: attempt.number, key, ...headersSeen(headers) };
        const index = this.add(this.deliveries, id, sight);
        const words = this.#paths[Number(id.slice(1))]!;
        return answer(words[Math.min(index, words.length - 1)]!, crash);
      },
    };
  }
}

function answer(word: Word, crash: () => void): ReturnType<QueueWorkerOptions['run']> {
  switch (word) {
    case 'retry':
      return { type: 'retry', error: new Error('again') };
    case 'throw':
      throw new Error('thrown');
    case 'nonRetryable':
      throw new RangeError('never');
    case 'later':
      return { type: 'retry', after: TIERS_MS[1]!, error: new Error('later') };
    case 'reject':
      return { type: 'reject', error: new Error('no') };
    case 'discard':
      return Promise.resolve({ type: 'discard', reason: 'unwanted' });
    case 'done':
      return { type: 'done' };
    case 'nothing':
      return Promise.resolve(undefined);
    case 'invalid':
      return 'fine' as never;
    case 'crash':
      crash();
      return new Promise(() => undefined);
    case 'silent':
      return new Promise(() => undefined);
  }
}

async function simulated(declaration: Declaration, paths: readonly Word[][]): Promise<Recorder> {
  const recorder = new Recorder(paths);
  const simulation = simulate(declaration, {
    broker: await brokerVersion(),
    workers: {
      one: recorder.options(() => {
        simulation.crash('one');
      }),
    },
  });
  for (const index of paths.keys()) {
    const id = `m${index}`;
    await simulation.publish('job.one', '', { id, headers: spreadHeader(id) });
    await simulation.settle();
  }
  for (const { id, key, cause, headers } of simulation.deadLetters('one'))
    recorder.add(recorder.deadLetters, id, { key, cause, ...headersSeen(headers) });
  return recorder;
}

async function real(
  t: TestContext,
  declaration: Declaration,
  { paths, expected }: { readonly paths: readonly Word[][]; readonly expected: Recorder },
): Promise<Recorder> {
  const recorder = new Recorder(paths);
  const environment = await TestTopology.open(t, declaration);
  const publisher = await environment.publisher();
  const openings: Promise<unknown>[] = [];
  const state = { isOver: false };
  const openWorker = async (): Promise<void> => {
    const proxy = await openProxy(t, environment.amqpUrl);
    const opening: Promise<QueueWorker> = environment.worker({
      amqpUrl: proxy.url,
      ...recorder.options(() => {
        // The process is gone: its connections are reset, it opens no others, and another process takes its place.
        proxy.cut();
        openings.push(opening.then((worker) => worker.close()));
        if (!state.isOver) openings.push(openWorker());
      }),
    });
    await opening;
  };
  await environment.consumer(
    (delivery) => {
      const { messageId: id = '', routingKey: key, headers } = delivery;
      const cause = deathCause(environment.kind, key, headers);
      recorder.add(recorder.deadLetters, id, { key, cause, ...headersSeen(headers) });
      delivery.ack();
    },
    { queue: 'one.dead' },
  );
  try {
    await openWorker();
    // One after the other: a crash is counted for every message that a worker holds, and may lose the ack of another one.
    for (const [index, words] of paths.entries()) {
      const id = `m${index}`;
      await publisher.publish({ ...environment.message(id), headers: spreadHeader(id) });
      await eventually(() => recorder.countOf(id) >= expected.countOf(id), {
        deadlineMs: 60_000,
        describe: () =>
          JSON.stringify({ id, words, real: recorder.sights, simulated: expected.sights }, null, 1),
      });
    }
    await environment.expectEmpty();
  } finally {
    // A worker that opens while the test ends would stay open.
    state.isOver = true;
    await Promise.allSettled(openings);
  }
  return recorder;
}

const { hasNativeRetry, series } = await brokerFacts();

const VARIANTS = [
  { backend: 'tiers', jitter: 0 },
  { backend: 'tiers', jitter: 0.5 },
  ...(hasNativeRetry ? [{ backend: 'native', jitter: 0 } as const] : []),
] as const;

for (const { backend, jitter } of VARIANTS)
  test(`${backend}${jitter === 0 ? '' : ' with jitter'}: ${MESSAGE_COUNT} random messages are delivered, counted and dead-lettered as simulated`, async (t) => {
    const declaration = declareTopology({
      exchange: 'jobs',
      kinds: {
        one: {
          key: 'job.one',
          queue: 'one',
          tiers: TIERS_MS,
          jitter,
          crashLimit: CRASH_LIMIT,
          nonRetryable: ['RangeError'],
          backend,
        },
      },
    });
    const seed = Date.now();
    const [paths = []] = fc.sample(scenario, { numRuns: 1, seed });
    const expected = await simulated(declaration, paths);
    const found = await real(t, declaration, { paths, expected });
    assert.deepEqual(found.sights, expected.sights, `seed ${seed}`);
    const counts = paths.map((_, index) => expected.countOf(`m${index}`));
    const count = counts.reduce((sum, one) => sum + one, 0);
    t.diagnostic(`${series}: ${count} deliveries and dead letters, seed ${seed}`);
  });

test('a full queue refuses the same publishes as the simulated one', async (t) => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: [30], maxLength: 10 } },
  });
  const simulation = simulate(declaration, { broker: await brokerVersion(), workers: {} });
  const environment = await TestTopology.open(t, declaration);
  const publisher = await environment.publisher();
  for (let index = 0; index < 15; index += 1) {
    const { result } = await simulation.publish('job.one', '');
    assert.equal(await publisher.publish(environment.message(`m${index}`)), result, `${index}`);
  }
  await environment.expectReady('one', 11);
});
