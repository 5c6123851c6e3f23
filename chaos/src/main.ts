/** `npm run chaos`: scenarios one after the other, each on a stack of its own; every job is counted. */
import { parseArgs } from 'node:util';
import { assignment } from './scenario/assignment.ts';
import { exhausted, letters } from './scenario/exhausted.ts';
import { flaky } from './scenario/flaky.ts';
import { kills } from './scenario/kills.ts';
import { malformed } from './scenario/malformed.ts';
import { purge } from './scenario/purge.ts';
import type { Scenario, ScenarioResult } from './scenario/scenario.ts';

const SCENARIOS: readonly Scenario[] = [
  ...[malformed, exhausted, letters, purge, kills, assignment, flaky],
];

const USAGE = `npm run chaos -- [scenario …] [--users N] [--json] [--help]

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join('\n')}

Without a name all of them, about ten minutes. Exit code 0: every one passed; 1: one did not.`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      users: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const unknown = positionals.filter(
    (name) => !SCENARIOS.some((scenario) => scenario.name === name),
  );
  if (unknown.length > 0) {
    process.stderr.write(`no scenario is called ${unknown.join(', ')}\n\n${USAGE}\n`);
    return 1;
  }
  const chosen = SCENARIOS.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  const results: Record<string, ScenarioResult & { seconds: number }> = {};
  for (const scenario of chosen) {
    const userCount = values.users === undefined ? undefined : Number(values.users);
    results[scenario.name] = await play(scenario, userCount);
    if (!values.json) print(scenario.name, results[scenario.name]);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  return Object.values(results).every(({ failures }) => failures.length === 0) ? 0 : 1;
}

async function play(scenario: Scenario, userCount: number | undefined) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1_000);
  process.stderr.write(`\n${scenario.name}: ${scenario.about}\n`);
  const result = await scenario.play(userCount, (line) => {
    process.stderr.write(`${String(seconds()).padStart(5)} s  ${line}\n`);
  });
  return { ...result, seconds: seconds() };
}

function print(name: string, result: (ScenarioResult & { seconds: number }) | undefined): void {
  if (result === undefined) return;
  const { verdict, failures, notes, seconds } = result;
  const { accepted, done, dead, workouts, lost, doubled, unexpected, mostAttempts } = verdict;
  const figures = {
    accepted,
    done,
    dead,
    workouts,
    lost,
    doubled,
    unexpected,
    mostAttempts,
    ...notes,
  };
  process.stdout.write(
    `${failures.length === 0 ? 'PASS' : 'FAIL'} ${name} (${seconds} s) ${JSON.stringify(figures)}\n`,
  );
  for (const failure of failures) process.stdout.write(`     ${failure}\n`);
}
