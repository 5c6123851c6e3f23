/** Every route of the monolith, each with what it needs. */
import type { Route } from '@fit/http';
import type { JobStore, StoreConnection } from '@fit/jobs/store';
import type { Declaration } from '@fit/topology';
import type { RunStore } from '../store/runStore.ts';
import type { UserStore } from '../store/userStore.ts';
import { WodReader } from '../store/wodReader.ts';
import { jobRoutes } from './jobRoutes.ts';
import { runRoutes } from './runRoutes.ts';
import { userRoutes } from './userRoutes.ts';
import { wodRoutes } from './wodRoutes.ts';

export interface MonolithRouteParts {
  readonly store: StoreConnection;
  readonly users: UserStore;
  readonly runs: RunStore;
  readonly jobs: JobStore;
  readonly declaration: Declaration;
  /** New records are pending. */
  readonly onPending: () => void;
}

export function monolithRoutes(parts: MonolithRouteParts): Route[] {
  const { store, users, runs, jobs, declaration, onPending } = parts;
  const queue = declaration.kinds[0]?.queue ?? '';
  return [
    ...runRoutes({ users, runs, jobs, onPending, isStoreUp: store.isUp, queue }),
    ...userRoutes(users),
    ...wodRoutes(new WodReader(store.database), jobs),
    ...jobRoutes(jobs),
  ];
}
