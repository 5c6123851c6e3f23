/** How many work. */
import type { RecordingRule } from './rule.ts';

export const WORKER_RECORDS: readonly RecordingRule[] = [
  {
    // Recorded, since a name in DNS forgets a coach that is gone: only an earlier count says that there was one more.
    record: 'coach:up:count',
    expr: 'count(up{job="coach"} == 1)',
  },
];
