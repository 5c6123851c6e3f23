/** The topology library against bare amqplib, on a broker of its own; medians of several rounds. No test: it exits 0. */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Stack } from '@fit/stack';
import { describeMachine } from '../describeMachine.ts';
import { readCount } from '../readCount.ts';
import { round } from '../statistics.ts';
import { brokerVersionOf, openManagement } from './management.ts';
import { measureTopology, type RoundSize, type TopologyRound } from './measureTopology.ts';
import { onOwnBroker } from './onOwnBroker.ts';
import { renderTopology } from './renderTopology.ts';
import { AIMS, summariseTopology } from './summariseTopology.ts';

const USAGE = `npm run bench -- topology [--runs N] [--messages N] [--rate N] [--seconds N] [--json] [--help]

  --runs N      rounds, default 5; medians are reported
  --messages N  published, and then consumed, by each side, default 50000, above 250
  --rate N      retries per second while lateness is measured, default 500
  --seconds N   for which they go on, default 10
  --json        the figures as JSON only`;

/** Enough for the compiler to have seen every path. */
const WARM_UP: RoundSize = { messageCount: 5_000, retryLoad: { perSecond: 500, count: 500 } };

export async function benchTopology(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '5' },
      messages: { type: 'string', default: '50000' },
      rate: { type: 'string', default: '500' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const roundCount = readCount('runs', values.runs);
  const perSecond = readCount('rate', values.rate);
  const size: RoundSize = {
    messageCount: readCount('messages', values.messages),
    retryLoad: { perSecond, count: perSecond * readCount('seconds', values.seconds) },
  };
  // Of the minute before, so of others only: on a busy machine the tail of the lateness is theirs.
  const load = `load average ${round(loadavg()[0] ?? 0)} before`;
  const { broker, rounds } = await onOwnBroker(async (stack) => ({
    broker: `RabbitMQ ${await brokerVersionOf(openManagement(stack))}`,
    rounds: await runRounds(stack, size, roundCount),
  }));
  const summary = summariseTopology(rounds);
  const machine = `${describeMachine()}, ${broker}, ${load}`;
  if (!values.json) process.stdout.write(`${machine}\n\n${renderTopology(summary)}\n\n`);
  process.stdout.write(`${JSON.stringify({ machine, size, aims: AIMS, summary, rounds })}\n`);
}

async function runRounds(stack: Stack, size: RoundSize, count: number): Promise<TopologyRound[]> {
  process.stderr.write('warm-up …\n');
  await measureTopology(stack, WARM_UP, 0);
  const rounds: TopologyRound[] = [];
  for (let index = 0; index < count; index += 1) {
    process.stderr.write(`round ${index + 1} of ${count} …\n`);
    const figures = await measureTopology(stack, size, index);
    process.stderr.write(`${JSON.stringify(figures)}\n`);
    rounds.push(figures);
  }
  return rounds;
}
