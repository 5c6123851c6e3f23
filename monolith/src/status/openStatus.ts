/** The status and what it stands on, opened together and stopped together. */
import { EventStreams } from '@fit/service';
import { type Declaration, planTopology } from '@fit/topology';
import { readAlerts } from '../alerts/readAlerts.ts';
import { QueueSampler } from '../queues/queueSampler.ts';
import { openSampleReader } from '../queues/readSample.ts';
import type { MonolithConfig } from '../readMonolithConfig.ts';
import { readToday, type TodaySources } from './readToday.ts';
import { StatusBoard } from './statusBoard.ts';

export interface OpenStatus {
  readonly board: StatusBoard;
  readonly streams: EventStreams;
  readonly sampler: QueueSampler;
  stop(): Promise<void>;
}

/** Names, roles, limits and lifetimes are alike on every broker. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;

/** Opens nothing that could fail: what is away is told as such. */
export function openStatus(
  config: MonolithConfig,
  declaration: Declaration,
  stores: Pick<TodaySources, 'jobs' | 'runs'>,
): OpenStatus {
  const { queues } = planTopology(declaration, ANY_BROKER);
  const queueNames = queues.map(({ name }) => name);
  const sampler = new QueueSampler(openSampleReader({ ...config, queueNames }));
  const streams = new EventStreams();
  const board = new StatusBoard({
    queues,
    sampler,
    streams,
    timezone: config.timezone,
    askAlerts: () => readAlerts(config),
    askToday: () => readToday({ ...stores, timezone: config.timezone }),
  });
  return {
    board,
    streams,
    sampler,
    stop: async () => {
      board.stop();
      await sampler.stop();
    },
  };
}
