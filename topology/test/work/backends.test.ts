/**
 * Goal: one contract, whichever back end carries it. Method: the same cases through a worker on the real broker, for
 * tiers and for the broker's own delayed retry; where they differ, the difference is asserted, and it is documented.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology, type Outcome } from '@fit/topology';
import type { QueueWorkerOptions } from '@fit/topology/work';
import { brokerFacts } from '../support/brokerFacts.ts';
import { crashConsumers } from '../support/crashConsumer.ts';
import { TestTopology } from '../support/testTopology.ts';

const TIERS_MS = [150, 300, 450];
/** A slow machine, not a slow broker: `npm run bench -- topology` measures the lateness itself. */
const LATE_BY_AT_MOST_MS = 2_000;

type Backend = 'tiers' | 'native' | 'auto';

const declare = (backend: Backend, change: { maxLength?: number; messageTtl?: number } = {}) =>
  declareTopology({
    exchange: 'jobs',
    kinds: {
      one: {
        key: 'job.one',
        queue: 'one',
        tiers: [150, 300, 450],
        backend,
        nonRetryable: ['RangeError'],
        ...change,
      },
    },
  });

interface Visit {
  readonly id: string | undefined;
  readonly attempt: number;
  readonly at: number;
}

interface LineOptions extends Omit<Partial<QueueWorkerOptions<Buffer, undefined>>, 'run'> {
  readonly run: (visit: Visit) => Outcome<undefined>;
}

/** A worker, and what it saw. */
async function openLine(t: TestContext, backend: Backend, { run, ...options }: LineOptions) {
  const environment = await TestTopology.open(t, declare(backend));
  const publisher = await environment.publisher();
  const visits: Visit[] = [];
  await environment.worker<Buffer, undefined>({
    circuitBreaker: false as const,
    run: ({ delivery, attempt }) => {
      const visit = { id: delivery.messageId, attempt: attempt.number, at: Date.now() };
      visits.push(visit);
      return run(visit);
    },
    ...options,
  });
  const visited = (count: number) =>
    eventually(() => visits.length >= count, { describe: () => JSON.stringify(visits) });
  return { environment, publisher, visits, visited };
}

const DONE: Outcome<undefined> = { type: 'done', effect: undefined };
const RETRY: Outcome<undefined> = { type: 'retry', error: new Error('again') };

const { hasNativeRetry } = await brokerFacts();

if (!hasNativeRetry)
  test('native: refused, since this broker has no delayed retry; auto takes tiers', async (t) => {
    const environment = await TestTopology.open(t, declare('native'));
    await assert.rejects(environment.publisher(), /NATIVE_UNSUPPORTED one/);
    const other = await TestTopology.open(t, declare('auto'));
    await other.publisher();
    assert.equal(other.plan.kinds[0]?.backend, 'tiers');
  });

for (const backend of hasNativeRetry ? (['tiers', 'native'] as const) : (['tiers'] as const)) {
  const on = (name: string, body: (t: TestContext) => Promise<void>) => {
    void test(`${backend}: ${name}`, body);
  };

  on('done is gone', async (t) => {
    const { environment, publisher, visited } = await openLine(t, backend, { run: () => DONE });
    await environment.publishAll(publisher, 50);
    await visited(50);
    await environment.expectEmpty();
  });

  on('failed each time: every wait is kept, then one dead letter, exhausted', async (t) => {
    const { environment, publisher, visits, visited } = await openLine(t, backend, {
      run: () => RETRY,
    });
    await publisher.publish(environment.message('poison'));
    await visited(4);
    const deadLetters = await environment.takeDeadLetters(1);
    assert.deepEqual(
      deadLetters.map(({ id, cause }) => [id, cause]),
      [['poison', 'exhausted']],
    );
    assert.deepEqual(
      visits.map(({ attempt }) => attempt),
      [1, 2, 3, 4],
    );
    for (const [index, tierMs] of TIERS_MS.entries()) {
      const waitMs = visits[index + 1]!.at - visits[index]!.at;
      assert.ok(waitMs >= tierMs - 2, `wait ${index + 1}: ${waitMs} of ${tierMs} ms`);
      assert.ok(waitMs < tierMs + LATE_BY_AT_MOST_MS, `wait ${index + 1}: ${waitMs} ms`);
    }
    await environment.expectEmpty();
  });

  on('100 that fail twice are done at their third attempt, each once', async (t) => {
    const { environment, publisher, visits, visited } = await openLine(t, backend, {
      run: ({ attempt }) => (attempt < 3 ? RETRY : DONE),
    });
    await environment.publishAll(publisher, 100);
    await visited(300);
    const third = visits.filter(({ attempt }) => attempt === 3).map(({ id }) => id);
    assert.equal(new Set(third).size, 100);
    assert.equal(visits.length, 300);
    await environment.expectEmpty();
  });

  on(
    'reject, a class that is not retryable, and malformed: one attempt, one dead letter',
    async (t) => {
      const run = ({ id }: Visit): Outcome<undefined> => {
        if (id === 'class') throw new RangeError('never');
        return { type: 'reject', error: new Error('no') };
      };
      const read = (delivery: { messageId: string | undefined; body: Buffer }) => {
        if (delivery.messageId === 'malformed') throw new Error('no job');
        return delivery.body;
      };
      const { environment, publisher, visits } = await openLine(t, backend, { run, read });
      for (const id of ['reject', 'class', 'malformed'])
        await publisher.publish(environment.message(id));
      const deadLetters = await environment.takeDeadLetters(3);
      const causes = new Map(deadLetters.map(({ id, cause }) => [id, cause]));
      assert.deepEqual([...causes].sort(), [
        ['class', 'fatal'],
        ['malformed', 'malformed'],
        ['reject', 'fatal'],
      ]);
      assert.deepEqual(visits.map(({ id }) => id).sort(), ['class', 'reject']);
      await environment.expectEmpty();
    },
  );

  on('discard is gone without a dead letter', async (t) => {
    const { environment, publisher, visited } = await openLine(t, backend, {
      run: () => ({ type: 'discard', reason: 'nobody wants it' }),
    });
    await publisher.publish(environment.message('unwanted'));
    await visited(1);
    await environment.expectEmpty();
  });

  on(
    'retry after: tiers go to the nearest that is long enough, native keeps its own delay',
    async (t) => {
      const { environment, publisher, visits, visited } = await openLine(t, backend, {
        run: ({ attempt }) =>
          attempt === 1 ? { type: 'retry', after: 400, error: new Error('again') } : DONE,
      });
      await publisher.publish(environment.message('later'));
      await visited(2);
      const waitMs = visits[1]!.at - visits[0]!.at;
      const wantedMs = { tiers: 450, native: 150 }[backend];
      assert.ok(waitMs >= wantedMs - 2 && waitMs < wantedMs + LATE_BY_AT_MOST_MS, `${waitMs} ms`);
      // The tiers in between count as spent.
      assert.equal(visits[1]!.attempt, { tiers: 4, native: 2 }[backend]);
      await environment.expectEmpty();
    },
  );

  on('a worker lost in an attempt: tiers spend none of it, native one', async (t) => {
    const environment = await TestTopology.open(t, declare(backend));
    await (await environment.publisher()).publish(environment.message('survivor'));
    await crashConsumers(environment, 1);
    const attempts: number[] = [];
    await environment.worker({
      run: ({ attempt }) => {
        attempts.push(attempt.number);
        return DONE;
      },
    });
    await eventually(() => attempts.length === 1, { describe: () => attempts.join(', ') });
    assert.deepEqual(attempts, [{ tiers: 1, native: 2 }[backend]]);
    await environment.expectEmpty();
  });

  on('a message that ends every worker: one dead letter, crashed', async (t) => {
    const environment = await TestTopology.open(t, declare(backend));
    await (await environment.publisher()).publish(environment.message('killer'));
    const crashCount = await crashConsumers(environment, environment.kind.crashLimit + 2);
    assert.equal(crashCount, environment.kind.crashLimit + 1);
    const deadLetters = await environment.takeDeadLetters(1);
    assert.deepEqual(
      deadLetters.map(({ id, cause }) => [id, cause]),
      [['killer', 'crashed']],
    );
    await environment.expectEmpty();
  });

  on('what expires in main is a dead letter, expired', async (t) => {
    const environment = await TestTopology.open(t, declare(backend, { messageTtl: 50 }));
    await environment.publishAll(await environment.publisher(), 3);
    const deadLetters = await environment.takeDeadLetters(3);
    assert.deepEqual(new Set(deadLetters.map(({ cause }) => cause)), new Set(['expired']));
    await environment.expectEmpty();
  });

  on('a full queue refuses the publisher, and nothing else happens to it', async (t) => {
    const environment = await TestTopology.open(t, declare(backend, { maxLength: 5 }));
    const publisher = await environment.publisher();
    const results: string[] = [];
    for (let index = 0; index < 20; index += 1)
      results.push(await publisher.publish(environment.message(`m${index}`)));
    const confirmedCount = results.filter((result) => result === 'confirmed').length;
    assert.ok(results.includes('nacked'), results.join(', '));
    await environment.expectReady('one', confirmedCount);
    assert.equal(await environment.readyCount('one.dead'), 0);
  });
}
