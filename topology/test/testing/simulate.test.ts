/** Goal: a retry policy can be tested without a broker and without waiting. Method: declarations whose paths are known, on the virtual clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, type Outcome } from '@fit/topology';
import { type Simulation, simulate } from '@fit/topology/testing';
import fc from 'fast-check';
import { BROKER_SERIES, EXHAUSTED, FOURTH_DELIVERY } from '../support/deathHeaders.ts';
import { ASSIGNMENT, DEFAULT, randomBroker, randomDeclaration } from '../support/declarations.ts';

const MAIL = declareTopology({
  exchange: 'mail',
  kinds: {
    send: {
      key: 'mail.send',
      queue: 'outbox',
      tiers: ['5s', '30s', '2m'],
      nonRetryable: ['RangeError'],
    },
  },
});

const RETRY: Outcome = { type: 'retry', error: new Error('busy') };
const DONE: Outcome = { type: 'done' };

/** @returns such as '5000 outbox #2 fails: Error: busy → outbox.wait.2.30s'. */
function story(simulation: Simulation, id: string): string[] {
  return simulation.history(id).map(({ atMs, place, attempt, what, next }) => {
    const number = attempt === undefined ? '' : ` #${attempt}`;
    return `${atMs} ${place}${number} ${what}${next === undefined ? '' : ` → ${next}`}`;
  });
}

test('three tiers: a message that always fails has four attempts at their times, then is one dead letter', async (t) => {
  const run = async () => {
    const before = process.cpuUsage();
    const simulation = simulate(MAIL, { workers: { send: { run: () => RETRY } } });
    const { id, result } = await simulation.publish('mail.send', 'ann');
    await simulation.settle();
    const { user, system } = process.cpuUsage(before);
    return { simulation, id, result, ms: ((user + system) / 1_000).toFixed(1) };
  };
  const { simulation, id, result, ms } = await run();
  t.diagnostic(`processor time: ${ms} ms for the first one, ${(await run()).ms} ms for the next`);
  assert.equal(result, 'confirmed');
  assert.deepEqual(story(simulation, id), [
    '0 mail published as mail.send → outbox',
    '0 outbox #1 fails: Error: busy → outbox.wait.1.5s',
    '0 outbox.wait.1.5s waits 5s → outbox',
    '5000 outbox #2 fails: Error: busy → outbox.wait.2.30s',
    '5000 outbox.wait.2.30s waits 30s → outbox',
    '35000 outbox #3 fails: Error: busy → outbox.wait.3.2m',
    '35000 outbox.wait.3.2m waits 2m → outbox',
    '155000 outbox #4 fails, the last attempt: Error: busy → outbox.dead',
  ]);
  assert.equal(simulation.now, 155_000);
  const [deadLetter, ...others] = simulation.deadLetters('outbox');
  assert.deepEqual(
    [deadLetter?.id, deadLetter?.cause, deadLetter?.error],
    [id, 'exhausted', 'busy'],
  );
  assert.equal(deadLetter?.body.toString(), 'ann');
  assert.deepEqual(others, []);
});

test('advance: what is due until then happens, and nothing later', async () => {
  const attempts: number[] = [];
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        run: ({ attempt }) => {
          attempts.push(attempt.number);
          return attempt.number < 3 ? RETRY : DONE;
        },
      },
    },
  });
  await simulation.publish('mail.send', 'ann');
  assert.deepEqual(attempts, [], 'a publish ends before its delivery');
  await simulation.advance('4999ms');
  assert.deepEqual(attempts, [1]);
  await simulation.advance(1);
  assert.deepEqual(attempts, [1, 2]);
  await simulation.advance('30s');
  assert.deepEqual(attempts, [1, 2, 3]);
  assert.equal(simulation.now, 35_000);
  await simulation.settle();
  assert.deepEqual([simulation.now, simulation.deadLetters('outbox')], [35_000, []]);
});

test('each answer of a handler leads where a real worker leads it', async () => {
  const answers: Record<string, () => unknown> = {
    nothing: () => undefined,
    later: () => ({ type: 'retry', after: '1m', error: new Error('later') }),
    reject: () => ({ type: 'reject', error: new Error('no such address') }),
    discard: () => Promise.resolve({ type: 'discard', reason: 'unsubscribed' }),
    nonRetryable: () => {
      throw new RangeError('never');
    },
    rejected: () => Promise.reject(new Error('late')),
    invalid: () => 'fine',
  };
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        run: ({ message, attempt }) =>
          (attempt.number === 1 ? answers[message.toString()]!() : undefined) as undefined,
        read: ({ body }) => {
          if (body.length === 0) throw new Error('empty');
          return body;
        },
      },
    },
  });
  const firstWords = async (body: string) => {
    const { id } = await simulation.publish('mail.send', body);
    await simulation.settle();
    return story(simulation, id).find((line) => line.includes(' outbox #1 '));
  };
  const at = () => `${simulation.now} outbox #1`;
  assert.equal(await firstWords('nothing'), `${at()} done`);
  assert.match((await firstWords('later'))!, /fails, asks for tier 3: Error: later$/);
  assert.match((await firstWords('reject'))!, /fails for good: Error: no such address$/);
  assert.match((await firstWords('discard'))!, /discarded: unsubscribed$/);
  assert.match((await firstWords('nonRetryable'))!, /fails for good: RangeError: never$/);
  assert.match((await firstWords('rejected'))!, /fails: Error: late → outbox.wait.1.5s$/);
  assert.match(
    (await firstWords('invalid'))!,
    /fails: InvalidOutcome: the handler returned "fine", .* → outbox.wait.1.5s$/,
  );
  assert.match((await firstWords(''))!, /dead-lettered: malformed$/);
  assert.deepEqual(
    simulation.deadLetters('outbox').map(({ cause, error }) => `${cause}: ${error}`),
    ['fatal: no such address', 'fatal: never', 'malformed: empty'],
  );
});

test('a handler that never answers meets its deadline on the virtual clock, and its signal is aborted', async () => {
  const seen: { signal?: AbortSignal; longCount: number } = { longCount: 0 };
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        deadlineMs: 20_000,
        onLong: () => (seen.longCount += 1),
        run: ({ attempt, signal }) => {
          if (attempt.number > 1) return DONE;
          seen.signal = signal;
          return new Promise(() => undefined);
        },
      },
    },
  });
  const { id } = await simulation.publish('mail.send', 'ann');
  await simulation.advance('19s');
  assert.deepEqual([seen.signal?.aborted, seen.longCount], [false, 1]);
  await simulation.settle();
  assert.equal(seen.signal?.aborted, true);
  assert.deepEqual(story(simulation, id).slice(1), [
    '20000 outbox #1 fails: DeadlineExceeded: no answer within 20000 ms → outbox.wait.1.5s',
    '20000 outbox.wait.1.5s waits 5s → outbox',
    '25000 outbox #2 done',
  ]);
});

test('a handler takes time by sleep; as many run at a time as the worker allows', async () => {
  const ends: string[] = [];
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        concurrency: 2,
        run: async ({ message }) => {
          await simulation.sleep('10s');
          ends.push(`${message.toString()} at ${simulation.now}`);
          return undefined;
        },
      },
    },
  });
  for (const name of ['ann', 'bob', 'cid']) await simulation.publish('mail.send', name);
  await simulation.settle();
  assert.deepEqual(ends, ['ann at 10000', 'bob at 10000', 'cid at 20000']);
});

for (const broker of BROKER_SERIES)
  test(`${broker}: a message that crashes its worker is one dead letter, and takes no other along`, async () => {
    const done = new Set<string>();
    let crashCount = 0;
    const simulation = simulate(MAIL, {
      broker,
      workers: {
        send: {
          run: async ({ message, delivery }) => {
            await simulation.sleep('1s');
            if (!delivery.isCurrent) return await new Promise(() => undefined);
            if (message.toString() !== 'killer') {
              done.add(message.toString());
              return DONE;
            }
            crashCount += 1;
            simulation.crash('outbox');
            return await new Promise(() => undefined);
          },
        },
      },
    });
    for (let index = 0; index < 100; index += 1)
      await simulation.publish('mail.send', index === 50 ? 'killer' : `${index}`);
    await simulation.settle();
    assert.deepEqual(
      simulation.deadLetters('outbox').map(({ body, cause }) => `${body.toString()} ${cause}`),
      ['killer crashed'],
    );
    assert.equal(done.size, 99);
    assert.equal(crashCount, 6, 'one above the limit');
  });

test('a message that the worker holds at a crash comes back without spending an attempt', async () => {
  const attempts: string[] = [];
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        run: async ({ attempt, delivery }) => {
          attempts.push(`${attempt.number} ${delivery.isRedelivered}`);
          await simulation.sleep('10s');
          return DONE;
        },
      },
    },
  });
  const { id } = await simulation.publish('mail.send', 'ann');
  await simulation.advance('4s');
  simulation.crash('outbox');
  await simulation.settle();
  assert.deepEqual(attempts, ['1 false', '1 true']);
  assert.deepEqual(story(simulation, id).slice(1), [
    '4000 outbox #1 worker crashes, 1 of 5 allowed → outbox',
    '14000 outbox #1 done',
  ]);
});

test('native: the queue itself holds a failed message back, longer each time', async () => {
  const native = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['5s', '10s'], backend: 'native' } },
  });
  const simulation = simulate(native, { workers: { one: { run: () => RETRY } } });
  const { id } = await simulation.publish('job.one', '');
  await simulation.settle();
  assert.deepEqual(story(simulation, id).slice(1), [
    '0 one #1 fails: Error: busy → one',
    '0 one held back 5s → one',
    '5000 one #2 fails: Error: busy → one',
    '5000 one held back 10s → one',
    '15000 one #3 fails, the last attempt: Error: busy → one.dead',
  ]);
});

test('a full queue refuses publishes, and its returning messages are held until it has room', async () => {
  const small = declareTopology({
    exchange: 'mail',
    kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s'], maxLength: 4 } },
  });
  let isOpen = true;
  const simulation: Simulation = simulate(small, {
    workers: {
      send: {
        prefetchCount: 1,
        run: async ({ attempt }) => {
          if (attempt.number === 1 && isOpen) return RETRY;
          await simulation.sleep('30s');
          return DONE;
        },
      },
    },
  });
  const { id } = await simulation.publish('mail.send', 'returning');
  await simulation.advance(0);
  isOpen = false;
  const results: string[] = [];
  for (let index = 0; index < 8; index += 1) {
    const { result } = await simulation.publish('mail.send', `${index}`);
    results.push(result);
    if (index === 0) await simulation.advance(0);
  }
  // One is with the worker; the queue takes one more than its limit before it refuses.
  assert.deepEqual(results, [...Array<string>(6).fill('confirmed'), 'nacked', 'nacked']);
  await simulation.settle();
  assert.deepEqual(
    story(simulation, id)
      .slice(2)
      .map((line) => line.replace(/ → .*/, '')),
    [
      '0 outbox.wait.1.5s waits 5s',
      '5000 outbox.wait.1.5s outbox is full, held for 3m',
      '215000 outbox #2 done',
    ],
  );
});

test('assignment: messages expire and overflow, as dead letters', async () => {
  const simulation = simulate(ASSIGNMENT, { workers: {} });
  for (let index = 0; index < 102; index += 1)
    await simulation.publish('job.createWod', `${index}`);
  const causes = () => simulation.deadLetters('createWodQueue').map(({ cause }) => cause);
  assert.deepEqual(causes(), ['overflowed', 'overflowed']);
  await simulation.settle();
  assert.equal(simulation.now, 60_000);
  assert.equal(causes().filter((cause) => cause === 'expired').length, 100);
});

test('most attempts fail alike: the circuit breaker pauses on the virtual clock, and no attempt is spent meanwhile', async () => {
  const starts: number[] = [];
  const simulation: Simulation = simulate(MAIL, {
    workers: {
      send: {
        prefetchCount: 1,
        run: (): Outcome => {
          starts.push(simulation.now);
          return simulation.now < 3_000 ? RETRY : DONE;
        },
      },
    },
  });
  for (let index = 0; index < 30; index += 1) await simulation.publish('mail.send', `${index}`);
  await simulation.advance('4s');
  assert.equal(starts.filter((atMs) => atMs === 0).length, 20);
  // Probes after a second, and after two more.
  assert.deepEqual([...new Set(starts)], [0, 1_000, 3_000]);
});

test('an unknown key is returned, and an event with two queues has two stories', async () => {
  const events = declareTopology({
    exchange: 'events',
    hasFanOut: true,
    kinds: {
      mail: { key: 'task.made', queue: 'mail', tiers: ['1s'] },
      audit: { key: 'task.made', queue: 'audit', tiers: ['1s'] },
    },
  });
  const simulation = simulate(events, {
    workers: { mail: { run: () => RETRY }, audit: { run: () => DONE } },
  });
  const unknown = await simulation.publish('task.lost', '');
  assert.equal(unknown.result, 'returned');
  const { id } = await simulation.publish('task.made', '');
  await simulation.settle();
  const lines = story(simulation, id);
  assert.ok(lines.includes('0 audit #1 done'), lines.join('\n'));
  assert.ok(lines.some((line) => line.startsWith('1000 mail #2 fails, the last attempt')));
  assert.deepEqual(
    [simulation.deadLetters('mail').length, simulation.deadLetters('audit')],
    [1, []],
  );
});

for (const [broker, order] of [
  ['4.0.5', 'U0 U1 n0 U2 U3 n1 n2 n3'],
  ['4.3.6', 'U0 U1 U2 U3 n0 n1 n2 n3'],
] as const)
  test(`${broker}: urgent messages come first, ${order}`, async () => {
    const declaration = declareTopology({
      exchange: 'jobs',
      kinds: {
        one: { key: 'job.one', queue: 'one', tiers: ['1s'], priorities: ['normal', 'high'] },
      },
    });
    const seen: string[] = [];
    const simulation = simulate(declaration, {
      broker,
      workers: {
        one: {
          prefetchCount: 1,
          run: ({ message }): Outcome => {
            seen.push(message.toString());
            return DONE;
          },
        },
      },
    });
    for (let index = 0; index < 4; index += 1) await simulation.publish('job.one', `n${index}`);
    for (let index = 0; index < 4; index += 1)
      await simulation.publish('job.one', `U${index}`, { priority: 5 });
    await simulation.settle();
    assert.equal(seen.join(' '), order);
  });

for (const series of BROKER_SERIES)
  test(`${series}: headers are those that were recorded from the broker`, async () => {
    const seen: Readonly<Record<string, unknown>>[] = [];
    const simulation = simulate(DEFAULT, {
      broker: series,
      workers: {
        createWod: {
          run: ({ delivery }) => {
            seen.push(delivery.headers);
            return RETRY;
          },
        },
      },
    });
    await simulation.publish('job.createWod', '');
    await simulation.settle();
    const shape = (headers: Readonly<Record<string, unknown>> = {}) => ({
      deaths: (headers['x-death'] as { queue: string; reason: string; count: number }[]).map(
        ({ queue, reason, count }) => [queue, reason, count],
      ),
      first: [headers['x-first-death-queue'], headers['x-first-death-reason']],
      last: [headers['x-last-death-queue'], headers['x-last-death-reason']],
      deliveryCount: headers['x-delivery-count'] ?? 0,
    });
    assert.deepEqual(shape(seen[3]), shape(FOURTH_DELIVERY[series]));
    const [deadLetter] = simulation.deadLetters('createWodQueue');
    assert.deepEqual(shape(deadLetter?.headers), shape(EXHAUSTED[series]));
  });

test('mistakes are named: a queue, a duration, a clock that is moved by a handler', async () => {
  let inside: Promise<void> | undefined;
  const simulation = simulate(MAIL, {
    workers: {
      send: {
        run: () => {
          inside = simulation.advance('1s');
          inside.catch(() => undefined);
          return DONE;
        },
      },
    },
  });
  assert.throws(() => simulation.deadLetters('inbox'), /'inbox' is none of the queues outbox/);
  assert.throws(() => {
    simulation.crash('inbox');
  }, /'inbox' is none of the queues outbox/);
  await assert.rejects(simulation.advance('soon' as '1s'), /'soon' is no duration/);
  await simulation.publish('mail.send', '');
  await simulation.settle();
  await assert.rejects(inside!, /make none in a handler/);
  const wrong = simulate(MAIL, { workers: { send: { run: () => DONE, prefetchCount: 0 } } });
  await assert.rejects(wrong.settle(), /COUNT_OUT_OF_RANGE prefetchCount/);
});

const words = fc.array(
  fc.constantFrom<Outcome['type'] | 'crash'>('done', 'retry', 'reject', 'discard', 'crash'),
  { minLength: 1, maxLength: 6 },
);

test('property: on any broker every message ends once, done or dead, and a seed gives the same stories again', async () => {
  await fc.assert(
    fc.asyncProperty(
      randomDeclaration,
      randomBroker,
      fc.array(words, { minLength: 1, maxLength: 5 }),
      fc.integer(),
      async (declaration, { version }, paths, seed) => {
        const run = async () => {
          const counts = new Map<string, number>();
          const ended = new Map<string, number>();
          const simulation: Simulation = simulate(declaration, {
            broker: version,
            seed,
            workers: Object.fromEntries(
              declaration.kinds.map(({ kind, queue }) => [
                kind,
                {
                  prefetchCount: 1,
                  circuitBreaker: false as const,
                  run: ({ delivery: { messageId: id = '' } }) => {
                    const count = counts.get(id) ?? 0;
                    counts.set(id, count + 1);
                    const path = paths[Number(id.split(' ')[1])]!;
                    const word = path[Math.min(count, path.length - 1)]!;
                    if (word === 'crash') {
                      simulation.crash(queue);
                      return new Promise<never>(() => undefined);
                    }
                    if (word === 'done' || word === 'discard')
                      ended.set(id, (ended.get(id) ?? 0) + 1);
                    return { type: word, error: new Error(word), reason: word };
                  },
                },
              ]),
            ),
          });
          const ids: string[] = [];
          for (const { kind, key } of declaration.kinds)
            for (const index of paths.keys()) {
              const { id, result } = await simulation.publish(key, '', { id: `${kind} ${index}` });
              // A small queue refuses the others, and drop-head makes them dead letters.
              if (result === 'confirmed') ids.push(id);
            }
          await simulation.settle();
          for (const { queue } of declaration.kinds)
            for (const { id } of simulation.deadLetters(queue))
              ended.set(id, (ended.get(id) ?? 0) + 1);
          return ids.map((id) => ({ id, count: ended.get(id), story: story(simulation, id) }));
        };
        const stories = await run();
        for (const { id, count, story: lines } of stories)
          assert.equal(count, 1, `${id}\n${lines.join('\n')}`);
        assert.deepEqual(await run(), stories);
      },
    ),
    { numRuns: 30 },
  );
});
