/** What a run of workouts asks for. The run's record carries it for the source of its jobs. */
import type { RunRecord } from '@fit/jobs';

export interface WodRequest {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** True: the request named no users. The run names the others as its items. */
  readonly isForEveryone: boolean;
}

/** @returns the request of a run. Only this service stores runs, and all of them have such a request. */
export function wodRequestOf({ request }: Pick<RunRecord, 'request'>): WodRequest {
  return request as WodRequest;
}
