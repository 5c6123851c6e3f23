/** The job systems that FIT is compared with. */
import { bullmq } from './bullmq.ts';
import { graphileWorker } from './graphileWorker.ts';
import type { Peer } from './peer.ts';
import { pgBoss, pgBossWithKeys } from './pgBoss.ts';

export interface Contender {
  readonly peer: Peer;
  /**
   * True: the benchmark collects the workouts of concurrent jobs into one insert. False: each handler stores what it was given, the
   * workouts of a batch or the one of a job.
   */
  readonly isCollected: boolean;
}

export const CONTENDERS = {
  graphileWorker: { peer: graphileWorker, isCollected: false },
  pgBoss: { peer: pgBoss, isCollected: false },
  bullmq: { peer: bullmq, isCollected: false },
  pgBossWithKeys: { peer: pgBossWithKeys, isCollected: false },
  graphileWorkerCollected: { peer: graphileWorker, isCollected: true },
  bullmqCollected: { peer: bullmq, isCollected: true },
} as const satisfies Record<string, Contender>;
export type ContenderId = keyof typeof CONTENDERS;
