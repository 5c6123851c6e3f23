/** Every route of the monolith, each with what it needs. */
import { pageFiles } from '@fit/console';
import type { JobStore, StoreConnection } from '@fit/jobs/store';
import { fileRoutes, type Route } from '@fit/service';
import type { Declaration } from '@fit/topology';
import type { OpenStatus } from '../status/statusBoard.ts';
import type { DailyRunStore } from '../store/dailyRunStore.ts';
import type { RunStore } from '../store/runStore.ts';
import type { UserStore } from '../store/userStore.ts';
import { dailyRunRoutes } from './dailyRunRoutes.ts';
import { jobRoutes } from './jobRoutes.ts';
import { runbookRoutes } from './runbookRoutes.ts';
import { runRoutes } from './runRoutes.ts';
import { statusRoutes } from './statusRoutes.ts';
import { userRoutes } from './userRoutes.ts';

export interface MonolithRouteParts {
  readonly store: StoreConnection;
  readonly users: UserStore;
  readonly runs: RunStore;
  readonly dailyRun: DailyRunStore;
  readonly jobs: JobStore;
  readonly declaration: Declaration;
  readonly status: OpenStatus;
  /** The time zone whose today is meant if a request names no date. */
  readonly timezone: string;
  /** The share of jobs that are traced in a run that is too large for one trace; 0 to 1. */
  readonly largeRunShare: number;
  /** Called after new pending records were stored. */
  readonly onPending: () => void;
}

export function monolithRoutes(parts: MonolithRouteParts): Route[] {
  const queue = parts.declaration.kinds[0]?.queue ?? '';
  return [
    ...runRoutes({ ...parts, isStoreUp: parts.store.isUp, queue }),
    ...dailyRunRoutes(parts),
    ...userRoutes(parts),
    ...jobRoutes(parts.jobs),
    ...statusRoutes(parts.status),
    ...fileRoutes(pageFiles()),
    ...runbookRoutes(),
  ];
}
