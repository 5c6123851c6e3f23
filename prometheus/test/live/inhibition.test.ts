/**
 * Goal: an alert suppresses its consequences and nothing else. Method: a real Alertmanager with the rendered file; each case
 * sends a cause, its consequences and similar alerts, and reads which are suppressed.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Stack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { startAlertmanager } from '../support/startAlertmanager.ts';

type Labels = Readonly<Record<string, string>>;

interface Case {
  readonly because: string;
  readonly cause: Labels;
  readonly suppressed: readonly Labels[];
  /** Similar alerts that must not be suppressed. */
  readonly active: readonly Labels[];
}

const QUEUE = { vhost: '/', queue: 'a' };
const OTHER = { vhost: '/', queue: 'b' };
const CRITICAL = { severity: 'critical' };
const WARNING = { severity: 'warning' };

const CASES: readonly Case[] = [
  {
    because: 'critical hides the warning of the same alert on the same queue',
    cause: { alertname: 'QueueNearFull', ...CRITICAL, ...QUEUE },
    suppressed: [{ alertname: 'QueueNearFull', ...WARNING, ...QUEUE }],
    active: [
      { alertname: 'QueueNearFull', ...WARNING, ...OTHER },
      { alertname: 'TopologyDrift', ...WARNING, ...QUEUE },
    ],
  },
  {
    because: 'destroyed messages do not hide unroutable ones',
    cause: { alertname: 'MessagesDropped', ...CRITICAL, how: 'destroyed', instance: 'b' },
    suppressed: [],
    active: [{ alertname: 'MessagesDropped', ...WARNING, how: 'unroutable', instance: 'b' }],
  },
  {
    because: 'an alarm of the broker hides the warning for the same resource and missing progress',
    cause: { alertname: 'BrokerAlarm', ...CRITICAL, resource: 'memory', instance: 'b' },
    suppressed: [
      { alertname: 'BrokerAlarm', ...WARNING, resource: 'memory', instance: 'b' },
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
    active: [{ alertname: 'BrokerAlarm', ...WARNING, resource: 'disk', instance: 'b' }],
  },
  {
    because: 'a warning of the broker about its resources hides no missing progress',
    cause: { alertname: 'BrokerAlarm', ...WARNING, resource: 'memory', instance: 'b' },
    suppressed: [],
    active: [{ alertname: 'OutboxStalled', ...CRITICAL }],
  },
  {
    because: 'a broker that is down hides all of its queues, and missing progress',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'rabbitmq-queues', instance: 'b' },
    suppressed: [
      { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
    active: [
      { alertname: 'DeadLetters', ...WARNING, kind: 'createWod', cause: 'exhausted' },
      { alertname: 'StoreDown', ...CRITICAL, job: 'monolith' },
      { alertname: 'TargetDown', ...CRITICAL, job: 'coach', instance: 'c' },
    ],
  },
  {
    because: 'a coach that is down hides nothing',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'coach', instance: 'c' },
    suppressed: [],
    active: [
      { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
      { alertname: 'DeadLetters', ...WARNING, kind: 'createWod', cause: 'exhausted' },
    ],
  },
  {
    because: 'another process that is down hides nothing',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'monolith', instance: 'm' },
    suppressed: [],
    active: [
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
  },
  {
    because: 'a main queue without a consumer stalls and grows for that reason',
    cause: { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
    suppressed: [
      { alertname: 'QueueStalled', ...CRITICAL, ...QUEUE },
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
    active: [
      { alertname: 'QueueStalled', ...CRITICAL, ...OTHER },
      { alertname: 'QueueNearFull', ...WARNING, ...QUEUE },
      { alertname: 'RetryStorm', ...WARNING },
    ],
  },
  {
    because: 'a dead-letter queue without a consumer hides no missing progress',
    cause: { alertname: 'NoConsumers', ...WARNING, ...OTHER },
    suppressed: [],
    active: [
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
  },
  {
    because:
      'a stalled queue hides missing progress, and a wait queue that holds messages does not',
    cause: { alertname: 'QueueStalled', ...CRITICAL, ...QUEUE },
    suppressed: [
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
    ],
    active: [{ alertname: 'QueueStalled', ...WARNING, ...OTHER }],
  },
  {
    because: 'without the database nothing is published and no result is stored',
    cause: { alertname: 'StoreDown', ...CRITICAL, job: 'monolith', instance: 'm' },
    suppressed: [
      { alertname: 'OutboxStalled', ...CRITICAL },
      { alertname: 'BacklogTooLong', ...WARNING },
      { alertname: 'QueueStalled', ...CRITICAL, ...QUEUE },
    ],
    active: [
      { alertname: 'QueueNearFull', ...WARNING, ...QUEUE },
      { alertname: 'RetryStorm', ...WARNING },
    ],
  },
];

describe('inhibition', () => {
  const undos: (() => Promise<void>)[] = [];
  let stack: Stack;

  before(async () => {
    stack = await startAlertmanager({ after: (undo: () => Promise<void>) => undos.push(undo) });
  });
  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  // One after the other, since each cause would suppress alerts of the next case.
  for (const { because, cause, suppressed, active } of CASES)
    test(because, async () => {
      const all = [cause, ...suppressed, ...active];
      await put(stack, all, new Date(Date.now() + 60_000));
      const expected = [
        ...[cause, ...active].map((labels) => line(labels, 'active')),
        ...suppressed.map((labels) => line(labels, 'suppressed')),
      ].sort();
      try {
        await eventually(async () => (await states(stack)).join() === expected.join(), {
          deadlineMs: 15_000,
          describe: async () => `${(await states(stack)).join('\n')}\nnot\n${expected.join('\n')}`,
        });
      } finally {
        await put(stack, all, new Date());
        await eventually(async () => (await states(stack)).length === 0, {
          deadlineMs: 15_000,
          describe: () => 'alerts of this case have not ended',
        });
      }
    });
});

async function put(stack: Stack, alerts: readonly Labels[], endsAt: Date): Promise<void> {
  const startsAt = new Date(Date.now() - 1_000);
  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts.map((labels) => ({ labels, startsAt, endsAt }))),
  });
  assert.equal(response.status, 200, await response.text());
}

/** @returns a line for each alert that fires, sorted. An alert without a verdict yet is `unprocessed`. */
async function states(stack: Stack): Promise<string[]> {
  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`);
  const alerts = (await response.json()) as { labels: Labels; status: { state: string } }[];
  return alerts.map(({ labels, status }) => line(labels, status.state)).sort();
}

function line(labels: Labels, state: string): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return `${state} ${pairs.sort().join(' ')}`;
}
