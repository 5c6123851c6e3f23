/** Where the time goes: the processor time of a job by process, of FIT and of a bare prototype that does the same work. */
import { type Stack, sampleUsers } from '@fit/stack';
import { processGroups, withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber, runWods } from '../fitRun.ts';
import { interleave } from '../interleave.ts';
import { checkpoint } from '../peers/measurePeer.ts';
import { ProcessorWatch, sumOf } from '../processUsage.ts';
import { type CostFigures, measurePrototype } from '../prototype/measurePrototype.ts';
import { type Measurement, ratioAtMost, type Workload } from '../workload.ts';

/**
 * Both sides do so many jobs first. While V8 optimises a program, its threads take as much again: after 5,000 jobs it still does so,
 * and longer for the side with more code.
 */
const WARM_UP_COUNT = 20_000;

/** The name of the part in the figures, and in the report. */
const PARTS = {
  PostgreSQL: 'PostgreSQL',
  gateway: 'gateway (FerretDB)',
  RabbitMQ: 'RabbitMQ',
  monolith: 'monolith; the prototype’s parent',
  coach: 'coach; the prototype’s child',
};

type Round = Readonly<Record<'fit' | 'prototype', CostFigures>>;

export const cost: Workload<'runs' | 'users'> = {
  name: 'cost',
  description: `where the time goes: processor time of a job by process, of FIT and of a bare prototype of the same work`,
  options: {
    runs: { description: 'rounds of about two minutes', default: 5 },
    users: { description: 'jobs of each run', default: 50_000, minimum: WARM_UP_COUNT },
  },
  measure: async ({ runs, users }, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) => {
      const sides = {
        fit: () => measureFit(stack, users),
        prototype: () => measurePrototype(stack, { jobCount: users, warmUpCount: WARM_UP_COUNT }),
      };
      return compare(await interleave(sides, { roundCount: runs, report }));
    }),
};

async function measureFit(stack: Stack, userCount: number): Promise<CostFigures> {
  return await withSystemUnderTest(stack, {}, async (tested) => {
    const members = sampleUsers(userCount);
    await createUsers(clientOf(tested), members.slice(0, WARM_UP_COUNT));
    await runWods(tested, { date: dayNumber(0), expectedCount: WARM_UP_COUNT });
    await createUsers(clientOf(tested), members.slice(WARM_UP_COUNT));
    await checkpoint(stack);
    const services = { monolith: tested.monolithPids, coach: tested.coachPids };
    const watch = new ProcessorWatch(processGroups(stack, services));
    let microsecondsPerJob: Record<string, number> = {};
    const { jobsPerSecond } = await runWods(tested, {
      date: dayNumber(1),
      expectedCount: userCount,
      onEnded: () => {
        microsecondsPerJob = watch.microsecondsPer(userCount);
      },
    });
    return { jobsPerSecond, microsecondsPerJob };
  });
}

function compare(rounds: readonly Round[]): Measurement {
  const both = (value: (figures: CostFigures) => number) => ({
    measured: rounds.map(({ fit }) => value(fit)),
    baseline: rounds.map(({ prototype }) => value(prototype)),
  });
  return {
    baselineName: 'prototype',
    comparisons: [
      ...Object.entries(PARTS).map(([part, name]) => ({
        name,
        unit: 'µs a job',
        ...both(({ microsecondsPerJob }) => microsecondsPerJob[part] ?? NaN),
      })),
      {
        name: 'whole machine',
        unit: 'µs a job',
        ...both(({ microsecondsPerJob }) => sumOf(microsecondsPerJob)),
        bound: ratioAtMost(1.6, 1.2),
      },
      {
        name: 'from request to last stored workout',
        unit: 'jobs/s',
        ...both(({ jobsPerSecond }) => jobsPerSecond),
      },
    ],
    rounds,
    notes: [
      'Processor time in user and kernel mode of each process with all descendants, ended ones included, from the request to the end of the run; the whole machine is the sum of these rows, without the benchmark itself and without other programs.',
      'The prototype has the generator, the documents and the durability of FIT (majority and journal, quorum queue, confirms), and the same one process that enqueues and one that works. It has no metrics, logs, retries, leases or repairs, takes its members from memory, and runs with Node’s default heap.',
      'While FIT is measured its run is asked for at most once a second, as a client does that waits for the end; the prototype is not asked.',
    ],
  };
}
