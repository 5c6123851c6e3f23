/** Every dashboard, in the order in which one goes from a symptom to its cause. */
import type { DashboardSpec } from './dashboardSpec.ts';
import { FAILURES } from './failures.ts';
import { FLOW } from './flow.ts';
import { LATENCY } from './latency.ts';
import { OVERVIEW } from './overview.ts';
import { PLATFORM } from './platform.ts';
import { QUEUES } from './queues.ts';
import { WORKERS } from './workers.ts';

export const DASHBOARDS: readonly DashboardSpec[] = [
  OVERVIEW,
  QUEUES,
  FLOW,
  LATENCY,
  FAILURES,
  WORKERS,
  PLATFORM,
];
