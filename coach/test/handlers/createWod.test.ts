/** Goal: the handler answers with the closed vocabulary, and what it stores is what the contract promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EQUIPMENT, EXCLUSIONS, LEVELS, Wod, type WodDocument } from '@fit/contract';
import type { Job } from '@fit/jobs';
import Value from 'typebox/value';
import { createWodHandler } from '../../src/handlers/createWod.ts';
import * as workout from '../../src/workout/index.ts';

type Payload = Parameters<ReturnType<typeof createWodHandler>['run']>[0]['payload'];

const nowhere = { storeAll: () => Promise.resolve() };
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

test('the contract and the generator know the same levels, equipment and exclusions', () => {
  assert.deepEqual([...LEVELS], [...workout.LEVELS]);
  assert.deepEqual([...EQUIPMENT], [...workout.EQUIPMENT]);
  assert.deepEqual([...EXCLUSIONS], [...workout.TAGS]);
});

test('a workout of every level and gym keeps the contract, and a retry makes the same one', async () => {
  const handler = createWodHandler({ wods: nowhere, failureRate: 0 });
  for (const level of LEVELS)
    for (const equipment of [[], ['barbell', 'box'], [...EQUIPMENT]] as Payload['equipment'][]) {
      const outcome = await handler.run(jobOf({ level, equipment }));
      assert.equal(outcome.type, 'done');
      const again = await handler.run(jobOf({ level, equipment }));
      const [first, second] = [outcome, again].map((answer) => {
        assert.equal(answer.type, 'done');
        const { storedAt, ...rest } = (answer as { effect: WodDocument }).effect;
        assert.ok(storedAt instanceof Date);
        return rest;
      });
      assert.deepEqual(first, second);
      assert.deepEqual([...Value.Errors(Wod, first)], []);
    }
});

test('a failure rate of 1 throws, which the runtime takes for a retry', async () => {
  const handler = createWodHandler({ wods: nowhere, failureRate: 1 });
  await assert.rejects(async () => await handler.run(jobOf()), { name: 'SimulatedFailure' });
});

test('work on purpose ends with the deadline of the attempt', async () => {
  const handler = createWodHandler({ wods: nowhere, failureRate: 0, workMs: 600_000 });
  const job = { ...jobOf(), signal: AbortSignal.abort(new Error('late')) };
  await assert.rejects(async () => await handler.run(job), { name: 'AbortError' });
});

test('a day of no calendar is rejected, since no retry can mend it', async () => {
  const handler = createWodHandler({ wods: nowhere, failureRate: 0 });
  const outcome = await handler.run(jobOf({ date: '2026-02-30' }));
  assert.equal(outcome.type, 'reject');
});
