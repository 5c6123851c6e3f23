/** Makes the handler of a kind that returns a result: checks payload and result by their schemas, and stores the results in bulk. */
import type { ResultKind, RunJob } from '@fit/contract';
import { asJson, compilePayload, type Handler } from '@fit/jobs';
import type { ResultDocument, ResultStore } from '@fit/jobs/store';

export function resultHandler(
  kind: Pick<ResultKind, 'payload' | 'result'>,
  run: RunJob<unknown, unknown>,
  results: Pick<ResultStore, 'storeAll' | 'findStored'>,
): Handler<unknown, ResultDocument> {
  const result = compilePayload(kind.result);
  return {
    payload: compilePayload(kind.payload),
    run: async (job) => {
      const answer = asJson(await run(job.payload, job));
      if (result.accepts(answer)) return { type: 'done', effect: { _id: job.id, result: answer } };
      // The handler has a defect, which further attempts would repeat.
      const fault = result.fault(answer);
      return { type: 'reject', error: new TypeError(`the result is wrong: ${fault}`) };
    },
    store: (found) => results.storeAll(found),
    findStored: (jobs) => results.findStored(jobs.map(({ id }) => id)),
  };
}
