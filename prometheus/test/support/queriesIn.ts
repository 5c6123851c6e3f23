/** All queries of a dashboard. */
import type { DashboardSpec, Query } from '../../src/dashboards/dashboardSpec.ts';

export function queriesIn({ rows }: DashboardSpec): Query[] {
  return rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries));
}
