/** Goal: what leaves the queue for a file comes back the same. Method: export, take, import, export again; a real broker. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { type ExportReport, exportLetters } from '../../src/dead-letters/exportLetters.ts';
import { type ImportReport, importLetters } from '../../src/dead-letters/importLetters.ts';
import { fileSink, type LetterSink } from '../../src/dead-letters/letterSink.ts';
import { replayFile } from '../../src/dead-letters/replayFile.ts';
import { DeskBench, names } from './deskBench.ts';

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'desk-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function exported(
  desk: DeskBench,
  sink: LetterSink,
  isTaking: boolean,
): Promise<ExportReport> {
  const report = await exportLetters({
    broker: desk.broker,
    kind: desk.bench.kind,
    filter: {},
    sink,
    isTaking,
    limit: Infinity,
    holdLimit: 10_000,
    say: () => undefined,
  });
  await sink.close();
  return report;
}

async function imported(desk: DeskBench, path: string, isDryRun = false): Promise<ImportReport> {
  return await importLetters({
    broker: desk.broker,
    declaration: desk.bench.declaration,
    kind: undefined,
    filter: {},
    path,
    limit: Infinity,
    isDryRun,
    say: () => undefined,
  });
}

/** Of all sorts: exhausted by the broker, parked by a worker, with a body that is no JSON, with typed headers. */
async function parkSorts(desk: DeskBench): Promise<void> {
  const { bench } = desk;
  const publisher = await bench.publisher();
  const consumer = await bench.consumer((delivery) => {
    delivery.reject();
  });
  await publisher.publish(bench.message('exhausted', { headers: { trace: 'abc' } }));
  await bench.expectReady('one.dead', 1);
  await consumer.close();
  await desk.park(['fatal'], {
    body: Buffer.from(JSON.stringify({ text: 'grün\u2028 ist "neu"', list: [1, 2.5, null] })),
    properties: {
      messageId: 'fatal',
      contentType: 'text/x',
      priority: 2,
      timestamp: 1_700_000_000,
    },
  });
  await desk.park(['bytes'], { body: Buffer.from([0, 255, 10, 13]) });
  await desk.park(['spaced'], { body: Buffer.from('{ "a": 1.0 }') });
  await desk.park(['typed'], {
    headers: {
      'death-cause': 'fatal',
      bin: Buffer.from('x'),
      '!': 'bang',
      list: [null, true, 1.5],
      at: { '!': 'timestamp', value: 5 },
      table: { deep: { er: 'text' } },
    },
  });
  await desk.park(['plain'], { headers: {}, properties: {} });
}

test('taken into a file and imported again, letters are what they were', async (t) => {
  const desk = await DeskBench.open(t);
  const folder = await folderOf(t);
  await parkSorts(desk);
  const before = await desk.letters();
  const copied = await exported(desk, await fileSink(join(folder, 'copy'), false), false);
  assert.deepEqual(
    await desk.ids(),
    before.map(({ id }) => id),
  );
  const taken = await exported(desk, await fileSink(join(folder, 'taken'), false), true);
  assert.deepEqual([copied.exportedCount, taken.exportedCount], [before.length, before.length]);
  assert.deepEqual(await desk.ids(), []);
  const text = await readFile(join(folder, 'copy'), 'utf8');
  assert.equal(await readFile(join(folder, 'taken'), 'utf8'), text);

  const dry = await imported(desk, join(folder, 'taken'), true);
  assert.deepEqual([dry.importedCount, await desk.ids()], [before.length, []]);
  const report = await imported(desk, join(folder, 'taken'));
  assert.deepEqual([report.importedCount, report.malformedCount], [before.length, 0]);
  const after = await desk.letters();
  for (const [index, letter] of after.entries()) {
    const { id, key, cause, diedAt, deaths, body, properties, fingerprint } = before[index]!;
    assert.deepEqual(
      { id, key, cause, diedAt, deaths, body, fingerprint, properties },
      {
        id: letter.id,
        key: letter.key,
        cause: letter.cause,
        diedAt: letter.diedAt,
        deaths: letter.deaths,
        body: letter.body,
        fingerprint: letter.fingerprint,
        properties: letter.properties,
      },
    );
  }
  // Exported once more, only the exchange that they came through differs.
  await exported(desk, await fileSink(join(folder, 'again'), false), false);
  const lines = (source: string) =>
    source
      .trim()
      .split('\n')
      .map((line) => ({ ...(JSON.parse(line) as object), exchange: '' }));
  assert.deepEqual(lines(await readFile(join(folder, 'again'), 'utf8')), lines(text));
});

test('a letter is acked only once its line is on the disk', async (t) => {
  const desk = await DeskBench.open(t);
  const folder = await folderOf(t);
  await desk.park(names(250));
  const sink = await fileSink(join(folder, 'taken'), false);
  let writeCount = 0;
  const full: LetterSink = {
    ...sink,
    write: async (lines) => {
      writeCount += 1;
      if (writeCount > 1) throw new Error('ENOSPC: the disk is full');
      await sink.write(lines);
    },
  };
  await assert.rejects(exported(desk, full, true), /the disk is full/);
  assert.deepEqual(await desk.ids(), names(250).slice(100));
  await sink.close();
  const lines = (await readFile(join(folder, 'taken'), 'utf8')).trim().split('\n');
  assert.equal(lines.length, 100);
});

test('an export is never written over, and goes on behind a torn line', async (t) => {
  const desk = await DeskBench.open(t);
  const path = join(await folderOf(t), 'letters');
  await desk.park(['a']);
  await writeFile(path, '{"id":"torn');
  await assert.rejects(fileSink(path, false), { code: 'EEXIST' });
  await exported(desk, await fileSink(path, true), true);
  const report = await imported(desk, path);
  assert.deepEqual([report.importedCount, report.malformedCount], [1, 1]);
  assert.match(report.problems[0]!, /^line 1 is skipped: no JSON/);
  assert.deepEqual(await desk.ids(), ['a']);
});

test('malformed lines are named and skipped; the others are imported', async (t) => {
  const desk = await DeskBench.open(t);
  const path = join(await folderOf(t), 'letters');
  const good = { id: 'x', key: 'one.r1', body: {}, properties: { messageId: 'x' } };
  const lines = [
    ...['nonsense', '[]', '{}', '{"key":7}', '', JSON.stringify({ ...good, kind: 'two' })],
    JSON.stringify({ key: 'one.r1' }),
    JSON.stringify({ ...good, body: undefined, bodyBase64: '§§' }),
    JSON.stringify({ ...good, properties: { messageId: 7 } }),
    JSON.stringify({ ...good, headers: { at: { '!': 'bogus' } } }),
    JSON.stringify({ ...good, key: 'strange', kind: undefined }),
    JSON.stringify(good),
    // Every one of these passes as a letter, but not through amqplib or the broker.
    JSON.stringify({ ...good, properties: { messageId: 'i'.repeat(300) } }),
    JSON.stringify({ ...good, headers: { at: { '!': 'timestamp', value: 'x' } } }),
    JSON.stringify({ ...good, properties: { messageId: 'y' } }),
  ];
  await writeFile(path, lines.join('\n'));
  const report = await imported(desk, path);
  assert.deepEqual([report.importedCount, report.malformedCount, report.refusedCount], [2, 10, 2]);
  assert.deepEqual(
    report.problems.map((line) => /^line (\d+)/.exec(line)?.[1]),
    ['1', '2', '3', '4', '6', '7', '8', '9', '10', '11', '13', '14'],
  );
  assert.deepEqual(await desk.ids(), ['x', 'y']);
});

test('replayed from a file: each line once, also over two runs', async (t) => {
  const desk = await DeskBench.open(t);
  const path = join(await folderOf(t), 'letters');
  await desk.park(names(30));
  await exported(desk, await fileSink(path, false), true);
  const seen: string[] = [];
  await desk.bench.consumer((delivery) => {
    seen.push(delivery.messageId ?? '');
    delivery.ack();
  });
  const dry = await replayFile(path, desk.replayOptions({ isDryRun: true }));
  assert.equal(dry.replayedCount, 30);
  const first = await replayFile(path, desk.replayOptions({ limit: 12 }));
  assert.deepEqual([first.end, first.replayedCount], ['limit', 12]);
  const second = await replayFile(path, desk.replayOptions());
  assert.deepEqual([second.end, second.replayedCount, second.otherCount], ['done', 18, 12]);
  await eventually(() => seen.length >= 30, { describe: () => `${seen.length} of 30` });
  assert.deepEqual(seen.sort(), names(30).sort());
  const third = await replayFile(path, desk.replayOptions());
  assert.deepEqual([third.end, third.replayedCount], ['done', 0]);
});
