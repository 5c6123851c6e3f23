/** Goal: `topology dlq` does what its help says, and a kill loses nothing. Method: the real program, a real broker. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { DeadLetterEnvironment, names } from '../dead-letters/deadLetterEnvironment.ts';
import { CliProgram, cliFolder, resultOf, writeDeclaration } from '../support/startCli.ts';

class Program extends CliProgram {
  readonly environment: DeadLetterEnvironment;

  private constructor(environment: DeadLetterEnvironment, folder: string) {
    super(folder, ['dlq']);
    this.environment = environment;
  }

  static async open(t: TestContext): Promise<Program> {
    const environment = await DeadLetterEnvironment.open(t);
    const folder = await cliFolder(t);
    const kinds = `{ one: { key: 'job.one', queue: 'one', tiers: [50, 100], deadline: '1s' } }`;
    const { amqpUrl } = environment.testTopology;
    await writeDeclaration(folder, { exchange: 'jobs', kinds, amqpUrl });
    return new Program(environment, folder);
  }

  file(name: string): string {
    return join(this.folder, name);
  }
}

test('ls, show and replay, one after the other', async (t) => {
  const program = await Program.open(t);
  const { environment } = program;
  await environment.addDeadLetters(['a', 'b\u001b[2J']);
  const ls = await program.run('ls');
  assert.equal(ls.code, 0, ls.err);
  assert.match(
    ls.out,
    /one: 2 dead letters\n +2 {2}fatal .* TypeError: no 7\n.*e\.g\. a, b\\u001b\[2J/,
  );
  const json = JSON.parse((await program.run('ls', '--json', '--id', 'a')).out) as {
    kinds: { matchingCount: number; seenCount: number }[];
  };
  assert.deepEqual([json.kinds[0]?.matchingCount, json.kinds[0]?.seenCount], [1, 2]);

  const show = await program.run('show', 'a');
  assert.match(show.out, /cause {6}fatal {2}TypeError: no 7/);
  assert.match(show.out, /body\n {2}10 bytes, JSON\n {2}\{\n {4}"id": "a"/);
  assert.equal((await program.run('show', 'nobody')).code, 2);

  const dry = await program.run('replay', '--dry-run');
  assert.match(dry.out, /one: 2 dead letters would be replayed/);
  assert.equal((await environment.ids()).length, 2);
  const replay = await program.run('replay', '--limit', '1', '--json');
  const report = JSON.parse(replay.out) as { kinds: { replayedCount: number; end: string }[] };
  assert.deepEqual([report.kinds[0]?.replayedCount, report.kinds[0]?.end], [1, 'limit']);
  await environment.testTopology.expectReady('one', 1);
});

test('ls reports how many messages the queue holds, however few it read', async (t) => {
  const program = await Program.open(t);
  await program.environment.addDeadLetters(names(30));
  const few = await program.run('ls', '--limit', '2');
  assert.match(few.out, /^one: 2 dead letters; 30 in the queue\n/);
  const short = await program.run('ls', '--read-limit', '10');
  assert.match(short.out, /^one: 10 dead letters; 30 in the queue\n/);
  assert.match(short.err, /one: 10 of 30 dead letters were read; --read-limit 30 reads all/);
  const { kinds } = JSON.parse((await program.run('ls', '--read-limit', '10', '--json')).out) as {
    kinds: { queueCount: number }[];
  };
  assert.equal(kinds[0]?.queueCount, 30);
});

test('replay --wait reports which messages died again, with exit code 2', async (t) => {
  const program = await Program.open(t);
  await program.environment.addDeadLetters(['good', 'bad']);
  await program.environment.testTopology.consumer((delivery) => {
    if (delivery.messageId === 'good') delivery.ack();
    else delivery.nackToDeadLetterExchange();
  });
  const { code, out } = await program.run('replay', '--wait');
  assert.equal(code, 2);
  assert.match(out, /one: 1 died again\n +1 {2}exhausted/);
});

test('wrong options are named, with what would be right', async (t) => {
  const program = await Program.open(t);
  for (const [words, expected] of [
    [['frob'], /'frob' is none of ls, show, replay/],
    [['ls', '--kind', 'two'], /--kind 'two' is none of one/],
    [['ls', '--since', 'soon'], /--since 'soon' must be a time/],
    [['ls', '--wait'], /dlq ls takes no --wait/],
    [['ls', 'more'], /'more' is unexpected/],
    [['show'], /give the ID of a dead letter/],
    [['replay', '--rate', 'fast'], /--rate 'fast' must be messages per second/],
    [['replay', '--limit', '0'], /--limit '0' must be a number from 1/],
    [['replay', '--order', 'random'], /--order 'random' is none of oldest, newest/],
  ] as const) {
    const { code, err, out } = await program.run(...words);
    assert.match(err, expected);
    assert.deepEqual([code, out], [1, '']);
  }
});

test('killed half-way, twice, and run again: every message has arrived and none is left', async (t) => {
  const program = await Program.open(t);
  const { environment } = program;
  await environment.addDeadLetters(names(300));
  const seen = new Set<string>();
  await environment.testTopology.consumer((delivery) => {
    seen.add(delivery.messageId ?? '');
    delivery.ack();
  });
  for (const count of [50, 150]) {
    const child = program.start('replay', '--rate', '200');
    // Starting a process can take long on a busy machine.
    await eventually(() => seen.size >= count, {
      deadlineMs: 60_000,
      describe: () => `${seen.size} of ${count}`,
    });
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.ok(seen.size < 300);
  }
  const last = await program.run('replay');
  assert.equal(last.code, 0, last.err);
  await eventually(() => seen.size === 300, { describe: () => `${seen.size} of 300` });
  await environment.testTopology.expectEmpty();
});

test('ls of three hundred messages of 1 MB needs little memory', async (t) => {
  const program = await Program.open(t);
  const { amqpUrl } = program.environment.testTopology;
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (let number = 0; number < 300; number += 1) {
    const body = Buffer.alloc(1_000_000, number);
    channel.publish('one.park', 'job.one', body, {
      messageId: `large-${number}`,
      persistent: true,
    });
    await channel.waitForConfirms();
  }
  await connection.close();
  const child = program.start('ls', '--json');
  const answer = resultOf(child);
  let peakBytes = 0;
  const watch = setInterval(() => {
    void readFile(`/proc/${child.pid}/status`, 'utf8').then(
      (status) => {
        peakBytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024 || peakBytes;
      },
      () => undefined,
    );
  }, 20);
  const { out, code } = await answer;
  clearInterval(watch);
  assert.equal(code, 0);
  const { kinds } = JSON.parse(out) as { kinds: { seenCount: number }[] };
  assert.equal(kinds[0]?.seenCount, 300);
  t.diagnostic(`peak of resident memory: ${Math.round(peakBytes / 1_048_576)} MiB`);
  assert.ok(peakBytes > 0 && peakBytes < 240 * 1_024 * 1_024, `ls held ${peakBytes} bytes`);
});

test('ls and show tell the last error of an exhausted message; a second dead letter of one death is neither counted nor replayed twice', async (t) => {
  const program = await Program.open(t);
  const { environment } = program;
  const { testTopology } = environment;
  const publisher = await testTopology.publisher();
  const worker = await testTopology.worker({
    run: ({ attempt }) => {
      throw new RangeError(`no\u001b[2J ${attempt.number}`);
    },
  });
  await publisher.publish(testTopology.message('spent'));
  await testTopology.expectReady('one.dead', 1);
  await worker.close();
  const headers = {
    'death-cause': 'fatal',
    'death-class': 'TypeError',
    'death-message': 'no 7',
    'death-attempt': 1,
  };
  for (const id of ['twice', 'twice', 'once'])
    await environment.addDeadLetters([id], { headers, body: Buffer.from('{}') });
  const ls = await program.run('ls');
  assert.match(ls.out, / 1 {2}exhausted .* RangeError: no\\u001b\[2J 3\n/);
  assert.match(ls.out, / 2 {2}fatal .* TypeError: no 7 \(and 1 copy\)\n/);
  const byClass = await program.run('ls', '--class', 'RangeError', '--json');
  const { kinds } = JSON.parse(byClass.out) as {
    kinds: { matchingCount: number; groups: { attempt: number }[] }[];
  };
  assert.deepEqual([kinds[0]?.matchingCount, kinds[0]?.groups[0]?.attempt], [1, 3]);
  const show = await program.run('show', 'spent');
  assert.match(show.out, /cause {6}exhausted {2}RangeError: no/);
  assert.match(show.out, /attempt {4}3, failed 20\d\d-/);
  assert.match(show.out, /\nstack\n {2}RangeError: no.*\n {2} *at /);

  const spent = await program.run('replay', '--class', 'RangeError');
  assert.match(spent.out, /one: 1 dead letter replayed, 3 do not match/);
  const rest = await program.run('replay');
  assert.match(rest.out, /one: 2 dead letters replayed/);
  await testTopology.expectReady('one', 3);
  await testTopology.expectReady('one.dead', 0);
});
