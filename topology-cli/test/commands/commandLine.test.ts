/** Goal: scripts can rely on output, exit codes and one JSON document. Method: real processes. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { COMMANDS } from '../../src/commands.ts';
import { brokerUrls, loadDeclaration, parseCommandLine } from '../../src/parseCommandLine.ts';
import {
  type CliResult,
  cliFolder,
  resultOf,
  startCli,
  TOPOLOGY,
  writeDeclaration,
} from '../support/startCli.ts';

async function run(...words: readonly string[]): Promise<CliResult> {
  return await resultOf(startCli(words));
}

/** As `main.ts` does it: a process for each wrong command line would take minutes on a busy machine. */
async function runInProcess(args: readonly string[]): Promise<number> {
  const { command, ...call } = parseCommandLine(args, COMMANDS, {});
  const module = await loadDeclaration(call.declarationPath);
  if (command === undefined) throw new Error('no command is given');
  return await command.run({
    declaration: module.declaration,
    ...brokerUrls(call, module),
    isJson: call.isJson,
    options: call.options,
    positionals: call.positionals,
    print: () => undefined,
    log: () => undefined,
  });
}

async function declarationFile(t: TestContext, tiers = "['5s', '30s']"): Promise<string> {
  const kinds = `{ send: { key: 'mail.send', queue: 'outbox', tiers: ${tiers} } }`;
  return await writeDeclaration(await cliFolder(t), { exchange: 'mail', kinds });
}

test('without a command: the overview; with --help: the usage of each command', async () => {
  const overview = await run();
  assert.equal(overview.code, 0);
  for (const { name, summary, usage } of COMMANDS) {
    assert.ok(overview.out.includes(name) && overview.out.includes(summary), name);
    assert.ok(usage.startsWith(`topology ${name}`), name);
  }
  const help = await run('diff', '--help');
  assert.equal(help.code, 0);
  assert.match(help.out, /^topology diff[^]*Exit code 0: success, nothing differs\./);
});

test('the default export may be a topology of defineTopology', async (t) => {
  const path = join(await cliFolder(t), 'topology.ts');
  const lines = [
    `import { defineTopology } from ${JSON.stringify(TOPOLOGY)};`,
    "const schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };",
    'export default defineTopology({',
    "  exchange: 'mail', messages: { send: schema },",
    "  queues: { outbox: { on: ['send'], retry: { delays: ['5s'] } } },",
    '});',
  ];
  await writeFile(path, lines.join('\n'));
  const { declaration } = await loadDeclaration(path);
  assert.deepEqual(declaration.kind, { outbox: declaration.kinds[0] });
  assert.equal(declaration.kinds[0]?.queue, 'outbox');
});

test('a wrong command line is an error that names the argument', async (t) => {
  const path = await declarationFile(t);
  const broken = join(path, '../broken.ts');
  await writeFile(broken, 'export default {;\n');
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [['fly'], /'fly' is none of .*graph/],
    [['graph', '--colour', 'red'], /--colour/],
    [['graph'], /give --declaration FILE/],
    [
      ['graph', '--declaration', TOPOLOGY],
      /its default export is neither a topology nor a declaration/,
    ],
    [['graph', '--declaration', 'nowhere.ts'], /nowhere\.ts cannot be loaded/],
    [['graph', '--declaration', broken], /broken\.ts cannot be loaded: SyntaxError/],
    [['diff', '--declaration', path, '--amqp-url', 'host:5672'], /^--amqp-url 'host:5672' is not/],
    [
      ['diff', '--declaration', path, '--management-url', 'ftp://me:secret@host'],
      /--management-url 'ftp:\/\/…@host' is not a URL such as http:/,
    ],
    [
      ['diff', '--declaration', path, '--amqp-url', 'me:secret@host'],
      /--amqp-url '…@host' is not a URL such as amqp:/,
    ],
    [
      ['diff', '--declaration', path, '--amqp-url', 'amqpx://me:sec//@ret@host'],
      /--amqp-url 'amqpx:\/\/…@host' is not a URL such as amqp:/,
    ],
    [['plan', '--declaration', path, '--broker', '4.3.6'], /Unknown option '--broker'/],
    [['graph', '--declaration', path, '--format', 'dot'], /Unknown option '--format'/],
    [['explain', '--declaration', path], /give --outcomes/],
    [['explain', '--declaration', path, '--outcomes', 'retry,sleep'], /'sleep' is none of done/],
    [['explain', '--declaration', path, '--outcomes', 'done', '--kind', 'post'], /'post' is none/],
    [['explain', '--declaration', path, '--outcomes', 'expire'], /no time to live/],
    [['graph', '--declaration', path, '--broker-version', '2.8'], /'2\.8' must be 3\.10\.0/],
    [['docs', '--declaration', path], /give --file/],
  ];
  for (const [args, message] of cases)
    await assert.rejects(runInProcess(args), { name: 'UsageError', message }, args.join(' '));
  const { code, out, err } = await run('graph', '--declaration', path, '--colour', 'red');
  assert.match(err, /^topology: .*--colour/);
  assert.deepEqual([code, out, err.trim().split('\n').length <= 2], [1, '', true], err);
});

test('a declaration with faults is an error that names them all', async (t) => {
  const path = await declarationFile(t, "['30s', '5s', 'soon']");
  const { code, err } = await run('graph', '--declaration', path);
  assert.equal(code, 1);
  assert.match(err, /DECLARATION_INVALID\n.*\n/);
  assert.match(err, /soon/);
});

test('graph: Mermaid and JSON', async (t) => {
  const path = await declarationFile(t);
  const mermaid = await run('graph', '--declaration', path);
  assert.match(mermaid.out, /^flowchart LR\n[^]*outbox\.wait\.2\.30s/);
  const json = await run('graph', '--declaration', path, '--json');
  assert.ok(Array.isArray((JSON.parse(json.out) as { nodes: unknown }).nodes));
});

test('explain: as text and as one JSON document', async (t) => {
  const path = await declarationFile(t);
  const call = ['explain', '--declaration', path, '--outcomes', 'reject,crash,done'];
  const text = await run(...call);
  assert.equal(text.code, 0);
  assert.match(text.out, /done; 5s after the publish\n$/);
  const { end, totalMs } = JSON.parse((await run(...call, '--json')).out) as {
    end: unknown;
    totalMs: number;
  };
  assert.deepEqual([end, totalMs], [{ type: 'done' }, 5_000]);
});

test('docs: a file that is not up to date is code 2 with its line; once written it is code 0', async (t) => {
  const path = await declarationFile(t);
  const file = join(path, '../DOCUMENT.md');
  await writeFile(file, 'tiers:\n<!-- topology:tiers -->\nold\n<!-- /topology:tiers -->\n');
  const call = ['docs', '--declaration', path, '--file', file];
  const stale = await run(...call, '--check');
  assert.equal(stale.code, 2);
  assert.match(stale.out, /DOCUMENT\.md:3 is not up to date\n- old\n\+ /);
  assert.match(await readFile(file, 'utf8'), /\nold\n/);
  assert.equal((await run(...call)).code, 0);
  assert.match(await readFile(file, 'utf8'), /outbox\.wait\.1\.5s/);
  assert.equal((await run(...call, '--check')).code, 0);
});

test('with --json an error is one JSON document on standard output', async (t) => {
  const path = await declarationFile(t, "['30s', '5s']");
  for (const [args, code] of [
    [['graph', '--declaration', path, '--json'], 'DECLARATION_INVALID'],
    [['graph', '--json'], 'USAGE'],
    [['fly', '--json'], 'USAGE'],
  ] as const) {
    const answer = await run(...args);
    assert.deepEqual([answer.code, answer.err], [1, '']);
    const { error } = JSON.parse(answer.out) as { error: { code: string; message: string } };
    assert.equal(error.code, code);
    assert.ok(error.message !== '');
  }
});

test('variables that hold no URL are named; empty ones count as not given', async (t) => {
  const path = await declarationFile(t);
  const call = ['plan', '--declaration', path, '--broker-version', '4.3.6'];
  const withVariable = (AMQP_URL: string) => resultOf(startCli(call, { AMQP_URL }));
  assert.match(
    (await withVariable('127.0.0.1:5672')).err,
    /AMQP_URL '127\.0\.0\.1:5672' is not a URL/,
  );
  assert.equal((await withVariable('')).code, 0);
});
