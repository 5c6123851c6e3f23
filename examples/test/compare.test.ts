/**
 * Goal: the comparison still runs, and says where FIT is worse. Method: one of its scenarios with FIT and with one other
 * library, on the real broker; the text from figures that are made up.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testBroker } from '@fit/stack/testing';
import { countLines, FIT, RABBITMQ_CLIENT } from '../compare/libraries.ts';
import type { Measured } from '../compare/measure.ts';
import { renderComparison, renderWeaknesses } from '../compare/renderComparison.ts';
import { killAtHandover } from '../compare/scenarios.ts';

test('FIT: a worker that is killed while it gives a retry on doubles nothing', async (t) => {
  const result = await killAtHandover(FIT.consumer, await testBroker(t), {
    failure: 'retry',
    kills: 1,
  });
  assert.deepEqual(result, { lost: 0, doubled: 0, kills: 1, handover: 'nack or reject' });
});

test('rabbitmq-client: the same kill doubles the message, since its consumer publishes a copy', async (t) => {
  const result = await killAtHandover(RABBITMQ_CLIENT.consumer, await testBroker(t), {
    failure: 'retry',
    kills: 1,
  });
  assert.deepEqual(result, { lost: 0, doubled: 1, kills: 1, handover: 'published copy' });
});

const MEASURED: Measured = {
  name: 'FIT topology',
  version: '0.0.0',
  lines: 27,
  kill: {
    lost: 0,
    doubled: 0,
    kills: 3,
    unfinished: 0,
    miscounted: 0,
    tellsFatalError: true,
    toldErrorOfExhausted: 'none',
  },
  retryHandover: { lost: 0, doubled: 0, kills: 3, handover: 'nack or reject' },
  fatalHandover: { lost: 0, doubled: 0, kills: 3, handover: 'published copy' },
  unknownKey: { answer: 'told: returned' },
  poison: {
    isDeadLettered: true,
    crashes: 6,
    innocentDeadLetters: 0,
    innocentAttemptsSpent: 0,
    lostInnocents: 0,
  },
  restart: { lost: 0, doubled: 9, comesBack: true, backAfterMs: 1_800 },
  longWait: { shortWaitMs: 110 },
  stop: { endsByItself: true, handledAgain: 0 },
};

test('the comparison names each row in which another library is better', () => {
  const other = {
    ...MEASURED,
    name: 'other',
    lines: 80,
    kill: { ...MEASURED.kill, toldErrorOfExhausted: 'last' as const },
  };
  assert.deepEqual(renderWeaknesses([MEASURED, other]), [
    '- dead letter after the last attempt tells an error: no; better: other (yes, of the last attempt).',
  ]);
  assert.deepEqual(renderWeaknesses([other, MEASURED]), [
    '- lines of the consumer: 80; better: FIT topology (27).',
  ]);
  const document = renderComparison({
    setting: ['a machine'],
    libraries: [FIT, RABBITMQ_CLIENT],
    measured: [MEASURED, other],
    missing: ['Spring AMQP, because there is no Maven'],
  });
  assert.match(document, /[|] FIT topology 0[.]0[.]0 [|] other 0[.]0[.]0 [|]/);
  assert.match(document, /Not measured: Spring AMQP, because there is no Maven[.]/);
  assert.ok(countLines(FIT) < countLines(RABBITMQ_CLIENT));
});
