/** `npm run chaos -- [scenario …]`: runs scenarios one after the other, each in a test environment of its own. */
import { parseArgs } from 'node:util';
import { isOptionError } from '@fit/stack';
import { askedOften } from './scenario/askedOften.ts';
import { assignment } from './scenario/assignment.ts';
import { deadLetters } from './scenario/deadLettersOnBroker.ts';
import { exhausted } from './scenario/exhausted.ts';
import { expansionKills } from './scenario/expansionKills.ts';
import { flaky } from './scenario/flaky.ts';
import { kills } from './scenario/kills.ts';
import { malformed } from './scenario/malformed.ts';
import { poisonDocument } from './scenario/poisonDocument.ts';
import { portAttacks } from './scenario/portAttacks.ts';
import { purge } from './scenario/purge.ts';
import type { Scenario, ScenarioOptions, ScenarioResult } from './scenario/scenario.ts';
import { slowAttempts } from './scenario/slowAttempts.ts';
import { slowClock } from './scenario/slowClock.ts';
import { twoMonoliths } from './scenario/twoMonoliths.ts';

const SCENARIOS: readonly Scenario[] = [
  malformed,
  exhausted,
  deadLetters,
  purge,
  kills,
  assignment,
  flaky,
  expansionKills,
  slowAttempts,
  slowClock,
  poisonDocument,
  twoMonoliths,
  askedOften,
  portAttacks,
];

const USAGE = `npm run chaos -- [scenario …] [--users N] [--seconds N] [--json] [--help]

${SCENARIOS.map(({ name, description }) => `  ${name.padEnd(17)}${description}`).join('\n')}

  --users N     users of each run; the default depends on the scenario
  --seconds N   for which port-attacks attacks; default 300
  --json        print the results as JSON

Without a scenario all of them are run, which takes about forty minutes. Progress goes to standard error.
Exit code 0: every scenario passed; 1: one did not; 2: wrong word or option.`;

/** The command line is wrong; the message names the fault. */
class UsageError extends Error {}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof UsageError || isOptionError(error))) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}\n`);
  return 2;
});

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
  if (unknown.length > 0) throw new UsageError(`there is no scenario '${unknown.join("', '")}'`);
  const userCount = readCount('--users', values.users);
  const attackSeconds = readCount('--seconds', values.seconds);
  const results: Record<string, TimedResult> = {};
  for (const scenario of SCENARIOS) {
    if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
    const result = await execute(scenario, { userCount, attackSeconds });
    results[scenario.name] = result;
    if (!values.json) printResult(scenario.name, result);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  return Object.values(results).every(({ failures }) => failures.length === 0) ? 0 : 1;
}

/** @throws UsageError if the text is not a whole number above 0. */
function readCount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`${option} '${text}' must be a whole number of at least 1`);
}

interface TimedResult extends ScenarioResult {
  readonly seconds: number;
}

async function execute(
  scenario: Scenario,
  options: Omit<ScenarioOptions, 'report'>,
): Promise<TimedResult> {
  const startedAt = Date.now();
  const elapsedSeconds = () => Math.round((Date.now() - startedAt) / 1_000);
  process.stderr.write(`\n${scenario.name}: ${scenario.description}\n`);
  const report = (line: string) => {
    process.stderr.write(`${String(elapsedSeconds()).padStart(5)} s  ${line}\n`);
  };
  const result = await scenario.execute({ ...options, report });
  return { ...result, seconds: elapsedSeconds() };
}

function printResult(name: string, { consistency, failures, figures, seconds }: TimedResult): void {
  const { accepted, done, dead, workouts, lost, doubled, unexpected, mostAttempts } = consistency;
  const printed = {
    accepted,
    done,
    dead,
    workouts,
    lost,
    doubled,
    unexpected,
    mostAttempts,
    ...figures,
  };
  const result = failures.length === 0 ? 'PASS' : 'FAIL';
  process.stdout.write(`${result} ${name} (${seconds} s) ${JSON.stringify(printed)}\n`);
  for (const failure of failures) process.stdout.write(`     ${failure}\n`);
}
