/** What metrics, logs and traces cost the whole system at full load; pairs in turn on one machine, against bounds. */
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts, startStack } from '@fit/stack';
import { describeMachine } from '../describeMachine.ts';
import { round } from '../statistics.ts';
import { type Arena, openArena } from './arena.ts';
import { VARIANTS, type Variant } from './variant.ts';
import { costOf, type Round, renderCosts } from './verdict.ts';

const USAGE = `npm run bench -- observability [--runs N] [--users N] [--json] [--help]

  --runs N   rounds, default 4, about three minutes each; all four systems one after the other, in an order that turns
  --users N  jobs in each run, default 10000
  --json     the figures as JSON only

bare: no metrics, no log. watched: metrics, scraped at once and every 5 s, and logs at info.
traced: the same, and spans sent to a collector that runs in the bench itself: by default of one in ten jobs of a large run.
complete: of every job (OTEL_TRACES_SAMPLER=parentbased_always_on); told, without a bound.
Exit code 1 where a bound is broken.`;

export async function benchObservability(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '4' },
      users: { type: 'string', default: '10000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const load = `load average ${round(loadavg()[0] ?? 0)} before`;
  const rounds = await runRounds(Number(values.runs), Number(values.users));
  const costs = (['watched', 'traced', 'complete'] as const).map((variant) =>
    costOf(variant, rounds),
  );
  const machine = `${describeMachine()}, ${load}`;
  if (!values.json) process.stdout.write(`${machine}\n\n${renderCosts(costs, rounds)}\n\n`);
  process.stdout.write(`${JSON.stringify({ machine, costs, rounds })}\n`);
  process.exitCode = costs.every(({ isWithin }) => isWithin) ? 0 : 1;
}

async function runRounds(count: number, userCount: number): Promise<Round[]> {
  const name = `bench-${process.pid}`;
  const stack = await startStack({
    ...{ name, ports: await freePorts(), services: ['rabbitmq', 'gateway'] },
    folder: resolve(import.meta.dirname, `../../../.stack/${name}`),
  });
  try {
    const arena = await openArena(stack, userCount);
    try {
      return await turn(arena, count);
    } finally {
      await arena.close();
    }
  } finally {
    await stack.stop({ purge: true });
  }
}

/** Forwards and backwards, each time beginning elsewhere: none comes always first, or always after the same one. */
async function turn(arena: Arena, count: number): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let index = 0; index < count; index += 1) {
    const figures: Partial<Round> = {};
    for (const variant of orderOf(index))
      Object.assign(figures, { [variant]: await arena.measure(variant) });
    process.stderr.write(`round ${index + 1} of ${count}: ${JSON.stringify(figures)}\n`);
    rounds.push(requireHonest(figures as Round));
  }
  return rounds;
}

function orderOf(index: number): Variant[] {
  const start = (index >> 1) % VARIANTS.length;
  const order = [...VARIANTS.slice(start), ...VARIANTS.slice(0, start)];
  return index % 2 === 0 ? order : order.reverse();
}

/** A bare system that still counts, or a traced one that drops its spans, would flatter the comparison. */
function requireHonest(figures: Round): Round {
  const { bare, watched, traced, complete } = figures;
  if (bare.metricsBytes > 0 || watched.metricsBytes === 0)
    throw new Error(`metrics are not off and on as they should be: ${JSON.stringify(figures)}`);
  if (traced.spansPerJob === 0 || complete.spansPerJob < 2.9)
    throw new Error(`spans did not reach the collector: ${JSON.stringify(figures)}`);
  return figures;
}
