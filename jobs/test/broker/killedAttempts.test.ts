/**
 * Goal: no job is dead whose effect exists, and none is done without it, wherever an attempt is killed. Method: stores that
 * hold a write back, workers that are closed in between, real broker, real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler, JobRecord, JobWorkerOptions } from '@fit/jobs';
import { JobStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { declareTopology, type Outcome } from '@fit/topology';
import { pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

/** A job whose next attempt is its last. */
const lastAttempt = (): JobRecord => ({ ...pendingJob(), attemptCount: 3 });

/** A store that stops for ever at a write, like a process that is killed there. */
class HeldStore extends JobStore {
  readonly reached = Promise.withResolvers<undefined>();
  holdsFinish = false;
  holdsAfterDeath = false;

  override async finishEach(...changes: Parameters<JobStore['finishEach']>) {
    if (this.holdsFinish) await this.#hold();
    return await super.finishEach(...changes);
  }

  override async change(...[transition, changes]: Parameters<JobStore['change']>) {
    const count = await super.change(transition, changes);
    if (transition === 'markDead' && this.holdsAfterDeath) await this.#hold();
    return count;
  }

  async #hold(): Promise<void> {
    this.reached.resolve(undefined);
    await new Promise(() => undefined);
  }
}

interface Setup {
  readonly pipeline: JobPipeline;
  /** Opens a worker whose handler gives this answer. */
  readonly worker: (
    answer: () => Outcome<string>,
    jobs?: JobStore,
  ) => ReturnType<JobPipeline['worker']>;
}

async function open(t: Parameters<typeof JobPipeline.open>[0]): Promise<Setup> {
  const pipeline = await JobPipeline.open(t);
  const worker: Setup['worker'] = async (answer, jobs = pipeline.store.jobs) => {
    const handler: Handler<unknown, string> = {
      payload: { accepts: (value): value is unknown => value !== undefined, fault: () => '' },
      run: ({ id }) => {
        const outcome = answer();
        return outcome.type === 'done' ? { type: 'done', effect: id } : outcome;
      },
      store: (ids) => {
        pipeline.effects.push(...ids);
        return Promise.resolve();
      },
      findStored: (asked) =>
        Promise.resolve(
          new Set(asked.map(({ id }) => id).filter((id) => pipeline.effects.includes(id))),
        ),
    };
    const change: Partial<JobWorkerOptions> = {
      stores: { ...pipeline.store, jobs },
      handlers: new Map([['trivial', handler]]),
    };
    return await pipeline.worker(change);
  };
  return { pipeline, worker };
}

const DONE = (): Outcome<string> => ({ type: 'done', effect: '' });
const FAIL = (): Outcome<string> => ({ type: 'retry', error: new TypeError('again') });
const REJECT = (): Outcome<string> => ({ type: 'reject', error: new RangeError('never') });

test('killed after the job was marked dead, before its message is rejected: the repeated last attempt succeeds, and the job is done', async (t) => {
  const { pipeline, worker } = await open(t);
  const held = new HeldStore(pipeline.store.database);
  held.holdsAfterDeath = true;
  const run = await pipeline.storeRun([]);
  const job = { ...lastAttempt(), runId: run._id };
  const killed = await worker(FAIL, held);
  await pipeline.submit([job]);
  await held.reached.promise;
  assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'dead');
  await killed.close(0);
  await worker(DONE);
  const record = await pipeline.expectState(job, 'done');
  assert.deepEqual(pipeline.effects, [job._id]);
  assert.deepEqual(
    [record.death, record.attempts?.map(({ outcome }) => outcome)],
    [undefined, ['retry', 'done']],
  );
  // The cause of the death is not known any more, so the run is counted again.
  await pipeline.expectRun(run._id, ({ needsRecount }) => needsRecount === true);
});

for (const [name, answer] of [
  ['fails at the last attempt', FAIL],
  ['is rejected', REJECT],
] as const)
  test(`killed after the effect was stored, before the record: the repeated attempt ${name}, and the job is done`, async (t) => {
    const { pipeline, worker } = await open(t);
    const held = new HeldStore(pipeline.store.database);
    held.holdsFinish = true;
    await pipeline.startRecorder();
    const job = lastAttempt();
    const killed = await worker(DONE, held);
    await pipeline.submit([job]);
    await held.reached.promise;
    assert.deepEqual(pipeline.effects, [job._id]);
    assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'pending');
    await killed.close(0);
    await worker(answer);
    await pipeline.expectState(job, 'done');
    await eventually(async () => (await pipeline.readyCount('trivial.dead')) === 0, {
      describe: async () => `${await pipeline.readyCount('trivial.dead')} dead letters`,
    });
    assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'done');
    assert.deepEqual(pipeline.eventsOf('deadLettered'), []);
  });

test('a message that expires although the effect of its job exists makes the job done, dead or not', async (t) => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], messageTtl: 100 },
    },
  });
  const pipeline = await JobPipeline.open(t, declaration);
  const run = await pipeline.storeRun([]);
  const [live, dead, other] = [pendingJob(), pendingJob(), pendingJob()].map((job) => ({
    ...job,
    runId: run._id,
  })) as [JobRecord, JobRecord, JobRecord];
  await pipeline.submit([live, dead, other]);
  pipeline.effects.push(live._id, dead._id);
  const death = { cause: 'exhausted', fingerprint: 'f', reason: 'r', at: new Date() } as const;
  await pipeline.store.jobs.change('markDead', [{ id: dead._id, generation: 1, death }]);
  await pipeline.startRecorder();
  for (const job of [live, dead]) {
    const record = await pipeline.expectState(job, 'done');
    assert.equal(record.death, undefined);
  }
  assert.equal((await pipeline.expectState(other, 'dead')).death?.cause, 'expired');
  // The death of the second job was written without a count, so its revival takes away a dead job that was never added.
  await pipeline.expectRun(run._id, ({ ends, needsRecount }) => {
    const isCounted = ends.done === 2 && ends.dead === 0 && ends.causes['expired'] === 1;
    return isCounted && needsRecount === true;
  });
});
