/**
 * Goal: a member changes the own profile and stores results of the own workouts, nobody else's; an injury keeps movements out of what is
 * requested afterwards. Method: the monolith's routes over a real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateCompactWorkout } from '@fit/workout';
import { wodSource } from '../../src/runs/wodSource.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { runRecord } from '../support/runs.ts';
import { PASSWORD, serveAccounts } from '../support/serveAccounts.ts';

test('a profile is changed field by field, and the next workouts follow it', async (t) => {
  const { ask, store, accounts, tokenOf } = await serveAccounts(t);
  const admin = await tokenOf('admin@example.org', 'admin');
  await ask('POST', '/users', { token: admin, body: { id: 'ann', name: 'Ann', goal: 'strength' } });
  await ask('POST', '/users', { token: admin, body: { id: 'ben' } });
  const person = { email: 'ann@example.org', password: PASSWORD, name: 'Ann' };
  const token = (await accounts.issueToken(await accounts.createPerson(person, 'member', 'ann')))
    .token;
  const patch = (id: string, body: object, by = token) =>
    ask('PATCH', `/users/${id}`, { token: by, body });
  const changed = await patch('ann', { weightKg: 61.5, injuries: ['knee', 'wrist'], name: null });
  assert.equal(changed.status, 200);
  const { createdAt, ...profile } = changed.body;
  assert.equal(typeof createdAt, 'string');
  assert.deepEqual(profile, {
    id: 'ann',
    level: 'beginner',
    equipment: [],
    goal: 'strength',
    weightKg: 61.5,
    injuries: ['knee', 'wrist'],
  });
  assert.equal((await patch('ben', { level: 'rx' })).status, 403);
  assert.equal((await patch('ben', { level: 'rx' }, admin)).status, 200);
  assert.equal((await patch('nobody', { level: 'rx' }, admin)).status, 404);
  for (const body of [{}, { id: 'eve' }, { level: null }, { injuries: ['soul'] }, { weightKg: 5 }])
    assert.equal((await patch('ann', body)).status, 400, JSON.stringify(body));

  const source = wodSource({ users: new UserStore(store.database), largeRunShare: 0 });
  const { jobs } = await source.page(runRecord({ items: ['ann', 'ben'] }), '', 10);
  assert.deepEqual(
    jobs.map(({ payload }) => (payload as { exclusions: unknown }).exclusions),
    [['grip-heavy', 'impact', 'inverted'], []],
  );
});

test('a member stores the result of an own workout and lists the own workouts by day', async (t) => {
  const { ask, store, accounts, tokenOf } = await serveAccounts(t);
  const person = { email: 'ann@example.org', password: PASSWORD, name: 'Ann' };
  const token = (await accounts.issueToken(await accounts.createPerson(person, 'member', 'ann')))
    .token;
  const days = ['2026-01-01', '2026-01-02', '2026-01-03'];
  for (const userId of ['ann', 'ann-2'])
    await store.raw('wods').insertMany(
      days.map((date) => ({
        _id: `${userId}:${date}`,
        storedAt: new Date(),
        ...generateCompactWorkout({ userId, level: 'rx', equipment: [] }, date),
      })),
    );
  const perform = (id: string, result: object) =>
    ask('POST', `/workouts/${id}/perform`, { token, body: { result } });
  const result = { score: 7, notes: 'hot' };
  assert.equal((await perform(`ann:${days[1]}`, { score: 3 })).status, 200);
  assert.equal((await perform(`ann:${days[1]}`, result)).status, 200);
  assert.equal((await perform(`ann-2:${days[1]}`, result)).status, 404);
  assert.equal((await perform('ann:2026-05-05', result)).status, 404);
  assert.equal((await perform(`ann:${days[1]}`, { score: -1 })).status, 400);
  const admin = await tokenOf('admin@example.org', 'admin');
  const foreign = await ask('POST', `/workouts/ann:${days[0]}/perform`, {
    token: admin,
    body: { result },
  });
  assert.equal(foreign.status, 403);

  const list = async (query: string, by = token) => {
    const { status, body } = await ask('GET', `/users/ann/wods${query}`, { token: by });
    assert.equal(status, 200, JSON.stringify(body));
    const { wods, next } = body as {
      wods: { id: string; performed?: { result: object } }[];
      next?: string;
    };
    return {
      ids: wods.map(({ id }) => id),
      results: wods.map((wod) => wod.performed?.result),
      next,
    };
  };
  const ids = days.map((day) => `ann:${day}`);
  const all = await list('');
  assert.deepEqual(all, { ids, results: [undefined, result, undefined], next: undefined });
  assert.deepEqual((await list(`?from=${days[1]}&to=${days[1]}`, admin)).ids, [ids[1]]);
  const first = await list('?limit=2');
  assert.deepEqual([first.ids, first.next], [ids.slice(0, 2), days[1]]);
  assert.deepEqual((await list(`?limit=2&after=${days[1]}`)).ids, [ids[2]]);
  assert.equal((await ask('GET', '/users/ann-2/wods', { token })).status, 403);
});
