/**
 * Goal: the settler stores the effect, then the record, then answers the broker, and no message stops its neighbours. Method:
 * fakes that record the order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type EndCounter, type Handlers, type JobEvent, StatementRefused } from '@fit/jobs';
import type { JobStores } from '@fit/jobs/store';
import type { Outcome } from '@fit/topology';
import type { ReceivedJob } from '../../src/record/jobMessage.ts';
import type { EndedJobs } from '../../src/settle/endCounter.ts';
import { type Settlement, settlementOf } from '../../src/settle/settlement.ts';
import { Settler } from '../../src/settle/settler.ts';
import { attemptEnd } from '../support/fakes.ts';

/** The record that every attempt of these tests agrees with. */
const RECORD = {
  _id: 'id',
  kind: 'trivial',
  generation: 2,
  payload: {},
  runId: 'run of the record',
};
const DONE: Outcome = { type: 'done', effect: 'e' };
const FAILED: Outcome = { type: 'retry', error: new Error('again') };
const OTHER_PAYLOAD = { other: true };

interface Change {
  readonly id: string;
}

/** What the fake database does; each may be replaced by a test. */
interface Fakes {
  storeEffects: (effects: readonly unknown[]) => Promise<void>;
  write: (transition: string, ids: readonly string[]) => Promise<number>;
  stored: readonly string[];
}

function open(change: Partial<Fakes> = {}) {
  const steps: string[] = [];
  const events: JobEvent[] = [];
  const counted: EndedJobs[] = [];
  const fakes: Fakes = {
    storeEffects: () => Promise.resolve(),
    write: (_, ids) => Promise.resolve(ids.length),
    stored: [],
    ...change,
  };
  const write = async (transition: string, ids: readonly string[]) => {
    const count = await fakes.write(transition, ids);
    steps.push(`${transition} ${ids.length}`);
    return count;
  };
  const idsOf = (changes: readonly Change[]) => changes.map(({ id }) => id);
  const handler = {
    store: async (effects: readonly unknown[]) => {
      await fakes.storeEffects(effects);
      steps.push(`effect ${effects.length}`);
    },
    findStored: (jobs: readonly Change[]) =>
      Promise.resolve(new Set(idsOf(jobs).filter((id) => fakes.stored.includes(id)))),
  };
  const jobs = {
    findComparedFields: (ids: readonly string[]) => {
      steps.push(`read ${ids.length}`);
      return Promise.resolve(new Map([['id', RECORD]]));
    },
    finish: async ({ ids }: { ids: readonly string[] }) => ({
      finished: await write('finish', ids),
      revived: 0,
    }),
    finishEach: async (changes: readonly Change[]) => ({
      finished: await write('finishEach', idsOf(changes)),
      revived: 0,
    }),
    change: (transition: string, changes: readonly Change[]) => write(transition, idsOf(changes)),
  };
  const clock = {
    now: () => new Date(100_000),
    fromProcessTime: (atMs: number) => new Date(atMs),
  };
  const settler = new Settler({
    stores: { jobs, clock } as unknown as JobStores,
    endCounter: { add: (ended: EndedJobs) => counted.push(ended) } as unknown as EndCounter,
    handlers: new Map([['trivial', handler]]) as unknown as Handlers,
    workerId: 'worker',
    prefetchCount: 2_000,
    onEvent: (event) => events.push(event),
  });
  let onSettled: (() => void) | undefined;
  const settled = async (count: number) => {
    while (steps.filter((step) => step.startsWith('answer')).length < count)
      await new Promise<void>((resolve) => (onSettled = resolve));
  };
  const note = (step: string) => {
    steps.push(step);
    onSettled?.();
  };
  /** An ended attempt, whose answer to the broker is noted as a step. */
  const attempt = (
    outcome: Outcome = DONE,
    { number = 1, ...message }: Partial<ReceivedJob> & { number?: number } = {},
  ): Settlement => {
    const end = attemptEnd(number, outcome);
    const body = { ...end.message.body, ...message };
    return settlementOf({ ...end, message: { ...end.message, body } }, undefined, (answer) => {
      note(answer === undefined ? 'answer' : `answer ${textOf(answer)}`);
    });
  };
  return { settler, steps, events, counted, attempt, settled };
}

test('the effect is stored, then the record, then the broker is answered; a signed message needs no read', async () => {
  const { settler, steps, attempt, settled, events, counted } = open();
  settler.add(attempt());
  await settled(1);
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer']);
  const ends = [{ jobId: 'id', attemptCount: 1, endToEndMs: undefined }];
  assert.deepEqual(events, [{ type: 'finished', kind: 'trivial', count: 1, ends }]);
  assert.deepEqual(counted, [{ runIds: ['run'], end: 'done', changedCount: 1, revivedCount: 0 }]);
});

test('the end of an unsigned message is counted for the run of its record', async () => {
  const { settler, steps, attempt, settled, counted } = open();
  settler.add(attempt(DONE, { signedRunId: undefined }));
  settler.add(attempt());
  await settled(2);
  assert.deepEqual(steps, ['read 1', 'effect 2', 'finish 2', 'answer', 'answer']);
  assert.deepEqual(counted[0]?.runIds, ['run of the record', 'run']);
});

test('a job that is done without an effect stores only its record', async () => {
  const { settler, steps, attempt, settled } = open();
  settler.add(attempt({ type: 'done' }));
  settler.add(attempt());
  await settled(2);
  assert.deepEqual(steps, ['effect 1', 'finish 2', 'answer', 'answer']);
});

test('a failed effect writes no record, and a failed record sends no answer', async () => {
  const failures = { effect: 1, record: 1 };
  const { settler, steps, attempt, settled, events } = open({
    storeEffects: () =>
      failures.effect-- > 0 ? Promise.reject(new Error('effects out')) : Promise.resolve(),
    write: (_, ids) =>
      failures.record-- > 0
        ? Promise.reject(new Error('records out'))
        : Promise.resolve(ids.length),
  });
  settler.add(attempt());
  await settled(1);
  await turn();
  assert.deepEqual(steps, ['effect 1', 'finish 1', 'answer']);
  assert.deepEqual(
    events.map((event) => ('stage' in event ? `${event.type} ${event.stage}` : event.type)),
    [
      'storeDown storeEffects',
      'storeUp storeEffects',
      'storeDown changeRecords',
      'finished',
      'storeUp changeRecords',
    ],
  );
});

test('while one batch writes its records, the next one stores its effects', async () => {
  const first = Promise.withResolvers<undefined>();
  const stored = Promise.withResolvers<undefined>();
  let effectCount = 0;
  const { settler, steps, attempt, settled } = open({
    storeEffects: () => {
      effectCount += 1;
      if (effectCount === 2) stored.resolve(undefined);
      return Promise.resolve();
    },
    write: async (_, ids) => {
      if (effectCount === 1) {
        settler.add(attempt());
        await first.promise;
      }
      return ids.length;
    },
  });
  settler.add(attempt());
  await stored.promise;
  await turn();
  assert.deepEqual(steps, ['effect 1', 'effect 1']);
  first.resolve(undefined);
  await settled(2);
  assert.deepEqual(steps.slice(2), ['finish 1', 'answer', 'finish 1', 'answer']);
});

test('a group that was written is not written again while another group of its batch fails', async () => {
  let failures = 2;
  const { settler, steps, attempt, settled, counted } = open({
    write: (transition, ids) =>
      transition === 'cancel' && failures-- > 0
        ? Promise.reject(new Error('records out'))
        : Promise.resolve(ids.length),
  });
  settler.add(attempt());
  settler.add(attempt({ type: 'discard', reason: 'left' }));
  settler.add(attempt(DONE, { number: 2 }));
  await settled(3);
  assert.deepEqual(steps, [
    'effect 2',
    'finish 1',
    'answer',
    'cancel 1',
    'answer',
    'finishEach 1',
    'answer',
  ]);
  assert.deepEqual(
    counted.map(({ end, changedCount }) => [end, changedCount]),
    [
      ['done', 1],
      ['cancelled', 1],
      ['done', 1],
    ],
  );
});

test('deaths are counted by cause, and a batch with a late change reports no job ids', async () => {
  const { settler, attempt, settled, events, counted } = open({
    write: (_, ids) => Promise.resolve(ids.includes('late') ? ids.length - 1 : ids.length),
  });
  const created = (settlement: Settlement): Settlement => {
    const { end } = settlement;
    const body = { ...end.message.body, createdAt: 40_000 };
    return { ...settlement, end: { ...end, message: { ...end.message, body } } };
  };
  const fatal: Outcome = { type: 'reject', error: new Error('no') };
  settler.add(created(attempt(FAILED, { number: 4, id: 'first', generation: 1 })));
  settler.add(created(attempt(fatal, { id: 'replayed' })));
  settler.add(created(attempt(fatal, { id: 'late' })));
  await settled(3);
  const reported = events.flatMap((event) => (event.type === 'deadLettered' ? event.ends : []));
  assert.deepEqual(
    reported.map(({ jobId, endToEndMs }) => [jobId, endToEndMs]),
    [
      ['first', 60_000],
      [undefined, undefined],
    ],
  );
  assert.deepEqual(
    counted.map(({ cause, runIds, changedCount }) => [cause, runIds.length, changedCount]),
    [
      ['exhausted', 1, 1],
      ['fatal', 2, 1],
    ],
  );
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'unchanged' ? event.count : [])),
    [1],
  );
});

test('a job whose effect exists is finished and acknowledged, and not marked dead', async () => {
  const { settler, steps, attempt, settled, events } = open({ stored: ['there'] });
  settler.add(attempt(FAILED, { number: 4, id: 'there' }));
  settler.add(attempt(FAILED, { number: 4, id: 'missing' }));
  settler.add(attempt(FAILED, { number: 3, id: 'there' }));
  await settled(3);
  assert.deepEqual(steps, [
    'finishEach 1',
    'answer done',
    'markDead 1',
    'answer',
    'wait 1',
    'answer',
  ]);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['finished', 'deadLettered'],
  );
});

test('an effect that the database refuses is a failed attempt; at the last one an earlier effect makes the job done', async () => {
  const { settler, steps, attempt, settled, events } = open({
    stored: ['there'],
    storeEffects: (effects) =>
      effects.includes('poison')
        ? Promise.reject(new StatementRefused(new Error('too large')))
        : Promise.resolve(),
  });
  const poison: Outcome = { type: 'done', effect: 'poison' };
  settler.add(attempt());
  settler.add(attempt(poison));
  settler.add(attempt(poison, { number: 4, id: 'there' }));
  settler.add(attempt(poison, { number: 4, id: 'missing' }));
  settler.add(attempt());
  await settled(5);
  const answers = steps.filter((step) => step.startsWith('answer'));
  assert.deepEqual(answers.sort(), [
    'answer',
    'answer',
    'answer done',
    'answer retry',
    'answer retry',
  ]);
  assert.deepEqual(
    events
      .map((event) => ('stage' in event ? `${event.type} ${event.stage}` : event.type))
      .filter((text) => text.startsWith('st')),
    Array(3).fill('stageFailed storeEffects'),
  );
});

test('a change that the database refuses is dead-lettered with the reason; its neighbours are settled once, and it is no outage', async () => {
  const { settler, steps, attempt, settled, events, counted } = open({
    write: (_, ids) =>
      ids.includes('poison')
        ? Promise.reject(new StatementRefused(new Error('too deep')))
        : Promise.resolve(ids.length),
  });
  const ids = Array.from({ length: 9 }, (_, index) => (index === 4 ? 'poison' : `job ${index}`));
  for (const id of ids) settler.add(attempt(DONE, { id }));
  await settled(9);
  const answers = steps.filter((step) => step.startsWith('answer'));
  assert.deepEqual(answers.sort(), [
    ...Array<string>(8).fill('answer'),
    'answer StatementRefused: too deep',
  ]);
  assert.equal(
    counted.reduce((sum, { changedCount }) => sum + changedCount, 0),
    8,
  );
  assert.deepEqual(
    events.filter(({ type }) => type !== 'finished').map(({ type }) => type),
    ['stageFailed'],
  );
});

function textOf(answer: Outcome): string {
  return answer.type === 'reject' ? String(answer.error) : answer.type;
}

/** @param refuse is told the error that the message is refused with. */
function unsigned({ end }: Settlement, refuse: (error: unknown) => void): Settlement {
  const body = { ...end.message.body, signedRunId: undefined, payload: OTHER_PAYLOAD };
  return settlementOf({ ...end, message: { ...end.message, body } }, undefined, (answer) => {
    refuse(answer?.type === 'reject' ? answer.error : answer);
  });
}

test('a refusal delays no valid attempt, in the same batch or in the next', {
  timeout: 30_000,
}, async () => {
  const { settler, steps, attempt, settled } = open();
  settler.add(unsigned(attempt(), () => undefined));
  settler.add(attempt());
  await settled(1);
  assert.deepEqual(steps, ['read 1', 'effect 1', 'finish 1', 'answer']);
  settler.add(attempt());
  await settled(2);
  assert.deepEqual(steps.slice(4), ['effect 1', 'finish 1', 'answer']);
});

test('a forged message is refused once while its batch is repeated; it is neither stored nor acknowledged', async () => {
  let failures = 1;
  const { settler, steps, attempt, settled } = open({
    storeEffects: () =>
      failures-- > 0 ? Promise.reject(new Error('effects out')) : Promise.resolve(),
  });
  const refusals: unknown[] = [];
  settler.add(
    unsigned(attempt(), (error) => {
      refusals.push(error);
    }),
  );
  settler.add(attempt());
  await settled(1);
  assert.deepEqual(steps, ['read 1', 'effect 1', 'finish 1', 'answer']);
  assert.deepEqual(refusals.map(String), [
    'ForgedMessage: forged: its payload is not that of the job',
  ]);
});
