/** The same workouts by FIT and by other job systems of Node: the same generator, the same members, each workout stored durably. */
import { type Stack, sampleUsers } from '@fit/stack';
import {
  describeBroker,
  processGroups,
  withServers,
  withSystemUnderTest,
} from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber, runWods } from '../fitRun.ts';
import { interleave } from '../interleave.ts';
import { type FloorFigures, measureFloor } from '../measureFloor.ts';
import { CONTENDERS, type ContenderId } from '../peers/index.ts';
import {
  checkpoint,
  describePeerServers,
  measurePeer,
  type PeerRun,
} from '../peers/measurePeer.ts';
import { ProcessorWatch, sumOf } from '../processUsage.ts';
import {
  type Bound,
  type Comparison,
  type Measurement,
  ratioAtLeast,
  type Workload,
} from '../workload.ts';

/** Every side does so many jobs first. */
const WARM_UP_COUNT = 2_000;

interface FitFigures {
  readonly jobsPerSecond: number;
  readonly acceptMs: number;
  readonly microsecondsPerJob: number;
  readonly floor: FloorFigures;
}

const IDS = Object.keys(CONTENDERS) as ContenderId[];

type Figures = FitFigures | PeerRun;
type Round = Readonly<Record<'fit' | ContenderId, Figures>>;

export const peers: Workload<'runs' | 'users'> = {
  name: 'peers',
  description: `the same workouts by FIT, Graphile Worker, pg-boss and BullMQ, from the request to the last stored workout, and the
  floor of the same run: its messages and documents without any job system`,
  options: {
    runs: { description: 'rounds of about a minute', default: 5 },
    users: { description: 'jobs of each run', default: 10_000, minimum: WARM_UP_COUNT },
  },
  measure: async ({ runs, users }, report) =>
    await withServers(['rabbitmq', 'gateway', 'redis'], async (stack) => {
      const options = { jobCount: users, warmUpCount: WARM_UP_COUNT };
      const sides = {
        fit: () => measureFit(stack, users),
        ...Object.fromEntries(IDS.map((id) => [id, () => measurePeer(stack, id, options)])),
      } as Record<keyof Round, () => Promise<Figures>>;
      const servers = `${await describeBroker(stack)}, ${await describePeerServers(stack)}`;
      const rounds = await interleave(sides, { roundCount: runs, report });
      return compare(rounds, servers);
    }),
};

/** New processes and a new database in each round, as every peer has them. */
async function measureFit(stack: Stack, userCount: number): Promise<FitFigures> {
  return await withSystemUnderTest(stack, {}, async (tested) => {
    const members = sampleUsers(userCount);
    await createUsers(clientOf(tested), members.slice(0, WARM_UP_COUNT));
    await runWods(tested, { date: dayNumber(0), expectedCount: WARM_UP_COUNT });
    await createUsers(clientOf(tested), members.slice(WARM_UP_COUNT));
    await checkpoint(stack);
    const date = dayNumber(1);
    const watch = new ProcessorWatch(processGroups(stack, { services: tested.pids }));
    let microsecondsPerJob = 0;
    const { jobsPerSecond, acceptMs } = await runWods(tested, {
      date,
      expectedCount: userCount,
      onEnded: () => {
        microsecondsPerJob = sumOf(watch.microsecondsPer(userCount));
      },
    });
    await tested.stopServices();
    const floor = await measureFloor({ ...tested, date });
    return { jobsPerSecond, acceptMs: Math.max(...acceptMs), microsecondsPerJob, floor };
  });
}

function compare(rounds: readonly Round[], servers: string): Measurement {
  const speedOf = (id: keyof Round) => rounds.map((round) => round[id].jobsPerSecond);
  const fastest = (ids: readonly ContenderId[]) =>
    rounds.map((round) => Math.max(...ids.map((id) => round[id].jobsPerSecond)));
  const fit = speedOf('fit');
  const against = (other: string, baseline: readonly number[], bound?: Bound): Comparison => ({
    name: `FIT against ${other}`,
    unit: 'jobs/s',
    measured: fit,
    baseline,
    ...(bound === undefined ? {} : { bound }),
  });
  const isCollected = (id: ContenderId) => CONTENDERS[id].isCollected;
  const nameOf = (id: ContenderId) =>
    `${CONTENDERS[id].peer.name}${isCollected(id) ? ', collected' : ''}`;
  return {
    baselineName: 'the other',
    comparisons: [
      ...IDS.map((id) => against(nameOf(id), speedOf(id))),
      against(
        'the fastest peer of each round',
        fastest(IDS.filter((id) => !isCollected(id))),
        ratioAtLeast(1.6, 2),
      ),
      against('the same, collected ones included', fastest(IDS)),
      against(
        'the floor',
        rounds.map((round) => (round.fit as FitFigures).floor.jobsPerSecond),
        ratioAtLeast(0.6, 0.75),
      ),
      ...IDS.map((id) => ({
        name: `processor time, FIT against ${nameOf(id)}`,
        unit: 'µs a job',
        measured: rounds.map(({ fit: { microsecondsPerJob } }) => microsecondsPerJob),
        baseline: rounds.map((round) => round[id].microsecondsPerJob),
      })),
    ],
    rounds,
    notes: [
      `Servers: ${servers}.`,
      'Processor time is that of all servers and of both processes; it is steadier than speed where other programs take part of the machine.',
      'Each side has one process that enqueues and one that works, both new in every round, and does 2,000 jobs before it is measured.',
      'The time ends for a peer when the insert of the last workout is answered, for FIT when the last job is recorded as done, which is later.',
      'Flatters the peers: their members come from memory, FIT reads its members from the database; Graphile Worker and BullMQ delete a job that is done, FIT keeps its record; no peer but pg-boss with keys refuses a second job for the same user and date; pg-boss without them fails a whole batch with any of its jobs; FIT runs with the bounded heap of its services, metrics and log.',
      'Flatters FIT: it stores the workouts of concurrent jobs in batches by itself, as pg-boss does with its batches. The handlers of Graphile Worker and BullMQ get one job each, so that each workout is an insert of its own; in the rows marked as collected the benchmark gathers the workouts of up to 500 concurrent jobs into one insert, which is code that their users would write.',
      'Peers on PostgreSQL use the same server as FIT’s database (fsync on, synchronous_commit on), in a database of their own; a checkpoint precedes each measurement. BullMQ keeps its jobs in Redis with appendfsync always, and its workouts in the same PostgreSQL.',
    ],
  };
}
