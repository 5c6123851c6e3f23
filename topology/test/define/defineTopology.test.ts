/** Goal: messages and queues become a proved declaration, or a list of all faults. Method: pure, with real schemas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attemptOf,
  defineTopology,
  exponential,
  fixed,
  linear,
  planTopology,
  provePlan,
  route,
  TopologyError,
} from '@fit/topology';
import { z } from 'zod';

const messages = {
  'order.created': z.object({ id: z.string(), total: z.number() }),
  'order.paid': z.object({ id: z.string() }),
  'user.created': z.object({ name: z.string() }),
};

const SHOP = defineTopology({
  exchange: 'shop',
  messages,
  queues: {
    invoices: { on: ['order.created'], retry: { delays: ['5s', '30s'] } },
    mails: { on: ['order.*', 'user.created'], retry: { delays: fixed('1s', 7) } },
    audit: { on: ['#'], retry: { delays: ['5s'], immediate: 2 }, maxLength: 99 },
  },
});

test('each queue becomes a kind with its keys, and the plan is proved on every release', () => {
  const { kinds } = SHOP.declaration;
  assert.deepEqual(
    kinds.map(({ kind, queue, key, keys }) => [kind, queue, key, keys]),
    [
      ['invoices', 'invoices', 'order.created', ['order.created']],
      ['mails', 'mails', 'order.created', ['order.*', 'user.created']],
      ['audit', 'audit', 'order.created', ['#']],
    ],
  );
  assert.deepEqual(
    kinds.map(({ maxLength, crashLimit, tiersMs }) => [maxLength, crashLimit, tiersMs.length]),
    [
      [10_000, 5, 2],
      [10_000, 8, 7],
      [99, 5, 1],
    ],
  );
  for (const version of ['3.10.8', '3.13.7', '4.0.5', '4.3.6'])
    for (const hasManagement of [true, false])
      provePlan(SHOP.declaration, planTopology(SHOP.declaration, { version, hasManagement }));
});

test('a message reaches exactly the queues that are on it, and each reads its first attempt from any of its keys', () => {
  const plan = planTopology(SHOP.declaration, { version: '4.3.6', hasManagement: false });
  const reached = (key: string) => route(plan, 'shop', { key }).sort();
  assert.deepEqual(reached('order.created'), ['audit', 'invoices', 'mails']);
  assert.deepEqual(reached('order.paid'), ['audit', 'mails']);
  assert.deepEqual(reached('user.created'), ['audit', 'mails']);
  assert.deepEqual(reached('user.renamed'), ['audit']);
  const [invoices, mails, audit] = plan.kinds;
  const numberOf = (kind: typeof invoices, key: string) => attemptOf(kind!, key, {})?.number;
  assert.deepEqual(
    [mails, audit, invoices].map((kind) => numberOf(kind, 'order.paid')),
    [1, 1, undefined],
  );
  assert.deepEqual([numberOf(mails, 'mails.r0'), numberOf(mails, 'mails.r2')], [1, 3]);
});

function faultsOf(options: unknown): string[] {
  try {
    defineTopology(options as never);
  } catch (error) {
    assert.ok(error instanceof TopologyError, String(error));
    return error.faults.map(({ code, subject }) => `${code} ${subject}`);
  }
  return [];
}

test('all faults are found at once, in the words of queues and messages', () => {
  assert.deepEqual(
    faultsOf({
      exchange: 'a b',
      messages: { 'bad name': z.string(), send: {}, lone: z.string() },
      queues: {
        outbox: { on: ['send', 'other', 'no.*'], retry: { delays: ['5x'], imediate: 1 }, typo: 1 },
        empty: { on: [], retry: { delays: [], immediate: -1 } },
        nothing: undefined,
      },
    }).sort(),
    [
      'COUNT_OUT_OF_RANGE empty.retry.immediate',
      'DURATION_UNREADABLE outbox.retry.delays[0]',
      'MESSAGE_UNKNOWN outbox.on[1]',
      'MESSAGE_UNKNOWN outbox.on[2]',
      'MESSAGE_WITHOUT_QUEUE messages.bad name',
      'MESSAGE_WITHOUT_QUEUE messages.lone',
      'NAME_INVALID exchange',
      'NAME_INVALID messages.bad name',
      'NO_MESSAGE empty.on',
      'NO_MESSAGE nothing.on',
      'NO_TIER empty.retry.delays',
      'NO_TIER nothing.retry.delays',
      'OPTION_UNKNOWN outbox.retry.imediate',
      'OPTION_UNKNOWN outbox.typo',
      'SCHEMA_INVALID messages.send',
    ],
  );
  for (const nothing of [undefined, null, {}, { queues: {} }])
    assert.deepEqual(faultsOf(nothing), [
      'NO_MESSAGE messages',
      'NAME_INVALID exchange',
      'NO_KIND queues',
    ]);
});

test('a subscriber with patterns that cover each other keeps a binding', () => {
  const { declaration } = defineTopology({
    exchange: 'shop',
    messages,
    queues: {
      invoices: { on: ['order.created'], retry: { delays: ['5s'] } },
      audit: { on: ['#', '#.#'], retry: { delays: ['5s'] } },
    },
  });
  assert.deepEqual(declaration.kinds.find(({ kind }) => kind === 'audit')?.keys, ['#']);
});

test('a message that has the name of a key after a wait is refused, by a name or a pattern', () => {
  const options = (on: string[], adopt?: string) => ({
    exchange: 'mail',
    messages: { 'mail.r2': z.string(), 'mail.r2d2': z.string() },
    queues: {
      mail: { on, retry: { delays: ['5s'] }, ...(adopt === undefined ? {} : { adopt }) },
      audit: { on: ['#'], retry: { delays: ['5s'] } },
    },
  });
  for (const on of [['mail.r2'], ['mail.*']])
    assert.deepEqual(faultsOf(options(on)), ['KEY_RESERVED messages.mail.r2']);
  assert.deepEqual(faultsOf(options(['mail.*'], 'post')), []);
  assert.deepEqual(faultsOf(options(['mail.r2d2'])), []);
});

test('two queues of one name on the broker are refused by the proof', () => {
  const queue = { on: ['send'], retry: { delays: ['5s'] } };
  const options = {
    exchange: 'mail',
    messages: { send: z.string() },
    queues: { one: queue, two: { ...queue, adopt: 'one' } },
  };
  assert.ok(faultsOf(options).includes('KINDS_SHARE queue one'));
});

test('a misspelt option, an unknown message and a wrong duration do not compile', () => {
  const send = z.object({ to: z.string() });
  const define = (make: () => unknown) => {
    try {
      make();
    } catch (error) {
      assert.ok(error instanceof TopologyError, String(error));
    }
  };
  const on = ['send'] as const;
  const retry = { delays: ['5s'] } as const;
  define(() =>
    defineTopology({
      exchange: 'mail',
      messages: { send },
      // @ts-expect-error: maxLenght is no option
      queues: { outbox: { on, retry, maxLenght: 5 } },
    }));
  define(() =>
    defineTopology({
      exchange: 'mail',
      messages: { send },
      // @ts-expect-error: imediate is no option
      queues: { outbox: { on, retry: { delays: ['5s'], imediate: 5 } } },
    }));
  define(() =>
    defineTopology({
      exchange: 'mail',
      messages: { send },
      // @ts-expect-error: sent is no message
      queues: { outbox: { on: ['sent'], retry } },
    }));
  define(() =>
    defineTopology({
      exchange: 'mail',
      messages: { send },
      // @ts-expect-error: '5 minutes' is no duration
      queues: { outbox: { on, retry: { delays: ['5 minutes'] } } },
    }));
  define(() =>
    defineTopology({
      // @ts-expect-error: text is no schema
      messages: { send: 'text' },
      exchange: 'mail',
      queues: { outbox: { on, retry } },
    }));
});

test('it is frozen with all its parts, and the caller keeps what it gave', () => {
  const given = {
    on: ['order.created' as const],
    retry: { delays: ['5s' as const] },
    load: { perSecond: 1, failureRatio: 0 },
  };
  const topology = defineTopology({
    exchange: 'shop',
    messages: { 'order.created': messages['order.created'] },
    queues: { all: given },
  });
  const open = (value: unknown, path: string): string[] =>
    typeof value !== 'object' || value === null
      ? []
      : [
          ...(Object.isFrozen(value) ? [] : [path]),
          ...Object.entries(value).flatMap(([name, part]) => open(part, `${path}.${name}`)),
        ];
  const { messages: schemas, ...data } = topology;
  assert.ok(Object.isFrozen(topology) && Object.isFrozen(schemas));
  assert.deepEqual(
    Object.entries(data).flatMap(([name, part]) => open(part, name)),
    [],
  );
  const plan = planTopology(topology.declaration, { version: '4.3.6', hasManagement: false });
  assert.deepEqual(open(plan, 'plan'), []);
  assert.ok(!Object.isFrozen(given.retry.delays));
});

test('delays by rule', () => {
  assert.deepEqual(exponential('1s', { retries: 4, factor: 4 }), ['1s', '4s', '16s', '64s']);
  assert.deepEqual(exponential('20m', { retries: 3 }), ['20m', '40m', '1h']);
  assert.deepEqual(exponential(150, { retries: 2, factor: 1.5 }), ['150ms', '225ms']);
  assert.deepEqual(linear('10s', 3), ['10s', '20s', '30s']);
  assert.deepEqual(fixed('30s', 2), ['30s', '30s']);
  for (const wrong of [
    () => fixed('30s', 0),
    () => fixed('x' as never, 1),
    () => linear('0s', 1),
    () => exponential('1s', { retries: 1.5 }),
    () => exponential('1s', { retries: 2, factor: 0.5 }),
  ])
    assert.throws(wrong, RangeError);
});
