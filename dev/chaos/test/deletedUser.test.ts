/**
 * Goal: a deleted user leaves no document, no message and no dead letter with the id, whatever was under way and although the monolith is
 * killed meanwhile. Method: real processes; a user whose jobs are queued, waiting, dead and being expanded is deleted; then every
 * collection and every queue is read whole.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FitRequestError } from '@fit/client';
import { readFitTopology } from '@fit/contract';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { notesName, planTopology } from '@fit/topology';
import { readNotes } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { Binary, MongoClient } from 'mongodb';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';

/** The last of all users, so that the cursors of runs name it. */
const USER = 'zoe-4711';
const LATER = '2026-01-06';

test('nothing is left of a deleted user, in no collection and no queue', {
  timeout: 180_000,
}, async (t) => {
  const mongodbUrl = testDatabaseUrl();
  const mongo = new MongoClient(mongodbUrl);
  t.after(() => mongo.close());
  const db = mongo.db();
  const settings = {
    COACH_FAILURE_RATE: '0.7',
    FIT_TIERS: '1s,2s,3s',
    FIT_STALE_AFTER_MS: '9000',
  };
  const tested = await startSystemUnderTest(t, settings, { mongodbUrl });
  const { client, system, env } = tested;
  const statusOf = async (method: 'GET' | 'POST', path: string, body?: object) =>
    await client.request(method, path, body === undefined ? {} : { body }).then(
      () => 200,
      (error: unknown) => {
        assert.ok(error instanceof FitRequestError);
        return error.status;
      },
    );
  await client.createUsers(['ben', 'cat', USER].map((id) => ({ id, name: id })));
  const person = { email: 'zoe@example.org', password: 'password123' };
  await client.request('POST', '/accounts', {
    body: { role: 'member', name: USER, userId: USER, ...person },
  });
  const logIn = await fetch(`${system.monolith.url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(person),
  });
  const { token } = (await logIn.json()) as { token: string };
  const first = await client.generateWods({ date: DATE });
  await waitForRun(tested, first.runId);
  await db.collection<{ _id: string }>('wods').insertOne({ _id: `${USER}:2025-12-31` });
  await db.collection<{ _id: string; reply: object }>('idempotencyKeys').insertOne({
    _id: 'kept',
    reply: { status: 200, body: JSON.stringify({ id: USER }) },
  });
  await db.collection<{ _id: string; body: Binary }>('deadLetters').insertOne({
    _id: 'foreign',
    headers: '{}',
    reason: 'none',
    body: new Binary(Buffer.from(JSON.stringify({ payload: { userId: USER } }))),
  } as never);
  const second = await client.generateWods({ date: LATER });
  const named = await client.generateWods({ date: '2026-01-07', userIds: ['ben', USER] });

  const deleted = await fetch(`${system.monolith.url}/users/${USER}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(deleted.status, 202);
  await system.restartMonolith();
  const me = await fetch(`${system.monolith.url}/auth/me`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(me.status, 401, 'the own token ends');
  assert.equal(await statusOf('GET', `/users/${USER}`), 404);
  assert.equal(await statusOf('POST', '/users', { id: USER }), 409, 'the id is kept free');
  let seen: unknown;
  await eventually(
    async () => {
      seen = await client.request('GET', `/users/${USER}/deletion`);
      return (seen as { state: string }).state === 'done';
    },
    { deadlineMs: 90_000, intervalMs: 500, describe: () => JSON.stringify(seen) },
  );

  const found: string[] = [];
  for (const { name } of await db.listCollections().toArray())
    for (const document of await db.collection(name).find().toArray())
      if (textOf(document).includes(USER)) found.push(`${name}: ${textOf(document)}`);
  const declaration = readFitTopology(env);
  const connection = await connect(env['AMQP_URL'] ?? '');
  const channel = await connection.createChannel();
  const plan = planTopology(declaration, { version: '4.3.0', hasManagement: true });
  for (const { name } of plan.queues)
    for (;;) {
      const message = await channel.get(name, { noAck: true });
      if (message === false) break;
      const text = JSON.stringify([message.properties, message.content.toString('latin1')]);
      if (text.includes(USER)) found.push(`${name}: ${text}`);
    }
  await connection.close();
  for (const { queue } of declaration.kinds) {
    const { notes } = await readNotes(env['AMQP_URL'] ?? '', notesName(queue));
    const text = JSON.stringify([...notes]);
    if (text.includes(USER)) found.push(`${notesName(queue)}: ${text}`);
  }
  assert.deepEqual(found, []);

  for (const runId of [first.runId, second.runId, named.runId]) {
    const { states } = await waitForRun(tested, runId);
    const count = Object.values(states).reduce((sum, each) => sum + each, 0);
    assert.ok(count <= 3, JSON.stringify(states));
  }
  const audit = (await client.request('GET', '/audit?action=user.delete')) as {
    entries: readonly { target: { user: string }; outcome: string }[];
  };
  assert.match(audit.entries[0]?.target.user ?? '', /^~/);
});

function textOf(document: object): string {
  return JSON.stringify(document, (_key, value: unknown) =>
    value instanceof Binary ? Buffer.from(value.buffer).toString('latin1') : value,
  );
}
