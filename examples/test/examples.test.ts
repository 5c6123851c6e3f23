/** Goal: each example does what it says. Method: its own process, unchanged, on the real broker. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { eventually, type TestBroker, testBroker } from '@fit/stack/testing';
import { Inspector } from '@fit/topology/amqp';
import { EXAMPLES, Program } from './support/program.ts';

/** Fewer lines than this. */
const LINE_LIMIT = 40;
const CLI = '../topology-cli/src/main.ts';

async function hasReady(t: TestContext, broker: TestBroker, counts: Record<string, number>) {
  const inspector = await Inspector.open({ url: broker.amqpUrl, label: 'example test' });
  t.after(() => inspector.close());
  const found: Record<string, number> = {};
  await eventually(
    async () => {
      for (const queue of Object.keys(counts))
        found[queue] = (await inspector.depthOf(queue)).readyCount;
      return Object.entries(counts).every(([queue, count]) => found[queue] === count);
    },
    {
      deadlineMs: 60_000,
      describe: () => `expected ${JSON.stringify(counts)}, found ${JSON.stringify(found)}`,
    },
  );
}

// They wait more than they work, so several run at a time.
suite('examples', { concurrency: 4 }, () => {
  test('helloRetry: done at the third attempt; a stop ends it', async (t) => {
    const broker = await testBroker(t);
    const hello = new Program(t, broker, ['helloRetry.ts']);
    await hello.hasPrinted('attempt 1 of 3', 'attempt 2 of 3', 'attempt 3 of 3', 'hello, ann');
    await hello.stop();
    assert.equal(hello.exitCode, 0);
    await hasReady(t, broker, { greetings: 0, 'greetings.dead': 0 });
  });

  test('typedPayload: the default is there, and the wrong body was not sent', async (t) => {
    const broker = await testBroker(t);
    const typed = new Program(t, broker, ['typedPayload.ts']);
    await typed.hasPrinted('1 of ROWER');
    assert.match(typed.lines.find((line) => line.startsWith('INVALID')) ?? '', /sku/);
    await hasReady(t, broker, { orders: 0, 'orders.dead': 0 });
  });

  test('poisonMessage: three workers die of it, then it is dead, and its neighbours are done', async (t) => {
    const broker = await testBroker(t);
    await new Program(t, broker, ['poisonMessage.ts', 'publish']).succeeds();
    const done = new Set<string>();
    for (let crashes = 0; crashes < 3; crashes += 1) {
      const worker = new Program(t, broker, ['poisonMessage.ts']);
      await worker.ended;
      assert.equal(worker.exitCode, null, 'killed by its own signal');
      for (const line of worker.lines) done.add(line);
    }
    const last = new Program(t, broker, ['poisonMessage.ts']);
    await last.hasPrinted('ready');
    await hasReady(t, broker, { images: 0, 'images.dead': 1 });
    // The queue may be empty before the last lines of its worker are here.
    await eventually(
      () => {
        for (const line of last.lines) done.add(line);
        return done.has('shrunk a.png') && done.has('shrunk b.png');
      },
      { describe: () => [...done].join(' | ') },
    );
  });

  test('giveUpEarly: nobody is dead after one attempt, bob is done at the third', async (t) => {
    const broker = await testBroker(t);
    const mail = new Program(t, broker, ['giveUpEarly.ts']);
    await mail.hasPrinted('attempt 1 to ann', 'attempt 1 to nobody', 'attempt 3 to bob');
    await hasReady(t, broker, { outbox: 0, 'outbox.dead': 1 });
    assert.ok(!mail.lines.includes('attempt 2 to nobody'), mail.lines.join(' | '));
  });

  test('retryLater: the wait is the one that is long enough', async (t) => {
    const broker = await testBroker(t);
    const hooks = new Program(t, broker, ['retryLater.ts']);
    // 100 ms and 500 ms are too short for a second, so their attempts count as spent.
    await hooks.hasPrinted('attempt 1: 429', 'attempt 4: 200');
    await hasReady(t, broker, { hooks: 0, 'hooks.dead': 0 });
  });

  test('priorities: the ticket was published last and is printed first, the report the other way round', async (t) => {
    const broker = await testBroker(t);
    const printer = new Program(t, broker, ['priorities.ts']);
    const pages = ['ticket', 'page 1', 'page 2', 'page 3', 'report'];
    await printer.hasPrinted(...pages);
    assert.deepEqual(
      printer.lines.filter((line) => pages.includes(line)),
      pages,
    );
    await hasReady(t, broker, { printer: 0, 'printer.dead': 0 });
  });

  test('severalKinds: each queue gets the messages that it is on', async (t) => {
    const several = new Program(t, await testBroker(t), ['severalKinds.ts']);
    await several.hasPrinted(
      'shipping: order.paid a1',
      'mail: order.placed a1',
      'mail: order.paid a1',
      'audit: order.placed a1',
      'audit: order.paid a1',
    );
    assert.equal(several.lines.length, 5, several.lines.join(' | '));
  });

  test('delayedStart: what is delayed comes later, and nothing is dead', async (t) => {
    const broker = await testBroker(t);
    const delayed = new Program(t, broker, ['delayedStart.ts']);
    await delayed.hasPrinted('drink water: after a second or more');
    // How soon the other one comes depends on the machine.
    await eventually(() => delayed.lines.some((line) => line.startsWith('stand up: ')), {
      describe: () => delayed.lines.join(' | '),
    });
    await hasReady(t, broker, { reminders: 0, 'reminders.dead': 0 });
  });

  test('replayFromCli: dead, seen, replayed by the command, printed', async (t) => {
    const broker = await testBroker(t);
    const declaration = ['--declaration', join(EXAMPLES, 'replayFromCli.ts')];
    const broken = new Program(t, broker, ['replayFromCli.ts', 'publish']);
    await broken.hasPrinted('attempt 1', 'attempt 2');
    await hasReady(t, broker, { 'invoices.dead': 1 });
    await broken.stop();
    const list = new Program(t, broker, [CLI, 'dlq', 'ls', ...declaration]);
    await list.succeeds();
    assert.match(list.lines.join('\n'), /exhausted/);
    const fixed = new Program(t, broker, ['replayFromCli.ts'], { FIXED: '1' });
    await new Program(t, broker, [CLI, 'dlq', 'replay', ...declaration]).succeeds();
    await fixed.hasPrinted('printed 7');
    await hasReady(t, broker, { invoices: 0, 'invoices.dead': 0 });
  });

  test('ownMetrics: attempts and dead letters are counted', async (t) => {
    const metrics = new Program(t, await testBroker(t), ['ownMetrics.ts'], { PORT: '0' });
    const port = () => /metrics at .*port: (\d+)/.exec(metrics.lines.join(' '))?.[1];
    const url = `http://localhost:${await eventually(port, { deadlineMs: 60_000, describe: () => metrics.lines.join(' | ') })}`;
    let page = '';
    await eventually(
      async () => {
        page = await (await fetch(url)).text();
        return [
          'attempts_total{outcome="done"} 1',
          'attempts_total{outcome="retry"} 2',
          'dead_total{cause="exhausted"} 1',
        ].every((line) => page.includes(line));
      },
      { describe: () => page },
    );
  });
});

test('each example is short, is tested, and imports the packages by their names', async () => {
  // run.ts starts the systems in the folders.
  const files = globSync('*.ts', { cwd: EXAMPLES, exclude: ['run.ts'] });
  const tests = await readFile(import.meta.filename, 'utf8');
  assert.ok(files.length === 10, files.join(', '));
  for (const file of files) {
    const source = await readFile(join(EXAMPLES, file), 'utf8');
    assert.ok(
      source.trimEnd().split('\n').length < LINE_LIMIT,
      `${file} has ${LINE_LIMIT} lines or more`,
    );
    assert.ok(tests.includes(`['${file}'`), `${file} has no test`);
    for (const [, name] of source.matchAll(/ from '([^']+)'/g))
      assert.match(name!, /^(?:@fit\/topology(?:\/\w+)?|zod|prom-client|node:\w+)$/, file);
  }
});
