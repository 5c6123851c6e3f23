/** Goal: recorded and reported times are the database's. Method: a process whose clock is 200 seconds slow, real servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SLOW_MS = 200_000;
const RealDate = Date;

class SlowDate extends RealDate {
  constructor(...parts: [] | [number | string | Date]) {
    if (parts.length === 0) super(RealDate.now() - SLOW_MS);
    else super(...parts);
  }

  static override now(): number {
    return RealDate.now() - SLOW_MS;
  }
}

test('a worker whose clock is 200 s slow records and reports right times', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.worker();
  const before = await pipeline.store.clock.read();
  const [job, fatal] = [pendingJob('third'), pendingJob('reject')];
  globalThis.Date = SlowDate as DateConstructor;
  t.after(() => {
    globalThis.Date = RealDate;
  });
  await pipeline.submit([job, fatal]);
  const { attempts = [], doneAt } = await pipeline.expectState(job, 'done');
  const { death } = await pipeline.expectState(fatal, 'dead');
  const after = await pipeline.store.clock.read();
  const times = attempts.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt]);
  // The difference of the clocks is known to half a round trip.
  const marginMs = 1_000;
  for (const time of [...times, doneAt, death?.at])
    assert.ok(
      time !== undefined &&
        time.getTime() >= before.getTime() - marginMs &&
        time.getTime() <= after.getTime() + marginMs,
      `${time?.toISOString()} is not between ${before.toISOString()} and ${after.toISOString()}`,
    );
  const lastedMs = after.getTime() - before.getTime() + marginMs;
  const [end] = pipeline.eventsOf('finished').flatMap(({ ends }) => ends);
  const endToEndMs = end?.endToEndMs ?? 0;
  assert.ok(endToEndMs >= 150 && endToEndMs <= lastedMs, `${endToEndMs} ms of ${lastedMs} ms`);
  const waitsMs = pipeline.eventsOf('attempted').map(({ queueWaitMs }) => queueWaitMs ?? -1);
  assert.ok(
    waitsMs.every((waitMs) => waitMs >= 0 && waitMs <= lastedMs),
    waitsMs.join(),
  );
});
