/** What a process holds of tracing, on or off. */
import type { JobTracer } from '@fit/jobs';
import type { RequestTracer } from '../server/observeRequest.ts';

export interface Tracing {
  /** Undefined: off. */
  readonly jobs: JobTracer | undefined;
  readonly requests: RequestTracer | undefined;
  /** Of the jobs of a run that is too large for one trace, the share that is followed at all; 0 to 1. */
  readonly largeRunShare: number;
  /** Sends what is left, for a few seconds at most. Stop it last: what stops before has spans too. */
  stop(): Promise<void>;
}
