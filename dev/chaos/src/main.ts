/** `npm run chaos`: scenarios one after the other, each on a stack of its own; every job is counted. */
import { parseArgs } from 'node:util';
import { assignment } from './scenario/assignment.ts';
import { exhausted, letters } from './scenario/exhausted.ts';
import { flaky } from './scenario/flaky.ts';
import { kills } from './scenario/kills.ts';
import { malformed } from './scenario/malformed.ts';
import { purge } from './scenario/purge.ts';
import type { Scenario, ScenarioOptions, ScenarioResult } from './scenario/scenario.ts';
import { strangers } from './scenario/strangers.ts';

const SCENARIOS: readonly Scenario[] = [
  malformed,
  exhausted,
  letters,
  purge,
  kills,
  assignment,
  flaky,
  strangers,
];

const USAGE = `npm run chaos -- [scenario …] [--users N] [--seconds N] [--json] [--help]

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join('\n')}

Without a name all of them, about twenty minutes. Exit code 0: every one passed; 1: one did not.`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      users: { type: 'string' },
      seconds: { type: 'string' },
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
  const userCount = countOf('--users', values.users);
  const seconds = countOf('--seconds', values.seconds);
  const results: Record<string, ScenarioResult & { seconds: number }> = {};
  for (const scenario of chosen) {
    results[scenario.name] = await play(scenario, userCount, { seconds });
    if (!values.json) print(scenario.name, results[scenario.name]);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  return Object.values(results).every(({ failures }) => failures.length === 0) ? 0 : 1;
}

/** @throws where the text is no whole number above 0. */
function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`${option} '${text}' must be a whole number, at least 1`);
}

async function play(scenario: Scenario, userCount: number | undefined, options: ScenarioOptions) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1_000);
  process.stderr.write(`\n${scenario.name}: ${scenario.about}\n`);
  const say = (line: string) => {
    process.stderr.write(`${String(seconds()).padStart(5)} s  ${line}\n`);
  };
  const result = await scenario.play(userCount, say, options);
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
