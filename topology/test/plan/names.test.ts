/** Goal: owners may name wait queues and dead-letter queue, and no two queues get one name. Method: pure, and a simulation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  deadLetterQueue,
  declareTopology,
  defineTopology,
  isWaitQueue,
  type KindsOptions,
  planTopology,
  provePlan,
  TopologyError,
  waitQueue,
} from '@fit/topology';
import { formerWaitQueues, type LiveQueue } from '@fit/topology/management';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';

const NEW = { version: '4.3.6', hasManagement: true };
const EVENTS = {
  key: 'event',
  queue: 'task_events',
  tiers: ['1s', '5s'],
  names: { wait: 'task_events.retry.{n}', dead: 'task_events.dlq' },
} as const;

const codesOf = (kinds: KindsOptions) => {
  try {
    const declaration = declareTopology({ exchange: 'tasks', kinds });
    provePlan(declaration, planTopology(declaration, NEW));
    return [];
  } catch (error) {
    assert.ok(error instanceof TopologyError, String(error));
    // A plan with one name for two queues has other faults as well.
    const [first] = error.faults.filter(({ code }) => code === 'NAME_TAKEN');
    return (first === undefined ? error.faults : [first]).map(
      ({ code, subject }) => `${code} ${subject}`,
    );
  }
};

test('the plan has the names that were given, and the default ones beside them', () => {
  const declaration = declareTopology({
    exchange: 'tasks',
    kinds: {
      events: EVENTS,
      mails: { key: 'mail', queue: 'mails', tiers: ['30s'], names: { dead: 'mails-failed' } },
      notes: { key: 'note', queue: 'notes', tiers: ['1s'], names: { wait: 'w.{delay}.{n}' } },
    },
  });
  const plan = planTopology(declaration, NEW);
  provePlan(declaration, plan);
  assert.deepEqual(plan.queues.map(({ name }) => name).sort(), [
    'mails',
    'mails-failed',
    'mails.wait.1.30s',
    'notes',
    'notes.dead',
    'task_events',
    'task_events.dlq',
    'task_events.retry.1',
    'task_events.retry.2',
    'w.1s.1',
  ]);
  const { events } = declaration.kind;
  assert.deepEqual(
    [waitQueue(events, 2), deadLetterQueue(events)],
    ['task_events.retry.2', 'task_events.dlq'],
  );
  const matched = (name: string) => isWaitQueue(events, name);
  assert.ok(
    ['task_events.retry.1', 'task_events.retry.10', 'task_events.wait.1.5s'].every(matched),
  );
  assert.ok(!['task_events.retry', 'task_events.retry.x', 'task_eventsXretry.1'].some(matched));
});

test('a foreign queue that is named like a wait queue of an owner is not taken for one', () => {
  const names = { wait: 'w.{n}' };
  const declaration = declareTopology({ exchange: 'tasks', kinds: { one: { ...EVENTS, names } } });
  const plan = planTopology(declaration, NEW);
  const live = (name: string, settings: Record<string, unknown>): LiveQueue => ({
    name,
    type: 'quorum',
    isDurable: true,
    isAutoDelete: false,
    arguments: settings,
    policy: undefined,
    operatorPolicy: undefined,
    effectivePolicy: {},
    messageCount: 0,
    readyCount: 0,
    awaitingTransferCount: 0,
    consumerCount: 0,
  });
  const queues = [
    live('w.7', {}),
    live('w.8', { 'x-dead-letter-exchange': 'w.8', 'x-dead-letter-routing-key': 'theirs.r1' }),
    live('w.9', { 'x-dead-letter-exchange': 'task_events.return' }),
    live('w.10', {
      'x-dead-letter-exchange': 'w.10',
      'x-dead-letter-routing-key': 'task_events.r1',
    }),
    live('task_events.wait.1.9s', {}),
  ];
  const former = formerWaitQueues(plan, { queues }).map(({ queue }) => queue.name);
  assert.deepEqual(former, ['w.9', 'w.10', 'task_events.wait.1.9s']);
});

test('names that two queues would have, and names that are none, are refused', () => {
  const names = (wait?: string, dead?: string) => ({ one: { ...EVENTS, names: { wait, dead } } });
  assert.deepEqual(codesOf(names('w.{n}', 'w.2')), ['NAME_TAKEN w.2']);
  assert.deepEqual(codesOf(names('w.{n}', 'task_events')), ['NAME_TAKEN task_events']);
  assert.deepEqual(codesOf(names('w')), ['NAME_INVALID one.names.wait']);
  assert.deepEqual(codesOf(names('w.{n')), [
    'NAME_INVALID one.names.wait',
    'NAME_INVALID one.names.wait',
  ]);
  assert.deepEqual(codesOf(names('w.{n}', 'amq.dead')), ['NAME_RESERVED one.names.dead']);
  assert.deepEqual(codesOf({ one: { ...EVENTS, names: { wiat: 'w.{n}' } as never } }), [
    'OPTION_UNKNOWN one.names.wiat',
  ]);
  const other = { key: 'other', queue: 'other', tiers: ['1s'] } as const;
  assert.deepEqual(
    codesOf({ one: EVENTS, two: { ...other, names: { dead: 'task_events.retry.1' } } }),
    ['NAME_TAKEN task_events.retry.1'],
  );
});

test('a simulated message waits and dies in the queues of these names', async () => {
  const topology = defineTopology({
    exchange: 'tasks',
    messages: { event: z.string() },
    queues: {
      task_events: { on: ['event'], retry: { delays: ['1s', '5s'] }, names: EVENTS.names },
    },
  });
  const simulation = simulate(topology, {
    handlers: {
      task_events: {
        handler: () => {
          throw new Error('down');
        },
      },
    },
  });
  const { id } = await simulation.publish('event', 'a');
  await simulation.settle();
  const places = simulation.history(id).map(({ next }) => next);
  assert.deepEqual(
    [...new Set(places)],
    ['task_events', 'task_events.retry.1', 'task_events.retry.2', 'task_events.dlq'],
  );
  assert.deepEqual(
    simulation.deadLetters('task_events').map(({ cause }) => cause),
    ['exhausted'],
  );
});
