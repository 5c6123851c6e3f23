/**
 * Goal: a process with a wrong configuration ends before it starts anything, and names all variables at fault at once.
 * Method: the real programs as child processes, without any server.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from './support/programs.ts';

/** Nothing else of this process's environment, since a variable of the machine would hide one that the test leaves out. */
const BASE_ENV = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  NODE_OPTIONS: process.env['NODE_OPTIONS'],
};
const SECRET = 'hunter2-hunter2';
/** Wrong for monolith and coach. */
const SERVICE = {
  AMQP_URL: `amqp://fit:${SECRET}@broker:port`,
  AMQP_MANAGEMENT_URL: 'broker:15672',
  MONGODB_URL: `mongodb://fit:${SECRET}@a,b/fi%t`,
  CRON_TIMEZONE: 'Mars/Olympus',
  LOG_LEVEL: 'noisy',
  FIT_PROFILE: 'fast',
  FIT_TIERS: '30s,5s',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
};
const MONOLITH = { FIT_BOOTSTRAP_SECRET: 'short', FIT_STALE_AFTER_MS: '1', PROMETHEUS_URL: 'x' };
const COACH = { COACH_PREFETCH: '0', COACH_FAILURE_RATE: '2' };
const ADDRESS = { HOST: '1.2.3', PORT: '70000', METRICS_PORT: 'x' };

const PROGRAMS: readonly (readonly [file: string, env: Record<string, string>])[] = [
  ['monolith/src/main.ts', { ...SERVICE, ...MONOLITH, ...ADDRESS }],
  ['coach/src/main.ts', { ...SERVICE, ...COACH, ...ADDRESS }],
  [
    'monolith/src/replayCommand.ts',
    { AMQP_URL: SERVICE.AMQP_URL, MONGODB_URL: SERVICE.MONGODB_URL },
  ],
  [
    'cron_job.ts',
    {
      FIT_URL: 'monolith:12100',
      FIT_CRON_SECRET: 'short',
      CRON_SCHEDULE: 'daily',
      CRON_WAIT_MS: '1',
      CRON_CATCH_UP_MS: '-1',
      HOST: '1.2.3',
      METRICS_PORT: 'x',
    },
  ],
  [
    'start.ts',
    {
      ...SERVICE,
      ...MONOLITH,
      ...COACH,
      // start.ts sets this variable itself for the processes that it starts.
      PROMETHEUS_URL: '',
      FIT_PORT_AMQP: 'amqp',
      FIT_CONSOLE_URL: 'console',
      ALERT_CRITICAL_URL: 'page',
    },
  ],
];

for (const [file, env] of PROGRAMS)
  test(`${file} names every wrong variable at once and starts nothing`, async () => {
    const { code, output } = await runProgram([file], { ...BASE_ENV, ...env });
    assert.equal(code, 1, output);
    for (const [name, value] of Object.entries(env))
      if (value !== '') assert.match(output, new RegExp(`\\b${name}(=| has| must)`), name);
    assert.ok(!output.includes(SECRET), output);
    assert.doesNotMatch(output, /starting the servers|accepts requests|^ +at /m);
  });

test('cron names a wrong schedule where all other variables are right', async () => {
  const { code, output } = await runProgram(['cron_job.ts'], {
    ...BASE_ENV,
    CRON_SCHEDULE: '61 5 * * *',
  });
  assert.equal(code, 1, output);
  assert.match(output, /CRON_SCHEDULE='61 5 \* \* \*' is no schedule, such as '0 5 \* \* \*'/);
});
