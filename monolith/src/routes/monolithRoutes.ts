/** Every route of the monolith, each with what it needs. */
import { pageFiles } from '@fit/console';
import type { JobStore, StoreConnection } from '@fit/jobs/store';
import { fileRoutes, type Route } from '@fit/service';
import type { Declaration } from '@fit/topology';
import { readRunbooks } from '../runbooks/readRunbooks.ts';
import type { OpenStatus } from '../status/openStatus.ts';
import type { DailyRunStore } from '../store/dailyRunStore.ts';
import type { RunStore } from '../store/runStore.ts';
import type { UserStore } from '../store/userStore.ts';
import { WodReader } from '../store/wodReader.ts';
import { dailyRunRoutes } from './dailyRunRoutes.ts';
import { eventRoutes } from './eventRoutes.ts';
import { jobRoutes } from './jobRoutes.ts';
import { queueRoutes } from './queueRoutes.ts';
import { runbookRoutes } from './runbookRoutes.ts';
import { runRoutes } from './runRoutes.ts';
import { statusRoutes } from './statusRoutes.ts';
import { userRoutes } from './userRoutes.ts';
import { wodRoutes } from './wodRoutes.ts';

export interface MonolithRouteParts {
  readonly store: StoreConnection;
  readonly users: UserStore;
  readonly runs: RunStore;
  readonly dailyRun: DailyRunStore;
  readonly jobs: JobStore;
  readonly declaration: Declaration;
  readonly status: OpenStatus;
  readonly timezone: string;
  /** Of the jobs of a run that is too large for one trace, the share that is traced. */
  readonly largeRunShare: number;
  /** New records are pending. */
  readonly onPending: () => void;
}

export function monolithRoutes(parts: MonolithRouteParts): Route[] {
  const { store, users, jobs, declaration, status, timezone } = parts;
  const queue = declaration.kinds[0]?.queue ?? '';
  return [
    ...runRoutes({ ...parts, isStoreUp: store.isUp, queue }),
    ...dailyRunRoutes(parts),
    ...userRoutes(users),
    ...wodRoutes(new WodReader(store.database), jobs, timezone),
    ...jobRoutes(jobs),
    ...queueRoutes(status.board),
    ...statusRoutes(status.board),
    ...eventRoutes(status),
    ...fileRoutes(pageFiles()),
    ...runbookRoutes(readRunbooks()),
  ];
}
