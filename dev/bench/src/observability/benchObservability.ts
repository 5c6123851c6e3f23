/** What metrics, logs and traces cost the whole system at full load: systems in turn on one machine, against bounds. */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { describeMachine } from '../describeMachine.ts';
import { readCount } from '../readCount.ts';
import { round } from '../statistics.ts';
import { openArena } from './arena.ts';
import { VARIANTS, type Variant } from './variant.ts';
import { costOf, type Round, renderCosts } from './verdict.ts';

const USAGE = `npm run bench -- observability [--runs N] [--users N] [--json] [--help]

  --runs N   rounds, default 32, about half a minute each; all four systems one after the other, in an order that turns;
             a new broker and database, and warm systems, for every eight of them
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
      runs: { type: 'string', default: '32' },
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
  const rounds = await runRounds(readCount('runs', values.runs), readCount('users', values.users));
  const costs = (['watched', 'traced', 'complete'] as const).map((variant) =>
    costOf(variant, rounds),
  );
  const machine = `${describeMachine()}, ${load}`;
  if (!values.json) process.stdout.write(`${machine}\n\n${renderCosts(costs, rounds)}\n\n`);
  process.stdout.write(`${JSON.stringify({ machine, costs, rounds })}\n`);
  process.exitCode = costs.every(({ isWithin }) => isWithin) ? 0 : 1;
}

/** A broker and a database that were never new again would grow slower with every round, and hide what is added. */
const ROUNDS_PER_ARENA = 8;

async function runRounds(count: number, userCount: number): Promise<Round[]> {
  const rounds: Round[] = [];
  while (rounds.length < count) {
    process.stderr.write(`starting and warming up, about three minutes …\n`);
    const arena = await openArena(userCount);
    try {
      const end = Math.min(count, rounds.length + ROUNDS_PER_ARENA);
      while (rounds.length < end) {
        const figures = requireHonest(await arena.playRound(orderOf(rounds.length)));
        rounds.push(figures);
        process.stderr.write(`round ${rounds.length} of ${count}: ${JSON.stringify(figures)}\n`);
      }
    } finally {
      await arena.close();
    }
  }
  return rounds;
}

/** Forwards and backwards, each time beginning elsewhere: none comes always first, or always after the same one. */
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
