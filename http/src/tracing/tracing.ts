/** What a process holds of tracing, on or off. */
import type { JobTracer } from '@fit/jobs';
import type { RequestTracer } from '../server/followRequest.ts';

export interface Tracing {
  /** Undefined: off. */
  readonly jobs: JobTracer | undefined;
  readonly requests: RequestTracer | undefined;
  /** Sends what is left, for a few seconds at most. Stop it last: what stops before has spans too. */
  stop(): Promise<void>;
}
