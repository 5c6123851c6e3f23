/** Goal: the settler stores the effect, then the record, then answers the broker. Method: fakes that record the order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Handlers, JobEvent } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { settlementOf } from '../../src/settle/settlement.ts';
import { openSettler } from '../../src/settle/settler.ts';
import { attemptEnd } from '../support/fakes.ts';

/** The record that every attempt of these tests agrees with. */
const findComparedFields = () =>
  Promise.resolve(new Map([['id', { _id: 'id', kind: 'trivial', generation: 2, payload: {} }]]));

function open(failures: { effect: number; record: number }) {
  const steps: string[] = [];
  const events: JobEvent[] = [];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const handlers = new Map([
    [
      'trivial',
      {
        store: (effects: readonly unknown[]) => {
          if (failures.effect-- > 0) return Promise.reject(new Error('effects out'));
          steps.push(`effect ${effects.length}`);
          return Promise.resolve();
        },
      },
    ],
  ]) as unknown as Handlers;
  const store = {
    findComparedFields,
    change: (transition: string, changes: readonly unknown[]) => {
      if (failures.record-- > 0) return Promise.reject(new Error('records out'));
      steps.push(`${transition} ${changes.length}`);
      return Promise.resolve(changes.length);
    },
  } as unknown as JobStore;
  const settler = openSettler({ store, handlers, onEvent: (event) => events.push(event) });
  const answer = () => {
    steps.push('answer');
    resolve(undefined);
  };
  const finished = settlementOf(attemptEnd(1, { type: 'done', effect: 'e' }, answer), 'worker');
  return { settler, steps, events, finished, answered: promise };
}

test('the effect is stored, then the record, then the broker is answered', async () => {
  const { settler, steps, finished, answered, events } = open({ effect: 0, record: 0 });
  settler.add(finished);
  await answered;
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer']);
  const ends = [{ jobId: 'id', attemptCount: 1, endToEndMs: undefined }];
  assert.deepEqual(events, [{ type: 'finished', kind: 'trivial', count: 1, ends }]);
});

test('a job that is done without an effect stores only its record', async () => {
  const { settler, steps, finished, answered } = open({ effect: 0, record: 0 });
  const answer = () => {
    steps.push('answer');
  };
  settler.add(settlementOf(attemptEnd(1, { type: 'done' }, answer), 'worker'));
  settler.add(finished);
  await answered;
  assert.deepEqual(steps, ['effect 1', 'finish 2', 'answer', 'answer']);
});

test('a failed effect writes no record, and a failed record sends no answer', async () => {
  const { settler, steps, finished, answered, events } = open({ effect: 1, record: 1 });
  settler.add(finished);
  await answered;
  await turn();
  assert.deepEqual(steps, ['effect 1', 'effect 1', 'finish 1', 'answer']);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['storeDown', 'finished', 'storeUp'],
  );
});

test('only a first end has an end-to-end time, and a batch with a late change reports no job ids', async () => {
  const events: JobEvent[] = [];
  const store = { findComparedFields, change: () => Promise.resolve(1) } as unknown as JobStore;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const settler = openSettler({
    store,
    handlers: new Map(),
    onEvent: (event) => events.push(event),
  });
  const fatal = settlementOf(
    attemptEnd(1, { type: 'reject', error: new Error('no') }, () => {
      resolve(undefined);
    }),
    'worker',
  );
  const at = (generation: number, id: string) => ({
    ...fatal,
    createdAtMs: 0,
    change: { ...fatal.change, id, generation },
  });
  settler.add(at(1, 'first'));
  await promise;
  await turn();
  settler.add(at(2, 'replayed'));
  settler.add(at(2, 'late'));
  await turn();
  await turn();
  const reported = events.flatMap((event) => (event.type === 'deadLettered' ? event.ends : []));
  assert.deepEqual(
    reported.map(({ jobId, endToEndMs }) => [jobId, endToEndMs !== undefined]),
    [
      ['first', true],
      [undefined, false],
    ],
  );
});

test('a refusal that is never confirmed delays no valid attempt, in the same batch or in the next', {
  timeout: 30_000,
}, async () => {
  const { settler, steps, finished, answered } = open({ effect: 0, record: 0 });
  const end = {
    ...finished.end,
    message: { ...finished.end.message, payload: { other: true } },
    refuse: () => new Promise<void>(() => undefined),
  };
  settler.add({ ...finished, end });
  settler.add(finished);
  await answered;
  await turn();
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer']);
  const later = Promise.withResolvers<undefined>();
  const answer = () => {
    later.resolve(undefined);
  };
  settler.add(settlementOf(attemptEnd(1, { type: 'done', effect: 'e' }, answer), 'worker'));
  await later.promise;
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer', 'effect 1', 'finish 1']);
});

test('a refusal that fails is reported, and its batch is settled once', async () => {
  const { settler, steps, events, finished, answered } = open({ effect: 0, record: 0 });
  const end = {
    ...finished.end,
    message: { ...finished.end.message, payload: { other: true } },
    refuse: () => Promise.reject(new TypeError('a defect')),
  };
  settler.add({ ...finished, end });
  settler.add(finished);
  await answered;
  await turn();
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer']);
  assert.deepEqual(events.map(({ type }) => type).sort(), ['finished', 'stageFailed']);
});

test('a forged message is refused once while its batch is repeated; it is neither stored nor acknowledged', async () => {
  const { settler, steps, finished, answered } = open({ effect: 1, record: 1 });
  const refusals: unknown[] = [];
  const end = {
    ...finished.end,
    message: { ...finished.end.message, payload: { other: true } },
    refuse: (error: unknown) => {
      refusals.push(error);
      return Promise.resolve();
    },
  };
  settler.add({ ...finished, end });
  settler.add(finished);
  await answered;
  await turn();
  assert.deepEqual(steps, ['effect 1', 'effect 1', 'finish 1', 'answer']);
  assert.deepEqual(refusals.map(String), [
    'ForgedMessage: forged: its payload is not that of the job',
  ]);
});
