/**
 * Goal: every command and query of a runbook works as written. Method: promtool for queries; the parsers of the programs for their
 * command lines; services, ports and links are looked up.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { fitTopology } from '@fit/contract';
import { promtool } from '@fit/stack';
import { planTopology } from '@fit/topology';
import { stringify } from 'yaml';
import { parseStackCommand } from '../../../dev/stack/src/stackCommand.ts';
import { readReplayArguments } from '../../../monolith/src/readReplayArguments.ts';
import { COMMANDS } from '../../../topology-cli/src/commands.ts';
import { parseCommandLine } from '../../../topology-cli/src/parseCommandLine.ts';
import { DEFAULT_LINKS, listRules } from '../../src/index.ts';
import { COMPOSE_SOURCE, REPOSITORY, SERVICES } from '../support/composeFile.ts';
import { ON_CALL, RUNBOOKS } from '../support/runbook.ts';

const SECTIONS = ['Meaning', 'Impact', 'Queries', 'Mitigation', 'Recovery'];
const ALL = [...RUNBOOKS, ON_CALL];
const COMMAND_LINES = ALL.flatMap(({ alert, commands }) =>
  commands.map((command) => ({ alert, command })),
);

/** `npm run cron --` reads its words by itself; dev/chaos/test/cron.test.ts and system.test.ts run these. */
const CRON_CALLS = new Set(['--once', '--once --date 2026-11-29', '--retire']);

/** Words as the shell would split them; quotes are used in one place only, and hold no name. */
function commandsThatBegin(start: string): { alert: string; words: string[] }[] {
  return COMMAND_LINES.filter(({ command }) => command.startsWith(start)).map(
    ({ alert, command }) => ({ alert, words: command.slice(start.length).trim().split(' ') }),
  );
}

test('each runbook has the five sections in order, three queries and numbered steps', () => {
  assert.ok(RUNBOOKS.length > 17);
  for (const { alert, text, sections, queries } of RUNBOOKS) {
    assert.ok(text.startsWith(`# ${alert}\n`), alert);
    assert.deepEqual(sections, SECTIONS, alert);
    assert.equal(queries.length, 3, alert);
    assert.match(text, /\n1\. .*\n(.*\n)*## Recovery/, alert);
  }
});

test('each alert has a runbook, and each runbook an alert', () => {
  const broker = { version: '4.3.6', hasManagement: true };
  const rules = listRules(planTopology(fitTopology({ profile: 'default' }), broker));
  const alerts = new Set(rules.flatMap((rule) => ('alert' in rule ? [rule.alert] : [])));
  assert.deepEqual(
    RUNBOOKS.map(({ alert }) => alert),
    [...alerts].sort(),
  );
  for (const rule of rules)
    if ('alert' in rule)
      assert.equal(rule.annotations.runbook_url, `${DEFAULT_LINKS.runbookBase}/${rule.alert}.md`);
});

test('Prometheus can read every query', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fit-runbooks-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const rules = RUNBOOKS.flatMap(({ alert, queries }) =>
    queries.map((expr, index) => ({ record: `runbook:${alert}:${index}`, expr })),
  );
  await writeFile(join(cwd, 'queries.yml'), stringify({ groups: [{ name: 'queries', rules }] }));
  const { code, output } = await promtool(['check', 'rules', 'queries.yml'], { cwd });
  assert.equal(code, 0, output);
});

test('every npm script that is named exists', async () => {
  const { scripts } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = commandsThatBegin('npm run ');
  assert.ok(named.length > 15);
  for (const { alert, words } of named)
    assert.ok(scripts[words[0] ?? ''], `${alert}: ${words.join(' ')}`);
});

test('the programs accept the command lines', () => {
  for (const { alert, words } of commandsThatBegin('npm run topology --'))
    assert.doesNotThrow(() => {
      const call = parseCommandLine(words, COMMANDS, {});
      assert.ok(call.command);
      const [word] = call.positionals;
      assert.ok(word === undefined || call.command.usage.includes(`\n  ${word} `), word);
    }, alert);
  for (const { alert, words } of commandsThatBegin('npm run replay --'))
    assert.doesNotThrow(() => readReplayArguments(words), alert);
  for (const { alert, words } of commandsThatBegin('npm run stack --'))
    assert.doesNotThrow(() => parseStackCommand(words), alert);
  for (const { alert, words } of commandsThatBegin('npm run cron --'))
    assert.ok(CRON_CALLS.has(words.join(' ')), `${alert}: ${words.join(' ')}`);
});

test('a remedy names only commands, routes and variables that exist', async () => {
  const { scripts } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const routes = globSync('monolith/src/**/*outes.ts', { cwd: REPOSITORY })
    .map((file) => readFileSync(join(REPOSITORY, file), 'utf8'))
    .join('\n');
  const settings = await readFile(join(REPOSITORY, 'docs/configuration.md'), 'utf8');
  const broker = { version: '4.3.6', hasManagement: true };
  for (const rule of listRules(planTopology(fitTopology({ profile: 'default' }), broker))) {
    if (!('alert' in rule)) continue;
    const { remedy } = rule.annotations;
    for (const [, script = ''] of remedy.matchAll(/npm run ([\w-]+)/g))
      assert.ok(scripts[script], `${rule.alert}: ${script}`);
    for (const [, path = ''] of remedy.matchAll(/\bGET (\/\w+)/g))
      assert.ok(routes.includes(`'${path}'`), `${rule.alert}: ${path}`);
    for (const [, name = ''] of remedy.matchAll(/\b([A-Z]+(?:_[A-Z]+)+)\b/g))
      assert.ok(settings.includes(name), `${rule.alert}: ${name}`);
  }
});

test('every service of a docker compose command is in docker-compose.yml', () => {
  const options = {
    since: { type: 'string' },
    tail: { type: 'string' },
    scale: { type: 'string' },
    index: { type: 'string' },
    build: { type: 'boolean' },
    'no-build': { type: 'boolean' },
    'no-recreate': { type: 'boolean' },
    detach: { type: 'boolean', short: 'd' },
    all: { type: 'boolean', short: 'a' },
    quiet: { type: 'boolean', short: 'q' },
  } as const;
  const named = commandsThatBegin('docker compose ');
  assert.ok(named.length > 15);
  for (const { alert, words } of named) {
    const [verb = '', ...rest] = words;
    // The words after the service are for the program in the container.
    const args = verb === 'exec' ? rest.slice(0, 1) : rest;
    const { positionals } = parseArgs({ args, options, allowPositionals: true });
    // The second word is a port.
    for (const service of verb === 'port' ? positionals.slice(0, 1) : positionals)
      assert.ok(SERVICES.has(service) || service === 'SERVICE', `${alert}: ${words.join(' ')}`);
  }
});

test('every port is one of the system, every runbook that is linked exists', () => {
  // The text as written, since the environment may move ports.
  const published = COMPOSE_SOURCE.matchAll(/FIT_PORT_\w+:-(\d+)/g);
  // Alertmanager has one port natively and another one in its container.
  const ports = new Set(['12108', '9093', ...[...published].map(([, port]) => port)]);
  const alerts = new Set(RUNBOOKS.map(({ alert }) => `${alert}.md`));
  for (const { alert, text } of ALL) {
    for (const [, port] of text.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)/g))
      assert.ok(ports.has(port), `${alert}: ${port}`);
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g))
      assert.ok(alerts.has(target) || target === '../on-call.md', `${alert}: ${target}`);
  }
});
