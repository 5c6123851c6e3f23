/** Goal: one call opens everything, and each promise of the API holds. Method: the real broker and database. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { JobRefused, type JobReport, openJobs, type StoredJob } from '@fit/jobs';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { SPREAD_HEADER, spreadHeader } from '@fit/topology';
import { type Db, type Document, type Filter, type FindOptions, MongoClient } from 'mongodb';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { schemaOf } from '../support/standardSchema.ts';

const text = schemaOf((input: { text: string }) => {
  if (typeof input.text !== 'string') throw new Error('text is missing');
  return { text: input.text, at: new Date(0) };
});
const length = schemaOf((input: number) => {
  if (!Number.isInteger(input)) throw new Error('no whole number');
  return input;
});
const KINDS = {
  measure: { payload: text, result: length, retry: { delays: ['100ms', '200ms'] } },
  send: { payload: text, retry: { delays: ['100ms'] }, priorities: ['normal', 'high'] },
} as const;

async function setUp(t: TestContext) {
  const closers: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const { amqpUrl, managementUrl } = await testBroker({ after: (close) => closers.push(close) });
  const url = testDatabaseUrl();
  const client = new MongoClient(url);
  closers.push(async () => {
    await client.db().dropDatabase();
    await client.close();
  });
  const servers = { database: client.db(), connection: amqpUrl, managementUrl };
  const open = async (change: Partial<Parameters<typeof openJobs<typeof KINDS>>[0]> = {}) => {
    const jobs = await openJobs({ ...servers, kinds: KINDS, ...change });
    closers.push(() => jobs.close({ deadline: '5s' }));
    return jobs;
  };
  return { open, client, url, ...servers };
}

type Opened = Awaited<ReturnType<Awaited<ReturnType<typeof setUp>>['open']>>;
type Shown = StoredJob<typeof KINDS>;

async function expectState(jobs: Opened, id: string, state: string): Promise<Shown> {
  const read = () => jobs.get(id);
  return await eventually(
    async () => {
      const job = await read();
      return job?.state === state && job;
    },
    { describe: async () => `${state} wanted, but ${JSON.stringify(await read())}` },
  );
}

/** @returns the same database, which calls `onClaim` when a relay has found batches to claim. */
function countingClaims(database: Db, onClaim: () => void): Db {
  const counted = Object.create(database) as Db;
  const collection = (name: string) => {
    const batches = database.collection(name);
    if (name !== 'fit_batches') return batches;
    const find = batches.find.bind(batches);
    batches.find = ((filter: Filter<Document>, options?: FindOptions) => {
      const cursor = find(filter, options);
      if (!('leaseUntil' in filter)) return cursor;
      const toArray = cursor.toArray.bind(cursor);
      cursor.toArray = async () => {
        const found = await toArray();
        if (found.length > 0) onClaim();
        return found;
      };
      return cursor;
    }) as typeof batches.find;
    return batches;
  };
  Object.defineProperty(counted, 'collection', { value: collection });
  return counted;
}

test('a job is enqueued, worked on, and its result is read; a second call with its key returns it', async (t) => {
  const { open, client } = await setUp(t);
  // The database may have collections of others.
  await client.db().collection('orders').insertOne({});
  const jobs = await open();
  await jobs.work('measure', ({ payload, attempt }) => {
    assert.deepEqual([payload.at.getTime(), attempt.of], [0, 3], 'the schema made the payload');
    return payload.text.length;
  });
  const first = await jobs.enqueue('measure', { text: 'four' }, { key: 'a:b' });
  assert.deepEqual([first.id, first.key, first.state], ['measure:a:b', 'a:b', 'pending']);
  const done = await expectState(jobs, first.id, 'done');
  assert.deepEqual([done.result, done.attempts, done.error], [4, 1, undefined]);
  const again = await jobs.enqueue('measure', { text: 'another' }, { key: 'a:b' });
  assert.deepEqual([again.state, again.payload], ['done', { text: 'four' }]);
  assert.equal(again.result, 4);
  const names = await client.db().listCollections({}, { nameOnly: true }).toArray();
  assert.ok(
    names.every(({ name }) => name === 'orders' || name.startsWith('fit_')),
    JSON.stringify(names),
  );
});

test('with jitter each job waits its share of the delay, and is done', async (t) => {
  const { open } = await setUp(t);
  const retry = { ...KINDS.send.retry, jitter: 1 };
  const jobs = await open({ kinds: { ...KINDS, send: { ...KINDS.send, retry } } });
  const beganAtMs = new Map<string, number>();
  const waitsMs = new Map<string, number>();
  await jobs.work('send', ({ id, attempt }) => {
    const nowMs = performance.now();
    if (attempt.number === 2) waitsMs.set(id, nowMs - (beganAtMs.get(id) ?? nowMs));
    beganAtMs.set(id, nowMs);
    if (attempt.number === 1) throw new Error('busy');
  });
  const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
  for (const key of keys) await jobs.enqueue('send', { text: key }, { key });
  for (const key of keys) await expectState(jobs, `send:${key}`, 'done');
  const shares = new Set<string>();
  for (const [id, waitMs] of waitsMs) {
    const share = spreadHeader(id)[SPREAD_HEADER] ?? 'none';
    shares.add(share);
    const leastMs = { none: 100, middle: 150, long: 200 }[share] ?? Infinity;
    assert.ok(waitMs >= leastMs - 5, `${id} (${share}) waited ${waitMs} ms`);
  }
  assert.equal(shares.size, 3);
});

test('collections have the names that are wanted', async (t) => {
  const { open, client } = await setUp(t);
  const collections = { jobs: 'work', results: 'answers' };
  const jobs = await open({ prefix: 'q.', collections });
  await jobs.work('measure', ({ payload }) => payload.text.length);
  const { id } = await jobs.enqueue('measure', { text: 'four' });
  assert.equal((await expectState(jobs, id, 'done')).result, 4);
  // A second process finds the same ones, and its version.
  assert.equal((await (await open({ prefix: 'q.', collections, tasks: [] })).get(id))?.result, 4);
  const found = await client.db().listCollections({}, { nameOnly: true }).toArray();
  const names = found.map(({ name }) => name);
  assert.ok(names.includes('work') && names.includes('answers'), names.join());
  assert.ok(!names.includes('q.jobs') && names.includes('q.batches'), names.join());
  await assert.rejects(open({ collections: { jobs: 'fit_batches' } }), /'fit_batches' is the name/);
  await assert.rejects(open({ collections: { job: 'x' } as never }), /there is no collection job/);
});

test('jobs that are enqueued together take few statements, and each has its own answer', async (t) => {
  const { open, client } = await setUp(t);
  const jobs = await open();
  const keys = Array.from({ length: 2_500 }, (_, index) => `key-${index % 2_000}`);
  const enqueued = await Promise.all(
    keys.map((key) => jobs.enqueue('send', { text: key }, { key })),
  );
  assert.deepEqual(
    enqueued.map(({ key }) => key),
    keys,
  );
  assert.ok(enqueued.every(({ payload, key }) => payload.text === key));
  const batches = client.db().collection('fit_batches');
  assert.ok((await batches.countDocuments()) <= 4, `${await batches.countDocuments()} batches`);
  const seen = new Set<string>();
  await jobs.work('send', ({ id }) => seen.add(id), { concurrency: 100 });
  await eventually(() => seen.size === 2_000, { describe: () => `${seen.size} of 2,000` });
});

test('jobs of a process without a relay are published in time, however many batches they make', async (t) => {
  const { open, database } = await setUp(t);
  const producer = await open({ tasks: [] });
  const keys = Array.from({ length: 150 }, (_, index) => `${index}`);
  for (const key of keys) await producer.enqueue('send', { text: '' }, { key });
  let claimCount = 0;
  const jobs = await open({
    database: countingClaims(database, () => {
      claimCount += 1;
    }),
  });
  const seen = new Set<string>();
  await jobs.work('send', ({ key }) => seen.add(key));
  await eventually(() => seen.size === keys.length, {
    deadlineMs: 120_000,
    describe: () => `${seen.size} of ${keys.length}`,
  });
  // One claim takes 50 batches; with as many as a relay publishes at a time, three, there would be 50 claims.
  assert.ok(claimCount >= 1 && claimCount <= 10, `${claimCount} claims`);
});

test('a queue that is full holds back neither enqueues nor the jobs behind them', async (t) => {
  const { open } = await setUp(t);
  const small = { ...KINDS.send, maxLength: 10 };
  const jobs = await open({ kinds: { ...KINDS, send: small } });
  const keys = Array.from({ length: 120 }, (_, index) => `${index}`);
  for (const key of keys) await jobs.enqueue('send', { text: '' }, { key });
  assert.equal((await jobs.get('send:119'))?.state, 'pending');
  const seen = new Set<string>();
  await jobs.work('send', ({ key }) => seen.add(key));
  await eventually(() => seen.size === keys.length, {
    deadlineMs: 60_000,
    describe: () => `${seen.size} of ${keys.length}`,
  });
});

test('what is wrong is refused with a code, and one bad job spoils no other', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open({ tasks: [] });
  const refusalOf = async (enqueued: Promise<unknown>) => {
    const error: unknown = await enqueued.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof JobRefused, String(error));
    return error;
  };
  const codeOf = async (enqueued: Promise<unknown>) => (await refusalOf(enqueued)).code;
  const good = jobs.enqueue('send', { text: 'good' });
  assert.equal(await codeOf(jobs.enqueue('send', {} as never)), 'PAYLOAD_INVALID');
  const huge = { text: 'x'.repeat(70_000) };
  assert.equal(await codeOf(jobs.enqueue('send', huge)), 'PAYLOAD_TOO_LARGE');
  assert.equal(await codeOf(jobs.enqueue('send', { text: '' }, { key: '' })), 'KEY_INVALID');
  const long = { key: 'é'.repeat(120) };
  assert.equal(await codeOf(jobs.enqueue('send', { text: '' }, long)), 'KEY_INVALID');
  assert.equal(await codeOf(jobs.enqueue('sent' as 'send', { text: '' })), 'KIND_UNKNOWN');
  const soon = { delay: 'soon' as '1s' };
  assert.equal(await codeOf(jobs.enqueue('send', { text: '' }, soon)), 'DELAY_INVALID');
  const high = { priority: 'high' } as const;
  assert.equal(await codeOf(jobs.enqueue('measure', { text: '' }, high)), 'PRIORITY_UNKNOWN');
  const halves = ['a\ud800', 'a\udbff'].map((key) => jobs.enqueue('send', { text: '' }, { key }));
  for (const enqueued of halves) assert.equal(await codeOf(enqueued), 'KEY_INVALID');
  const endless = { delay: Infinity };
  assert.equal(await codeOf(jobs.enqueue('send', { text: '' }, endless)), 'DELAY_INVALID');
  // The other fields of the message count as well.
  const wide = { text: '', list: Array.from({ length: 3_995 }, () => 0) };
  assert.equal(await codeOf(jobs.enqueue('send', wide)), 'PAYLOAD_TOO_LARGE');
  // The driver stores no name with this character.
  const [beside, refused] = [
    jobs.enqueue('send', { text: 'beside' }),
    jobs.enqueue('send', { text: '', 'a\0b': 1 } as { text: string }),
  ];
  assert.equal(await codeOf(refused), 'REFUSED_BY_DATABASE');
  assert.equal((await beside).state, 'pending');
  assert.equal((await good).state, 'pending');

  const { kind, key, field } = await refusalOf(jobs.enqueue('send', {} as never, { key: 'k' }));
  assert.deepEqual([kind, key, field], ['send', 'k', 'payload']);
  const fieldOf = async (enqueued: Promise<unknown>) => (await refusalOf(enqueued)).field;
  assert.equal(await fieldOf(jobs.enqueue('sent' as 'send', { text: '' })), 'kind');
  assert.equal(await fieldOf(jobs.enqueue('send', { text: '' }, soon)), 'delay');
  assert.equal(await fieldOf(jobs.enqueue('measure', { text: '' }, high)), 'priority');
});

test('a duration that is none is refused, and collections of a longer prefix are those of others', async (t) => {
  const { open } = await setUp(t);
  await open({ tasks: [], prefix: 'fit_eu_' });
  await assert.rejects(open({ staleAfter: 'soon' as '1s' }), /staleAfter 'soon' is no duration/);
  await assert.rejects(open({ keepDays: 0 }), /keepDays must be a number of days above 0, not 0/);
  const short = { ...KINDS.send, keepDays: NaN };
  await assert.rejects(open({ kinds: { ...KINDS, send: short } }), /keepDays .* not NaN/);
  const jobs = await open({ tasks: [] });
  const worker = await jobs.work('send', () => undefined);
  await assert.rejects(worker.stop({ deadline: '5' as '5s' }), /deadline '5' is no duration/);
  await assert.rejects(jobs.close({ deadline: -1 }), /deadline '-1' is no duration/);
  assert.equal(worker.health, 'running');
  await jobs.enqueue('send', { text: 'still open' });
});

test('errors are retried, mapped, and kept; a wrong result makes a dead job; a replay gives it new attempts', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  class Never extends Error {}
  let isFixed = false;
  await jobs.work(
    'measure',
    ({ payload, attempt }) => {
      if (payload.text === 'never' && !isFixed) throw new Never('no such thing');
      if (payload.text === 'wrong' && !isFixed) return 1.5;
      if (attempt.number === 1) throw new Error('not yet');
      return attempt.number;
    },
    { onError: (error) => (error instanceof Never ? { type: 'reject', error } : undefined) },
  );
  const [retried, never, wrong] = await Promise.all(
    ['retried', 'never', 'wrong'].map((key) =>
      // A key may have a line break.
      jobs.enqueue('measure', { text: key }, { key: `${key}\n${key}` }),
    ),
  );
  const done = await expectState(jobs, retried!.id, 'done');
  assert.deepEqual([done.result, done.attempts], [2, 2]);
  const dead = await expectState(jobs, never!.id, 'dead');
  assert.deepEqual([dead.error, dead.attempts], ['no such thing', 1]);
  assert.match((await expectState(jobs, wrong!.id, 'dead')).error ?? '', /the result is wrong/);
  isFixed = true;
  assert.deepEqual(await jobs.replay({ error: 'no such thing' }), { replayed: 1 });
  assert.equal((await expectState(jobs, never!.id, 'done')).result, 2);
  assert.equal((await jobs.get(wrong!.id))?.state, 'dead', 'the filter did not match it');
  assert.deepEqual(await jobs.replay({ kind: 'measure', keyPrefix: 'wrong\n' }), { replayed: 1 });
  await expectState(jobs, wrong!.id, 'done');
});

test('a delayed job is published after its delay, also by another process, and can be cancelled until then', async (t) => {
  const { open } = await setUp(t);
  const producer = await open({ tasks: [] });
  const startedAt = new Map<string, number>();
  const enqueuedAt = performance.now();
  const [soon, late] = await Promise.all([
    producer.enqueue('send', { text: 'soon' }, { delay: '1500ms' }),
    producer.enqueue('send', { text: 'late' }, { delay: '1h' }),
  ]);
  const jobs = await open();
  await jobs.work('send', ({ id }) => startedAt.set(id, performance.now()));
  assert.equal(await jobs.cancel(late.id), true);
  assert.equal(await jobs.cancel(late.id), false, 'it has ended');
  await expectState(jobs, soon.id, 'done');
  assert.ok(startedAt.get(soon.id)! - enqueuedAt >= 1_500);
  assert.equal((await jobs.get(late.id))?.state, 'cancelled');
  assert.equal(await jobs.cancel(soon.id), false);
  assert.equal(await jobs.cancel('send:nobody'), false);
});

test('a job that is cancelled while it waits on the broker does not run', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const { id } = await jobs.enqueue('send', { text: '' }, { key: 'unwanted' });
  await expectState(jobs, id, 'queued');
  assert.equal(await jobs.cancel(id), true);
  const ran: string[] = [];
  await jobs.work('send', (job) => ran.push(job.key));
  await expectState(jobs, (await jobs.enqueue('send', { text: '' }, { key: 'wanted' })).id, 'done');
  assert.deepEqual(ran, ['wanted']);
  assert.equal((await jobs.get(id))?.state, 'cancelled');
});

test('an urgent job passes those that were enqueued before it', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const normal = await Promise.all(
    Array.from({ length: 50 }, () => jobs.enqueue('send', { text: 'normal' })),
  );
  await Promise.all(normal.map(({ id }) => expectState(jobs, id, 'queued')));
  const urgent = await jobs.enqueue('send', { text: 'urgent' }, { priority: 'high' });
  await expectState(jobs, urgent.id, 'queued');
  const order: string[] = [];
  await jobs.work('send', ({ payload }) => order.push(payload.text), { concurrency: 1 });
  await eventually(() => order.length === 51, { describe: () => order.join() });
  assert.equal(order.indexOf('urgent'), 0, order.join());
});

test('jobs are listed by kind, key, state, time and error, in both directions and page by page', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open({ tasks: [] });
  const keys = Array.from({ length: 250 }, (_, index) => `ann:${String(index).padStart(3, '0')}`);
  await Promise.all(keys.map((key) => jobs.enqueue('send', { text: '' }, { key })));
  await jobs.enqueue('send', { text: '' }, { key: 'anna' });
  await jobs.enqueue('measure', { text: '' }, { key: 'ann:x' });
  const keysOf = async (filter: Parameters<Opened['list']>[0]) => {
    const found: string[] = [];
    for await (const { key } of jobs.list(filter)) found.push(key);
    return found;
  };
  assert.deepEqual(await keysOf({ kind: 'send', keyPrefix: 'ann:' }), keys);
  assert.deepEqual(
    await keysOf({ kind: 'send', keyPrefix: 'ann:', isDescending: true }),
    keys.toReversed(),
  );
  assert.deepEqual(await keysOf({}), [...keys, 'ann:x', 'anna'], 'all kinds together');
  await jobs.enqueue('measure', { text: '' }, { key: 'ann:100' });
  const all = [...keys.slice(0, 100), 'ann:100', ...keys.slice(100), 'ann:x', 'anna'];
  // Both kinds have a job of this key: pages of one job show each of them once.
  for (const isDescending of [false, true]) {
    const paged: string[] = [];
    let after: { key: string; kind: 'measure' | 'send' } | undefined;
    for (let isEnd = false; !isEnd; ) {
      isEnd = true;
      const start = after === undefined ? {} : { after };
      for await (const job of jobs.list({ keyPrefix: 'ann', isDescending, ...start })) {
        paged.push(job.key);
        after = job;
        isEnd = false;
        break;
      }
    }
    assert.deepEqual(paged, isDescending ? all.toReversed() : all);
  }
  const behind = { after: { key: 'ann:100' } };
  assert.deepEqual(await keysOf(behind), [...keys.slice(101), 'ann:x', 'anna']);
  assert.deepEqual(
    await keysOf({ ...behind, isDescending: true }),
    keys.slice(0, 100).toReversed(),
  );
  assert.deepEqual(await keysOf({ keyPrefix: 'anna' }), ['anna']);
  assert.deepEqual(await keysOf({ state: 'dead' }), []);
  assert.deepEqual(await keysOf({ since: new Date(Date.now() + 3_600_000) }), []);
  assert.equal((await keysOf({ state: 'pending', until: new Date() })).length, 253);
});

test('a ping says which of the servers answer that the process uses', async (t) => {
  const { open, connection, managementUrl, url } = await setUp(t);
  const jobs = await open();
  assert.deepEqual(await jobs.ping(), { database: true, broker: true });
  const producer = await open({ tasks: [] });
  assert.deepEqual(await producer.ping(), { database: true });
  const reporting = await openJobs({ connection, managementUrl, kinds: KINDS });
  t.after(() => reporting.close({ deadline: 0 }));
  assert.deepEqual(await reporting.ping(), {});
  const worker = await reporting.work('send', () => undefined, {
    report: () => Promise.resolve(),
  });
  assert.deepEqual(await reporting.ping(), { broker: true });
  await worker.stop();

  const proxy = await openProxy(t, url);
  const far = await open({ database: proxy.url, tasks: [] });
  proxy.holdReplies();
  assert.deepEqual(await far.ping(), { database: false });
  proxy.release();
  assert.deepEqual(await far.ping(), { database: true });
});

test('a worker holds as many messages as it is told', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const gate = Promise.withResolvers<undefined>();
  const begun: string[] = [];
  const run = async ({ key }: { key: string }) => {
    begun.push(key);
    await gate.promise;
  };
  const wrong = { concurrency: 2, prefetch: 1 };
  await assert.rejects(jobs.work('send', run, wrong), /prefetch must be a whole number from 2/);
  await assert.rejects(jobs.work('send', run, { concurrency: 0 }), /concurrency must be/);
  const report = () => Promise.resolve();
  await assert.rejects(
    jobs.work('send', run, { concurrency: 2, prefetch: 5, report }),
    /from 2 to 4, not 5/,
  );
  await jobs.work('send', run, { concurrency: 1, prefetch: 1 });
  await Promise.all(['a', 'b'].map((key) => jobs.enqueue('send', { text: '' }, { key })));
  await eventually(() => begun.length === 1, { describe: () => begun.join() });
  // The second message is still in the queue, so another worker gets it.
  await jobs.work('send', run, { concurrency: 1, prefetch: 1 });
  await eventually(() => begun.length === 2, { describe: () => begun.join() });
  gate.resolve(undefined);
  for (const key of begun) await expectState(jobs, `send:${key}`, 'done');
});

test('a worker without a database reports by a callback, and nothing is lost while the receiver is away', async (t) => {
  const { open, connection, managementUrl } = await setUp(t);
  const main = await open();
  const worker = await openJobs({ connection, managementUrl, kinds: KINDS });
  t.after(() => worker.close({ deadline: '5s' }));
  await assert.rejects(worker.enqueue('send', { text: '' }), /needs the database/);
  let failures = 3;
  const reports: JobReport[] = [];
  await worker.work(
    'measure',
    ({ payload, attempt }) => {
      if (payload.text === 'dead') throw new Error('always');
      if (payload.text === 'second' && attempt.number === 1) throw new Error('once');
      return payload.text.length;
    },
    {
      report: async (report) => {
        failures -= 1;
        if (failures >= 0) throw new Error('the receiver is away');
        // It may have arrived although its sender does not know: a second copy changes nothing.
        const sent = JSON.parse(JSON.stringify(report)) as JobReport;
        reports.push(sent);
        await main.recordReport(sent);
        await main.recordReport(sent);
      },
    },
  );
  const [first, second, dead] = await Promise.all(
    ['first', 'second', 'dead'].map((key) => main.enqueue('measure', { text: key }, { key })),
  );
  assert.equal((await expectState(main, first!.id, 'done')).result, 5);
  const retried = await expectState(main, second!.id, 'done');
  assert.deepEqual([retried.result, retried.attempts], [6, 2]);
  const ended = await expectState(main, dead!.id, 'dead');
  assert.deepEqual([ended.error, ended.attempts], ['always', 3]);
  assert.equal(reports.length, 6, JSON.stringify(reports));
  await assert.rejects(
    main.recordReport({ id: 'x' }),
    (error) => error instanceof JobRefused && error.code === 'REPORT_INVALID',
  );
});

test('a report that cannot be written as it is ends its job, and one that agrees with no job is refused', async (t) => {
  const { open, connection, managementUrl, client } = await setUp(t);
  const any = schemaOf((input: unknown) => input);
  const kinds = {
    measure: { payload: text, result: any, retry: { delays: ['100ms'] } },
    send: { payload: text, retry: { delays: ['100ms'] } },
  } as const;
  const main = await open({ kinds: kinds as never });
  const worker = await openJobs({ connection, managementUrl, kinds });
  t.after(() => worker.close({ deadline: '5s' }));
  const reports: JobReport[] = [];
  const report = async (given: JobReport) => {
    reports.push(given);
    await main.recordReport(given);
  };
  // The driver stores no name with this character.
  await worker.work('measure', () => ({ 'a\0b': 1 }), { report });
  await worker.work(
    'send',
    () => {
      throw new Error('unwanted');
    },
    { report, onError: () => ({ type: 'discard', reason: 'x'.repeat(2_000) }) },
  );
  const refused = await main.enqueue('measure', { text: '' });
  const dead = await expectState(main, refused.id, 'dead');
  assert.match(dead.error ?? '', /null bytes/);
  const { id } = await main.enqueue('send', { text: '' });
  await expectState(main, id, 'cancelled');
  assert.equal(reports.length, 2, JSON.stringify(reports));

  const known = { ...reports.find((one) => one.id === id)!, state: 'done' as const };
  const attempt = { ...known.attempt, startedAt: 'yesterday' };
  for (const [field, wrong] of [
    ['kind', { ...known, kind: 'measure' }],
    ['generation', { ...known, generation: 2 }],
    ['result', { ...known, result: 1 }],
    ['attempt.startedAt', { ...known, attempt }],
    ['attempt.number', { ...known, attempt: { ...known.attempt, number: 0 } }],
  ] as const)
    await assert.rejects(main.recordReport(wrong), (error) => {
      assert.ok(error instanceof JobRefused, String(error));
      assert.deepEqual([error.code, error.field], ['REPORT_INVALID', field]);
      return true;
    });
  const unknown = { ...known, id: 'measure:unknown', kind: 'measure', result: 1 };
  await main.recordReport(unknown);
  assert.equal(await client.db().collection('fit_results').countDocuments(), 0);
});

test('a paused worker takes nothing until it is resumed', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const ran: string[] = [];
  const worker = await jobs.work('send', ({ key }) => ran.push(key));
  assert.equal(worker.health, 'running');
  await worker.pause();
  assert.equal(worker.health, 'paused');
  await jobs.enqueue('send', { text: '' }, { key: 'a' });
  await expectState(jobs, 'send:a', 'queued');
  const other = await jobs.work('measure', ({ payload }) => payload.text.length);
  // The message of the other kind was published later, so the first one would have been delivered by now.
  const { id } = await jobs.enqueue('measure', { text: '' });
  await expectState(jobs, id, 'done');
  assert.deepEqual(ran, []);
  worker.resume();
  await expectState(jobs, 'send:a', 'done');
  await other.stop();
  assert.equal(other.health, 'stopped');
});

test('a stop waits for what runs, no job is lost by it, and close may be called twice', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const gate = Promise.withResolvers<undefined>();
  const begun: string[] = [];
  const worker = await jobs.work(
    'send',
    async ({ key }) => {
      begun.push(key);
      await gate.promise;
    },
    { concurrency: 1 },
  );
  await Promise.all(['a', 'b'].map((key) => jobs.enqueue('send', { text: '' }, { key })));
  await eventually(() => begun.length === 1, { describe: () => begun.join() });
  const stopped = worker.stop({ deadline: '5s' });
  assert.equal(worker.health, 'stopping');
  gate.resolve(undefined);
  await stopped;
  assert.equal((await jobs.get(`send:${begun[0]}`))?.state, 'done');
  await jobs.work('send', ({ key }) => begun.push(key));
  for (const key of ['a', 'b']) await expectState(jobs, `send:${key}`, 'done');
  assert.deepEqual(begun.toSorted(), ['a', 'b']);
  await Promise.all([jobs.close(), jobs.close()]);
  await assert.rejects(jobs.enqueue('send', { text: '' }), /closed/);
});

test('a close waits for a worker that is stopping and for one that is being opened', async (t) => {
  const { open } = await setUp(t);
  const jobs = await open();
  const [begun, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const worker = await jobs.work('send', async () => {
    begun.resolve(undefined);
    await gate.promise;
  });
  const { id } = await jobs.enqueue('send', { text: '' });
  await begun.promise;
  const stopped = worker.stop({ deadline: '1m' });
  const opening = assert.rejects(
    jobs.work('measure', () => 1),
    /closed/,
  );
  const closed = jobs.close({ deadline: '1m' });
  await opening;
  assert.equal(worker.health, 'stopping');
  gate.resolve(undefined);
  await Promise.all([stopped, closed]);
  assert.equal(worker.health, 'stopped');
  const again = await open();
  assert.equal((await again.get(id))?.state, 'done', 'its end was written before the close');
});
