/** Goal: an exhausted dead letter has its last error, and no dead letter is doubled for it. Method: real workers, one of them killed. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askManagement, eventually } from '@fit/stack/testing';
import { type DeathNote, describeDeath, noteIdOf } from '@fit/topology';
import { NoteReader, openSession, readNotes, type SessionEvent } from '@fit/topology/amqp';
import { TestTopology } from '../support/testTopology.ts';

const STREAM = 'one.notes';

async function noteReader(t: TestContext, environment: TestTopology) {
  const events: SessionEvent[] = [];
  const reader = new NoteReader({
    stream: STREAM,
    hasStacks: true,
    onEvent: (event) => events.push(event),
  });
  const session = await openSession({
    url: environment.amqpUrl,
    label: 'test reads notes',
    setup: (model) => reader.follow(model),
  });
  t.after(async () => {
    await reader.close();
    await session.close();
  });
  return { reader, events };
}

const NOTES_ARGUMENTS = {
  'x-queue-type': 'stream',
  'x-max-age': '14D',
  'x-max-length-bytes': 20_000_000,
  'x-stream-max-segment-size-bytes': 2_000_000,
};

/** Publishes notes of other messages all the time, so that the stream is never quiet. */
async function keepNoting(environment: TestTopology, timestampOf: () => object) {
  const channel = await environment.adminChannel();
  const timer = setInterval(() => {
    const properties = { messageId: 'other', ...timestampOf() };
    channel.publish(STREAM, 'one', Buffer.alloc(0), properties);
  }, 100);
  environment.closeLater(() => {
    clearInterval(timer);
    return Promise.resolve();
  });
}

/** All notes, also the older ones of one message. */
async function allNotes(environment: TestTopology, count: number): Promise<string[]> {
  const channel = await environment.adminChannel();
  await channel.prefetch(100);
  const ids: string[] = [];
  await channel.consume(
    STREAM,
    (message) => {
      ids.push(String(message?.properties.messageId));
    },
    { arguments: { 'x-stream-offset': 'first' } },
  );
  await eventually(() => ids.length >= count, { describe: () => ids.join() });
  await channel.close();
  return ids.sort();
}

function spoken(environment: TestTopology, note: DeathNote | undefined) {
  const headers = { 'x-last-death-queue': 'one', 'x-last-death-reason': 'rejected' };
  const { cause, errorClass, message, attempt } = describeDeath(
    environment.kind,
    'one.r3',
    headers,
    note,
  );
  return { cause, errorClass, message, attempt };
}

test('the last error of an exhausted message is read beside it, by any number of readers', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const startedAtMs = Date.now();
  await environment.worker({
    run: ({ attempt }) => {
      throw new TypeError(`no ${attempt.number}`);
    },
  });
  await publisher.publish(environment.message('a'));
  await environment.expectReady('one.dead', 1);
  const readers = await Promise.all([noteReader(t, environment), noteReader(t, environment)]);
  for (const { reader } of readers) {
    const note = await reader.noteOf(noteIdOf('a'));
    assert.deepEqual(spoken(environment, note), {
      cause: 'exhausted',
      errorClass: 'TypeError',
      message: 'no 4',
      attempt: 4,
    });
    // The timestamp of AMQP has whole seconds.
    assert.ok((note?.at?.getTime() ?? 0) >= startedAtMs - 1_000);
    assert.equal(await reader.noteOf('nobody'), undefined);
  }
  const { notes, problem } = await readNotes(environment.amqpUrl, STREAM);
  assert.deepEqual([[...notes.keys()], problem], [[noteIdOf('a')], undefined]);
  const nowhere = await readNotes(environment.amqpUrl, 'nowhere.notes');
  assert.equal(nowhere.notes.size, 0);
  assert.match(nowhere.problem ?? '', /nowhere\.notes cannot be read.*404/);
});

test('a question, and a reading of all notes, end while notes keep coming', {
  timeout: 60_000,
}, async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  await keepNoting(environment, () => ({ timestamp: Math.floor(Date.now() / 1_000) }));
  const { reader } = await noteReader(t, environment);
  assert.equal(await reader.noteOf('nobody'), undefined);
  const reading = await readNotes(environment.amqpUrl, STREAM);
  assert.equal(reading.problem, undefined);
});

test('a reading of notes that are never young ends at its limit, and says so', {
  timeout: 60_000,
}, async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  await keepNoting(environment, () => ({}));
  const { notes, problem } = await readNotes(environment.amqpUrl, STREAM, 3_000);
  assert.ok(notes.has('other'));
  assert.match(problem ?? '', /not all notes of one\.notes were read/);
});

test('a stream that was deleted and restored is read again', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const { reader } = await noteReader(t, environment);
  const channel = await environment.adminChannel();
  const note = (messageId: string) => {
    channel.publish(STREAM, 'one', Buffer.alloc(0), { messageId });
  };
  note('before');
  const isRead = async (id: string) => (await reader.noteOf(id)) !== undefined;
  await eventually(() => isRead('before'), { describe: () => 'no note' });
  await channel.deleteQueue(STREAM);
  await channel.assertQueue(STREAM, { durable: true, arguments: NOTES_ARGUMENTS });
  await channel.bindQueue(STREAM, STREAM, '');
  note('after');
  await eventually(() => isRead('after'), { describe: () => 'no note' });
});

test('a queue in place of the stream is told once, and the stream is read once it is there', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const channel = await environment.adminChannel();
  await channel.deleteQueue(STREAM);
  await channel.assertQueue(STREAM, { durable: true });
  const { reader, events } = await noteReader(t, environment);
  assert.equal(await reader.noteOf('a'), undefined);
  await channel.deleteQueue(STREAM);
  await channel.assertQueue(STREAM, { durable: true, arguments: NOTES_ARGUMENTS });
  await channel.bindQueue(STREAM, STREAM, '');
  channel.publish(STREAM, 'one', Buffer.alloc(0), { messageId: 'a' });
  await eventually(async () => (await reader.noteOf('a')) !== undefined, {
    describe: () => JSON.stringify(events),
  });
  assert.deepEqual(
    events.map(({ type }) => type),
    ['channelFailed'],
  );
  assert.match(String((events[0] as { error?: Error }).error), /one\.notes' cannot be read.*406/);
});

test('an older note is not taken for that of a message that was published again', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const channel = await environment.adminChannel();
  const noteAt = (at: Date, attempt: number) => {
    const timestamp = at.getTime() / 1_000;
    const headers = { 'death-attempt': attempt, 'death-stack': 'at', foreign: 'x' };
    channel.publish(STREAM, 'one', Buffer.alloc(0), { messageId: 'a', timestamp, headers });
  };
  const [first, second] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
  noteAt(first, 1);
  const { reader } = await noteReader(t, environment);
  assert.deepEqual((await reader.noteOf('a'))?.headers, {
    'death-attempt': 1,
    'death-stack': 'at',
  });
  const asked = reader.noteOf('a', new Date('2026-01-01T12:00:00Z'));
  noteAt(second, 2);
  const note = await asked;
  assert.ok(note);
  assert.equal(note.headers['death-attempt'], 2);
  reader.forget(note);
  assert.equal(await reader.noteOf('a'), undefined);
});

test('killed between note and rejection: one dead letter, its newest note counts, and a note without a dead letter does no harm', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  for (const id of ['dies', 'heals']) await publisher.publish(environment.message(id));
  const { amqpUrl, managementUrl } = environment;
  const abandoned = new AbortController();
  t.after(() => {
    abandoned.abort();
  });
  const start = (life: string) =>
    fork(join(import.meta.dirname, 'notesWorker.ts'), [amqpUrl, managementUrl], {
      env: { ...process.env, LIFE: life },
      signal: abandoned.signal,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  const [, signal] = (await once(start('first'), 'exit')) as [unknown, string | null];
  assert.equal(signal, 'SIGKILL');
  start('second').on('error', () => undefined);
  await environment.expectReady('one.dead', 1);
  await environment.expectEmpty(['one.dead']);
  assert.deepEqual(await allNotes(environment, 3), ['dies', 'dies', 'heals'].map(noteIdOf).sort());
  const { reader } = await noteReader(t, environment);
  assert.deepEqual(spoken(environment, await reader.noteOf(noteIdOf('dies'))), {
    cause: 'exhausted',
    errorClass: 'RangeError',
    message: 'failed in the second life',
    attempt: 4,
  });
  const letters = await environment.takeDeadLetters(1);
  assert.deepEqual(
    letters.map(({ id, cause }) => [id, cause]),
    [['dies', 'exhausted']],
  );
});

/** Every other message is rejected by `failingWorker`, and so published to the park exchange. */
const MIXED_IDS = Array.from(
  { length: 20 },
  (_, index) => `${index % 2 === 0 ? 'fatal' : 'a'}${index}`,
);
const ALL_PARKED = Array.from({ length: 10 }, () => 'one.park confirmed');

async function failingWorker(
  environment: TestTopology,
  options: Partial<Parameters<TestTopology['worker']>[0]> = {},
) {
  const published: string[] = [];
  const failed: string[] = [];
  const worker = await environment.worker({
    run: ({ delivery }) => {
      const error = new TypeError('no');
      if (delivery.messageId?.startsWith('fatal') === true) return { type: 'reject', error };
      throw error;
    },
    circuitBreaker: false,
    onPublish: ({ exchange, outcome }) => published.push(`${exchange} ${outcome}`),
    onSession: (event) => {
      if (event.type === 'channelFailed') failed.push(event.error.message);
    },
    ...options,
  });
  return { worker, published, failed };
}

test('without the stream messages die as usual, nothing else is lost with a note, and dead letters have no error', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const { worker, published, failed } = await failingWorker(environment);
  // The worker has written a note before, so that its channel is open.
  await publisher.publish(environment.message('noted'));
  await environment.expectReady('one.dead', 1);
  const channel = await environment.adminChannel();
  await channel.deleteExchange(STREAM);
  await channel.deleteQueue(STREAM);
  await Promise.all(MIXED_IDS.map((id) => publisher.publish(environment.message(id))));
  await environment.expectReady('one.dead', 1 + MIXED_IDS.length);
  assert.ok(worker.isConsuming);
  assert.deepEqual(published, ALL_PARKED);
  assert.equal(failed.length, 1);
  assert.match(failed[0] ?? '', /nothing can be published to 'one\.notes'.*404/);
  const { reader } = await noteReader(t, environment);
  const note = await reader.noteOf(noteIdOf('a1'));
  assert.deepEqual(spoken(environment, note), {
    cause: 'exhausted',
    errorClass: 'exhausted',
    message: 'exhausted',
    attempt: undefined,
  });
});

test('a worker without the right to write notes loses no other publish by it', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const { vhost, amqpUrl } = environment;
  const user = `worker-${randomUUID()}`;
  const rights = { configure: '^$', write: '^one\\.(retry|park)$', read: '.*' };
  await askManagement({
    method: 'PUT',
    path: `/api/users/${user}`,
    body: { password: 'secret', tags: '' },
  });
  t.after(() => askManagement({ method: 'DELETE', path: `/api/users/${user}` }));
  await askManagement({ method: 'PUT', path: `/api/permissions/${vhost}/${user}`, body: rights });
  const { published, failed } = await failingWorker(environment, {
    amqpUrl: Object.assign(new URL(amqpUrl), { username: user, password: 'secret' }).href,
    managementUrl: undefined,
    assert: 'check',
  });
  await Promise.all(MIXED_IDS.map((id) => publisher.publish(environment.message(id))));
  await environment.expectReady('one.dead', MIXED_IDS.length);
  assert.deepEqual(published, ALL_PARKED);
  assert.equal(failed.length, 1);
  assert.match(failed[0] ?? '', /nothing can be published to 'one\.notes'.*403/);
});

test('notes have bounds', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const live = (await environment.ask('GET', `/api/queues/${environment.vhost}/${STREAM}`)) as {
    readonly arguments: Record<string, unknown>;
  };
  assert.deepEqual(live.arguments, NOTES_ARGUMENTS);
});
