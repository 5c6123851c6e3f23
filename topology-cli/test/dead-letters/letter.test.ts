/** Goal: what a letter says is read without trust, and without loss. Method: pure functions, odd and random letters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint } from '@fit/topology';
import fc from 'fast-check';
import { BROKER_SERIES, EXHAUSTED } from '../../../topology/test/support/deathHeaders.ts';
import { DEFAULT } from '../../../topology/test/support/declarations.ts';
import { journeyLines } from '../../src/dead-letters/deathHistory.ts';
import { type RawLetter, readLetter } from '../../src/dead-letters/letter.ts';
import { isMatch, type LetterFilter, parseMoment } from '../../src/dead-letters/letterFilter.ts';
import { LetterGroups } from '../../src/dead-letters/letterGroups.ts';
import { ownHeaders, replayHeaders, replayMark } from '../../src/dead-letters/ownHeaders.ts';
import { handfulSize } from '../../src/dead-letters/sendLetters.ts';

const KIND = DEFAULT.kind.createWod;

function raw(change: Partial<RawLetter> = {}): RawLetter {
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

test('an exhausted letter of every broker: its cause, its time, its journey oldest first', () => {
  for (const line of BROKER_SERIES) {
    const letter = readLetter(KIND, raw({ headers: EXHAUSTED[line] }));
    assert.deepEqual([letter.cause, letter.errorClass], ['exhausted', 'exhausted']);
    assert.equal(letter.diedAt?.toISOString(), '2023-11-14T22:13:20.000Z');
    assert.equal(letter.deaths.length, 4);
    const [first] = journeyLines(letter.deaths);
    assert.match(first!, /^2023-11-14T22:13:20\.000Z {2}createWodQueue: rejected 4 times, first/);
  }
});

test('what the worker wrote comes first; numbers and ids make no new fingerprint', () => {
  const headers = { 'death-cause': 'fatal', 'death-class': 'E', 'death-message': 'user 7' };
  const letter = readLetter(KIND, raw({ headers }));
  assert.deepEqual([letter.cause, letter.errorClass, letter.message], ['fatal', 'E', 'user 7']);
  assert.equal(letter.fingerprint, fingerprint('E', 'user 4711'));
});

test('the newest plausible time is taken, and no nonsense', () => {
  const timeOf = (headers: object, timestamp?: number) =>
    readLetter(
      KIND,
      raw({
        headers: headers as RawLetter['headers'],
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

test('any header whatever is read without a throw', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('x-death', 'death-class', 'death-cause', 'replay-at', 'own'),
        fc.anything(),
      ),
      (headers) => {
        const letter = readLetter(KIND, raw({ headers }));
        new LetterGroups().add(letter);
        journeyLines(letter.deaths);
        replayHeaders(letter.headers, { replayId: 'r', startedAt: new Date() }, new Date());
      },
    ),
  );
});

test('a letter without an id is named by its key and body, the same each time', () => {
  const idOf = (change: Partial<RawLetter>) =>
    readLetter(KIND, raw({ properties: {}, ...change })).id;
  assert.match(idOf({}), /^body-[0-9a-f]{12}$/);
  assert.equal(idOf({}), idOf({}));
  assert.notEqual(idOf({}), idOf({ body: Buffer.from('2') }));
  assert.notEqual(idOf({}), idOf({ routingKey: 'other' }));
});

test('all that a filter names must hold', () => {
  const headers = { 'death-cause': 'fatal', 'death-class': 'E', team: 'blue', size: 7 };
  const letter = readLetter(
    KIND,
    raw({ headers, properties: { messageId: 'id', timestamp: 1_700_000_000 } }),
  );
  const died = new Date(1_700_000_000_000);
  const matching: LetterFilter[] = [
    {},
    { cause: 'fatal', errorClass: 'E', id: 'id', since: died, until: died },
    {
      headers: [
        ['team', 'blue'],
        ['size', '7'],
      ],
    },
  ];
  const missing: LetterFilter[] = [
    { cause: 'crashed' },
    { errorClass: 'F' },
    { id: 'other' },
    { since: new Date(died.getTime() + 1) },
    { until: new Date(died.getTime() - 1) },
    { headers: [['team', 'red']] },
    { headers: [['missing', '']] },
  ];
  assert.deepEqual(
    matching.map((filter) => isMatch(letter, filter)),
    [true, true, true],
  );
  assert.ok(missing.every((filter) => !isMatch(letter, filter)));
  const timeless = readLetter(KIND, raw());
  assert.equal(isMatch(timeless, { since: new Date(0) }), false);
});

test('a moment is an ISO time, or a span that ends now', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  const textOf = (text: string) => parseMoment(text, now)?.toISOString();
  assert.equal(textOf('2h'), '2026-01-31T10:00:00.000Z');
  assert.equal(textOf('7d'), '2026-01-24T12:00:00.000Z');
  assert.equal(textOf('2026-01-30'), '2026-01-30T00:00:00.000Z');
  for (const text of ['soon', '7', '', '2026-13-01', '-2h']) assert.equal(textOf(text), undefined);
});

test('what steers the broker is not own; foreign x- names are', () => {
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
  assert.deepEqual(ownHeaders({ ...broker, ...own }), own);
  const run = { replayId: 'mine', startedAt: new Date(1_000) };
  const headers = replayHeaders({ ...broker, ...own }, run, new Date(2_000));
  assert.deepEqual(headers, {
    'x-request-id': 'r',
    cc2: 1,
    'replay-id': 'mine',
    'replay-count': 3,
    'replay-at': 2_000,
  });
  assert.equal(replayMark(headers, run), 'own');
  assert.equal(replayMark(headers, { replayId: 'other', startedAt: new Date(1_500) }), 'other');
  assert.equal(replayMark(headers, { replayId: 'other', startedAt: new Date(2_500) }), 'none');
  assert.equal(replayMark({ 'replay-at': 'now' }, run), 'none');
});

test('at a rate a handful is what is due, and never more than a window', () => {
  const sizeOf = (ratePerSecond: number | undefined) =>
    handfulSize({ ratePerSecond, windowCount: 50 });
  assert.deepEqual([undefined, 0.5, 20, 300, 9_000].map(sizeOf), [50, 1, 2, 30, 50]);
});
