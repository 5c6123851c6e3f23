/** Goal: an attempt is made only of a valid delivery. Method: one delivery of each sort. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTopology } from '@fit/topology';
import { CrashLimitExceeded, readAttempt } from '../../src/work/runAttempt.ts';
import { DEFAULT } from '../support/declarations.ts';

const broker = { version: '3.10.8', hasManagement: true };
const kind = planTopology(DEFAULT, broker).kinds[0]!;
const delivery = {
  headers: {},
  routingKey: kind.key,
  isRedelivered: false,
  unreadableReason: undefined,
};

test('a valid delivery is the attempt of its routing key', () => {
  assert.equal(readAttempt({ kind, broker }, delivery).number, 1);
  const later = { ...delivery, routingKey: `${kind.queue}.r2` };
  assert.equal(readAttempt({ kind, broker }, later).number, 3);
});

test('unreadable headers, a forged x-death, a foreign key or too many crashes are refused with the reason', () => {
  const refusal = (
    change: Partial<typeof delivery> & { unreadableReason?: string },
    error: object,
  ) => {
    assert.throws(() => readAttempt({ kind, broker }, { ...delivery, ...change }), error);
  };
  refusal({ unreadableReason: 'too deep' } as never, { message: /cannot be read: too deep/ });
  refusal({ headers: { 'x-death': 'one' } }, { message: /not written by a broker/ });
  refusal({ routingKey: 'job.other' }, { message: /'job\.other' is none of this kind's/ });
  const killed = (count: number) => ({
    headers: { 'x-delivery-count': count },
    isRedelivered: true,
  });
  refusal(killed(kind.crashLimit + 1), CrashLimitExceeded);
  assert.equal(
    readAttempt({ kind, broker }, { ...delivery, ...killed(kind.crashLimit) }).number,
    1,
  );
});
