/** Goal: the handler returns outcomes, and its workouts match the schema of the contract. Method: the handler without a database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wod, type WodDocument, wodOf } from '@fit/contract';
import type { Job } from '@fit/jobs';
import { EQUIPMENT, generateWorkout, LEVELS } from '@fit/workout';
import Value from 'typebox/value';
import { createWodHandler } from '../../src/handlers/createWodHandler.ts';

type Payload = Parameters<ReturnType<typeof createWodHandler>['run']>[0]['payload'];

const noStore = {
  storeAll: () => Promise.resolve(),
  findStored: () => Promise.resolve(new Set<string>()),
};
const payload: Payload = {
  userId: 'u1',
  date: '2026-11-23',
  level: 'beginner',
  equipment: [],
  exclusions: [],
};

function jobOf(changed: Partial<Payload> = {}): Job<Payload> {
  const { signal } = new AbortController();
  const base = { id: 'createWod:u1:2026-11-23', kind: 'createWod', generation: 1, attempt: 1 };
  return { ...base, payload: { ...payload, ...changed }, signal };
}

test('a workout of every level and equipment matches the contract, and a retry makes the same workout', async () => {
  const handler = createWodHandler({ wods: noStore, failureRate: () => 0 });
  for (const level of LEVELS)
    for (const equipment of [[], ['barbell', 'box'], [...EQUIPMENT]] as Payload['equipment'][]) {
      const outcome = await handler.run(jobOf({ level, equipment }));
      assert.equal(outcome.type, 'done');
      const again = await handler.run(jobOf({ level, equipment }));
      const [first, second] = [outcome, again].map((answer) => {
        assert.equal(answer.type, 'done');
        const { effect } = answer as { effect: WodDocument };
        assert.ok(effect.storedAt instanceof Date);
        return wodOf(effect);
      });
      assert.deepEqual(first, second);
      assert.deepEqual(first, generateWorkout({ ...payload, level, equipment }, payload.date));
      assert.deepEqual([...Value.Errors(Wod, first)], []);
    }
});

test('with a failure rate of 1 the handler throws, which the worker treats as a retry', async () => {
  const handler = createWodHandler({ wods: noStore, failureRate: () => 1 });
  await assert.rejects(async () => await handler.run(jobOf()), { name: 'SimulatedFailure' });
});

test('the wait of COACH_WORK_MS ends at the deadline of the attempt', async () => {
  const handler = createWodHandler({ wods: noStore, failureRate: () => 0, workMs: 600_000 });
  const job = { ...jobOf(), signal: AbortSignal.abort(new Error('late')) };
  await assert.rejects(async () => await handler.run(job), { name: 'AbortError' });
});

test('a date that is not a calendar day is rejected, because no retry would succeed', async () => {
  const handler = createWodHandler({ wods: noStore, failureRate: () => 0 });
  const outcome = await handler.run(jobOf({ date: '2026-02-30' }));
  assert.equal(outcome.type, 'reject');
});
