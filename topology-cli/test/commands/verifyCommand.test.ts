/** Goal: scripts can rely on `topology verify`. Method: real processes against a real broker. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { askManagement, eventually } from '@fit/stack/testing';
import { openTopologyAdmin } from '@fit/topology/amqp';
import type { VerifyReport } from '../../src/verify/verifyTopology.ts';
import { cliFolder, startCli, writeDeclaration } from '../support/startCli.ts';
import { broker, SHORT_TOLERANCE_MS, TOLERANCE_MS, vhostNames } from '../verify/runVerification.ts';

interface Run {
  readonly child: ChildProcess;
  readonly said: { stdout: string; stderr: string };
  /** What it has made so far. */
  readonly hosts: () => string[];
  readonly ended: Promise<number | null>;
}

async function start(t: TestContext, ...args: readonly string[]): Promise<Run> {
  const kinds = `{ send: { key: 'mail.send', queue: 'outbox', tiers: ['1s', '2s'] } }`;
  const path = await writeDeclaration(await cliFolder(t), { exchange: 'mail', kinds });
  const { amqpUrl, managementUrl } = broker();
  const given = ['--declaration', path, '--amqp-url', amqpUrl, '--management-url', managementUrl];
  const child = startCli(['verify', ...given, ...args]);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (text: Buffer) => (said.stdout += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (said.stderr += text.toString()));
  const hosts = () =>
    [...said.stderr.matchAll(/virtual host (verify-\S+)/g)].map(([, one]) => one!);
  return { child, said, hosts, ended };
}

async function assertGone({ hosts, said }: Run): Promise<void> {
  const left = await vhostNames();
  assert.ok(hosts().length > 0, said.stderr);
  assert.deepEqual(
    hosts().filter((name) => left.includes(name)),
    [],
  );
}

const tolerance = ['--tolerance-ms', String(TOLERANCE_MS)];

test('--json: exit code 0, one document on standard output, nothing left', async (t) => {
  const run = await start(t, '--json', ...tolerance);
  assert.equal(await run.ended, 0, run.said.stderr);
  const report = JSON.parse(run.said.stdout) as VerifyReport;
  assert.equal(report.isAsPlanned, true);
  assert.ok(report.paths.some(({ path }) => path === 'crash loop'));
  assert.deepEqual(report.scaling[0], 'send: tiers 1s, 2s become 250ms, 500ms');
  await assertGone(run);
});

test('without a tolerance everything is late: exit code 2, and the table names the paths', async (t) => {
  const run = await start(t, '--tolerance-ms', '0');
  assert.equal(await run.ended, 2, run.said.stderr);
  assert.match(run.said.stdout, /^scaled for the test: send: tiers/);
  assert.match(run.said.stdout, /\npath +expected .* observed +late by +verdict\n/);
  assert.match(run.said.stdout, /\nrejected once, then done .* different\n {4}delivery .* ms late/);
  assert.match(run.said.stdout, /\nRabbitMQ \S+: \d+ of 13 paths different\n$/);
  await assertGone(run);
});

test('a binding that is removed meanwhile: exit code 2, and its paths are named', async (t) => {
  const run = await start(
    t,
    ...['--json', '--real-time', '--tolerance-ms', String(SHORT_TOLERANCE_MS)],
  );
  const vhost = await eventually(() => run.hosts().find((name) => name.endsWith('-handled')), {
    // Starting a process and creating virtual hosts take seconds on a busy machine.
    deadlineMs: 60_000,
    describe: () => run.said.stderr,
  });
  // It holds still while the ground is prepared.
  run.child.kill('SIGSTOP');
  const url = new URL(broker().amqpUrl);
  url.pathname = `/${vhost}`;
  const admin = await openTopologyAdmin(url.href);
  const lost = { source: 'outbox.return', key: 'outbox.r2', destination: 'outbox' };
  await admin.unbind({ ...lost, destinationType: 'queue', arguments: {} });
  await admin.close();
  run.child.kill('SIGCONT');

  assert.equal(await run.ended, 2, run.said.stderr);
  const { paths } = JSON.parse(run.said.stdout) as VerifyReport;
  const different = paths.filter(({ isAsPlanned }) => !isAsPlanned).map(({ path }) => path);
  assert.deepEqual(different, [
    'rejected twice, then done',
    'rejected each time',
    'asks for the longest wait',
  ]);
  assert.match(run.said.stderr, /\d+\/13 finished; awaited: rejected/);
  await assertGone(run);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal}: exit code 1, and nothing is left`, async (t) => {
    const run = await start(t, '--real-time');
    await eventually(() => run.said.stderr.includes('awaited: '), {
      // Virtual hosts are made first, which takes seconds on a busy machine.
      deadlineMs: 60_000,
      describe: () => run.said.stderr,
    });
    run.child.kill(signal);
    assert.equal(await run.ended, 1, run.said.stderr);
    assert.match(run.said.stderr, /interrupted; the virtual hosts are deleted/);
    assert.equal(run.said.stdout, '');
    await assertGone(run);
  });

test('--keep leaves the virtual hosts, and names them', async (t) => {
  const run = await start(t, '--keep', ...tolerance);
  t.after(async () => {
    for (const name of run.hosts())
      await askManagement({ method: 'DELETE', path: `/api/vhosts/${name}` });
  });
  assert.equal(await run.ended, 0, run.said.stderr);
  const kept = [...run.said.stdout.matchAll(/kept virtual host (\S+)/g)].map(([, one]) => one!);
  assert.deepEqual(kept, run.hosts());
  const left = await vhostNames();
  assert.ok(kept.length > 0 && kept.every((name) => left.includes(name)), kept.join());
});

test('a wrong command line is an error that says what to give', async (t) => {
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [['--kind', 'fax'], /'fax' is none of send/],
    [['--tolerance-ms', 'soon'], /--tolerance-ms 'soon' must be a number/],
    [['--management-url', ''], /give --management-url/],
    [['now'], /'now' is unexpected/],
  ];
  for (const [args, message] of cases) {
    const run = await start(t, ...args);
    assert.equal(await run.ended, 1, args.join(' '));
    assert.match(run.said.stderr, message);
  }
});
