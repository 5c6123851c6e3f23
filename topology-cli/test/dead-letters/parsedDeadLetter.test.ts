/** Goal: a dead letter is parsed without trusting it. Method: pure functions on odd and random messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint, replayedBy, replayHeaders } from '@fit/topology';
import fc from 'fast-check';
import { BROKER_SERIES, EXHAUSTED } from '../../../topology/test/support/deathHeaders.ts';
import { DEFAULT } from '../../../topology/test/support/declarations.ts';
import {
  type DeadLetterFilter,
  matchesFilter,
  parseTimeOrAge,
} from '../../src/dead-letters/deadLetterFilter.ts';
import { DeadLetterGroups } from '../../src/dead-letters/deadLetterGroups.ts';
import {
  type DeadLetterSource,
  deathLines,
  parseDeadLetter,
} from '../../src/dead-letters/parsedDeadLetter.ts';
import { batchSize } from '../../src/dead-letters/republish.ts';

const KIND = DEFAULT.kind.createWod;

function raw(change: Partial<DeadLetterSource> = {}): DeadLetterSource {
  return {
    routingKey: 'createWodQueue.r3',
    exchange: 'createWodQueue.park',
    body: Buffer.from('1'),
    headers: {},
    properties: { messageId: 'id' },
    unreadableReason: undefined,
    ...change,
  };
}

test('an exhausted dead letter of every broker version: cause, time, and deaths with the oldest first', () => {
  for (const line of BROKER_SERIES) {
    const deadLetter = parseDeadLetter(KIND, raw({ headers: EXHAUSTED[line] }));
    assert.deepEqual([deadLetter.cause, deadLetter.errorClass], ['exhausted', 'exhausted']);
    assert.equal(deadLetter.diedAt?.toISOString(), '2023-11-14T22:13:20.000Z');
    assert.equal(deadLetter.deaths.length, 4);
    const [first] = deathLines(deadLetter.deaths);
    assert.match(first!, /^2023-11-14T22:13:20\.000Z {2}createWodQueue: rejected 4 times, first/);
  }
});

test('the error that the worker wrote is used, and numbers do not change the fingerprint', () => {
  const headers = { 'death-cause': 'fatal', 'death-class': 'E', 'death-message': 'user 7' };
  const deadLetter = parseDeadLetter(KIND, raw({ headers }));
  assert.deepEqual(
    [deadLetter.cause, deadLetter.errorClass, deadLetter.message],
    ['fatal', 'E', 'user 7'],
  );
  assert.equal(deadLetter.fingerprint, fingerprint('E', 'user 4711'));
});

test('the newest plausible time is used, and implausible ones are ignored', () => {
  const timeOf = (headers: object, timestamp?: number) =>
    parseDeadLetter(
      KIND,
      raw({
        headers: headers as DeadLetterSource['headers'],
        properties: timestamp === undefined ? {} : { timestamp },
      }),
    ).diedAt?.toISOString();
  const at = (value: unknown) => ({ queue: 'q', reason: 'r', time: { '!': 'timestamp', value } });
  assert.equal(timeOf({}), undefined);
  assert.equal(timeOf({ 'x-death': [at(1e300), at('x'), at(-1)] }, 2 ** 63), undefined);
  assert.equal(
    timeOf({ 'x-death': [at(1_700_000_000)] }, 1_600_000_000),
    '2023-11-14T22:13:20.000Z',
  );
  assert.equal(
    timeOf({ 'x-death': [at(1_600_000_000)] }, 1_700_000_000),
    '2023-11-14T22:13:20.000Z',
  );
});

test('property: any headers are parsed without a throw', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('x-death', 'death-class', 'death-cause', 'replay-at', 'own'),
        fc.anything(),
      ),
      (headers) => {
        const deadLetter = parseDeadLetter(KIND, raw({ headers }));
        new DeadLetterGroups().add(deadLetter);
        deathLines(deadLetter.deaths);
        replayHeaders(deadLetter.headers, { replayId: 'r', startedAt: new Date() }, new Date());
      },
    ),
  );
});

test('a dead letter without an id is named by its key and body, the same each time', () => {
  const idOf = (change: Partial<DeadLetterSource>) =>
    parseDeadLetter(KIND, raw({ properties: {}, ...change })).id;
  assert.match(idOf({}), /^body-[0-9a-f]{12}$/);
  assert.equal(idOf({}), idOf({}));
  assert.notEqual(idOf({}), idOf({ body: Buffer.from('2') }));
  assert.notEqual(idOf({}), idOf({ routingKey: 'other' }));
});

test('a dead letter must meet all conditions of a filter', () => {
  const headers = { 'death-cause': 'fatal', 'death-class': 'E', team: 'blue', size: 7 };
  const deadLetter = parseDeadLetter(
    KIND,
    raw({ headers, properties: { messageId: 'id', timestamp: 1_700_000_000 } }),
  );
  const died = new Date(1_700_000_000_000);
  const matching: DeadLetterFilter[] = [
    {},
    { cause: 'fatal', errorClass: 'E', id: 'id', since: died, until: died },
    {
      headers: [
        ['team', 'blue'],
        ['size', '7'],
      ],
    },
  ];
  const missing: DeadLetterFilter[] = [
    { cause: 'crashed' },
    { errorClass: 'F' },
    { id: 'other' },
    { since: new Date(died.getTime() + 1) },
    { until: new Date(died.getTime() - 1) },
    { headers: [['team', 'red']] },
    { headers: [['missing', '']] },
  ];
  assert.deepEqual(
    matching.map((filter) => matchesFilter(deadLetter, filter)),
    [true, true, true],
  );
  assert.ok(missing.every((filter) => !matchesFilter(deadLetter, filter)));
  const timeless = parseDeadLetter(KIND, raw());
  assert.equal(matchesFilter(timeless, { since: new Date(0) }), false);
});

test('a time is an ISO time or an age', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  const textOf = (text: string) => parseTimeOrAge(text, now)?.toISOString();
  assert.equal(textOf('2h'), '2026-01-31T10:00:00.000Z');
  assert.equal(textOf('7d'), '2026-01-24T12:00:00.000Z');
  assert.equal(textOf('2026-01-30'), '2026-01-30T00:00:00.000Z');
  for (const text of ['soon', '7', '', '2026-13-01', '-2h']) assert.equal(textOf(text), undefined);
});

test('a replayed message keeps the headers of its sender, also x- headers, and none that the broker obeys', () => {
  const broker = {
    'x-death': [],
    'x-first-death-queue': 'q',
    'x-last-death-reason': 'r',
    CC: [],
    bcc: [],
    'x-delivery-count': 1,
    'x-acquired-count': 1,
    'x-opt-enqueued': 1,
  };
  const own = { 'x-request-id': 'r', 'death-class': 'E', cc2: 1, 'replay-count': 2 };
  const run = { replayId: 'mine', startedAt: new Date(1_000) };
  const headers = replayHeaders({ ...broker, ...own }, run, new Date(2_000));
  assert.deepEqual(headers, {
    'x-request-id': 'r',
    cc2: 1,
    'replay-id': 'mine',
    'replay-count': 3,
    'replay-at': 2_000,
  });
  assert.equal(replayedBy(headers, run), 'this run');
  assert.equal(
    replayedBy(headers, { replayId: 'other', startedAt: new Date(1_500) }),
    'another run',
  );
  assert.equal(replayedBy(headers, { replayId: 'other', startedAt: new Date(2_500) }), undefined);
  assert.equal(replayedBy({ 'replay-at': 'now' }, run), undefined);
});

test('a batch is what the rate allows, and never more than the unconfirmed limit', () => {
  const sizeOf = (ratePerSecond: number | undefined) =>
    batchSize({ ratePerSecond, maxUnconfirmed: 50 });
  assert.deepEqual([undefined, 0.5, 20, 300, 9_000].map(sizeOf), [50, 1, 2, 30, 50]);
});
