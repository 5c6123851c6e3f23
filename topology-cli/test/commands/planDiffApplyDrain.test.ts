/** Goal: plan, diff, apply and drain do what their help says, with its exit codes. Method: the real program. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { TopologyDifference } from '../../src/apply/diffTopology.ts';
import type { DrainReport } from '../../src/apply/drainTopology.ts';
import { ApplyEnvironment, Load, tiersOf } from '../apply/applyEnvironment.ts';
import { CliProgram, cliFolder, resultOf, writeDeclaration } from '../support/startCli.ts';

class Program extends CliProgram {
  readonly live: ApplyEnvironment;

  private constructor(live: ApplyEnvironment, folder: string) {
    super(folder);
    this.live = live;
  }

  static async open(t: TestContext): Promise<Program> {
    const live = await ApplyEnvironment.open(t);
    const folder = await cliFolder(t);
    return new Program(live, folder);
  }

  async declare(tiers: readonly number[], hasManagement = true): Promise<void> {
    const { amqpUrl, managementUrl } = this.live.testTopology;
    const kinds = `{ one: { key: 'job.one', queue: 'one', tiers: ${JSON.stringify(tiers)} } }`;
    const urls = hasManagement ? { amqpUrl, managementUrl } : { amqpUrl };
    await writeDeclaration(this.folder, { exchange: 'jobs', kinds, ...urls });
  }
}

test('from an empty virtual host to other tiers, until the former ones are deleted', async (t) => {
  const program = await Program.open(t);
  await program.declare([100, 200]);
  const empty = await program.run('diff');
  assert.equal(empty.code, 2, empty.err);
  assert.match(empty.out, /^POLICY_MISSING one$/m);
  assert.match(empty.out, /^BINDING_MISSING jobs \[job.one\] -> one\n {4}apply {4}bind it/m);
  const dry = await program.run('apply', '--dry-run', '--json');
  const { steps, isDryRun } = JSON.parse(dry.out) as { steps: string[]; isDryRun: boolean };
  assert.deepEqual([dry.code, isDryRun, steps.at(-1)], [2, true, 'bind jobs [job.one] -> one']);
  assert.deepEqual((await program.live.live()).queues, []);

  const applied = await program.run('apply');
  assert.equal(applied.code, 0, applied.err);
  assert.match(applied.err, new RegExp(`^1/${steps.length} put policy one `));
  assert.match(applied.out, new RegExp(`^${steps.length} steps done; same as planned\n$`));
  const same = await program.run('diff', '--json');
  assert.deepEqual(
    [same.code, (JSON.parse(same.out) as { differences: unknown[] }).differences],
    [0, []],
  );
  assert.deepEqual((await program.run('apply', '--dry-run')).out, 'nothing to do\n');

  await program.declare([300]);
  const early = await program.run('drain');
  assert.deepEqual([early.code, early.out], [1, '']);
  assert.match(early.err, /QUEUE_BOUND one.wait.1.100ms: .* topology apply first/);
  const changed = await program.run('apply', '--json');
  assert.equal(changed.code, 2, 'as with diff: differences are left, for drain');
  const left = (JSON.parse(changed.out) as { remaining: TopologyDifference[] }).remaining;
  assert.deepEqual(
    left.map(({ code, fixedBy }) => `${code} ${fixedBy}`),
    ['QUEUE_OLD drain', 'QUEUE_OLD drain'],
  );
  assert.equal((await program.run('diff')).code, 2);
  const short = await program.run('drain', '--timeout', '1s', '--json');
  assert.deepEqual([short.code, (JSON.parse(short.out) as DrainReport).end], [2, 'timeout']);
  assert.match(short.err, /^left: one.wait.1.100ms \S+, one.wait.2.200ms /);
  const drained = await program.run('drain');
  assert.equal(drained.code, 0, drained.err);
  assert.match(drained.out, /^deleted one.wait.1.100ms$/m);
  assert.match(drained.out, /^unbound one.return \[one.r2\] -> one$/m);
  assert.equal((await program.run('diff')).code, 0);
});

test('differences that an operator must remove are left by apply, with exit code 2', async (t) => {
  const program = await Program.open(t);
  await program.live.apply(tiersOf([100]));
  await program.declare([100]);
  const admin = await program.live.admin();
  const theirs = { name: 'theirs', type: 'topic', alternate: undefined } as const;
  await admin.declareExchange(theirs);
  const binding = { source: 'theirs', destination: 'one', destinationType: 'queue' } as const;
  await admin.bind({ ...binding, key: 'k', arguments: {} });
  const { code, out } = await program.run('apply');
  assert.equal(code, 2);
  assert.match(
    out,
    /0 steps done; 1 differences left\nBINDING_EXTRA theirs \[k\] -> one\n {4}operator/,
  );
});

test('Ctrl-C stops drain cleanly: exit code 2, one document, nothing deleted that was not empty', async (t) => {
  const program = await Program.open(t);
  await program.live.apply(tiersOf([60_000]));
  const load = new Load(program.live);
  await load.open();
  await load.publish(2);
  await program.live.testTopology.expectReady('one.wait.1.1m', 2);
  await program.live.apply(tiersOf([100]));
  await program.declare([100]);
  const child = program.start('drain', '--json');
  const answer = resultOf(child);
  await once(child.stderr!, 'data');
  child.kill('SIGINT');
  const { code, out } = await answer;
  assert.equal(code, 2);
  assert.equal((JSON.parse(out) as DrainReport).end, 'stopped');
  await program.live.testTopology.expectReady('one.wait.1.1m', 2);
});

test('plan uses the version of the broker, else --broker-version, else a default that it reports', async (t) => {
  const program = await Program.open(t);
  await program.declare([100]);
  const version = await program.live.api.version();
  const live = await program.run('plan');
  assert.match(live.out, new RegExp(`^for RabbitMQ ${version}, with management API\n`));
  assert.match(live.out, /^queue +one.wait.1.100ms +wait +x-queue-type=quorum x-message-ttl=100 /m);
  assert.match(live.out, /^policy +one +\^one\$ +max-length=10000 delivery-limit=5$/m);
  const planned = await program.run('plan', '--broker-version', '3.10.8', '--no-management');
  assert.match(planned.out, /^for RabbitMQ 3.10.8, without management API\n/);
  assert.match(planned.out, /x-first-death-reason=expired/);
  assert.doesNotMatch(planned.out, /^policy/m);
  const away = await program.run('plan', '--json', '--amqp-url', 'amqp://127.0.0.1:1');
  assert.equal(away.code, 0);
  assert.match(away.err, /BROKER_UNREACHABLE[^]*planned for RabbitMQ 4.3.6 instead/);
  const plan = JSON.parse(away.out) as { broker: object; policies: object[] };
  // Somebody else's broker has somebody else's management API, and none was named.
  assert.deepEqual(plan.broker, { version: '4.3.6', hasManagement: false });
});

test('a wrong command line names what would be right, with exit code 1', async (t) => {
  const program = await Program.open(t);
  await program.declare([100], false);
  for (const [words, expected] of [
    [['diff'], /diff needs .*give --management-url/],
    [['apply'], /apply needs .*give --management-url/],
    [['drain'], /drain needs .*give --management-url/],
    [['drain', '--timeout', 'soon'], /--timeout 'soon' must be a duration/],
    [['plan', '--broker-version', 'new'], /--broker-version 'new' must be a version/],
    [['plan', '--broker-version', '3.13.1'], /VERSION_REFUSED 3.13.1/],
    [['diff', 'more'], /'more' is unexpected/],
    [['apply', '--force'], /Unknown option '--force'/],
    [['diff', '--management-url', 'http://127.0.0.1:1'], /127.0.0.1:1 did not answer/],
  ] as const) {
    const { code, err, out } = await program.run(...words);
    assert.match(err, expected);
    assert.deepEqual([code, out], [1, '']);
  }
  for (const command of ['plan', 'diff', 'apply', 'drain']) {
    const { code, out } = await program.run(command, '--help');
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^topology ${command}`));
  }
});
