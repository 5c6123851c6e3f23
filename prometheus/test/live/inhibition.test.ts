/**
 * Goal: while a cause is told its consequences are silent, and nothing else is. Method: a real Alertmanager with the rendered
 * file; each case puts a cause, a consequence and an unrelated alert and asks who is suppressed.
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
  readonly silent: readonly Labels[];
  /** Alike in all but what counts. */
  readonly told: readonly Labels[];
}

const QUEUE = { vhost: '/', queue: 'a' };
const OTHER = { vhost: '/', queue: 'b' };
const CRITICAL = { severity: 'critical' };
const WARNING = { severity: 'warning' };

const CASES: readonly Case[] = [
  {
    because: 'critical hides the warning of the same alert on the same queue',
    cause: { alertname: 'QueueNearFull', ...CRITICAL, ...QUEUE },
    silent: [{ alertname: 'QueueNearFull', ...WARNING, ...QUEUE }],
    told: [
      { alertname: 'QueueNearFull', ...WARNING, ...OTHER },
      { alertname: 'WaitTierWillOverflow', ...WARNING, ...QUEUE },
    ],
  },
  {
    because: 'a budget that burns fast hides the same one burning slowly, not another one',
    cause: { alertname: 'JobSuccessBurn', ...CRITICAL, slo: 'success', window: '1h' },
    silent: [{ alertname: 'JobSuccessBurn', ...WARNING, slo: 'success', window: '6h' }],
    told: [{ alertname: 'JobSuccessBurn', ...WARNING, slo: 'other', window: '6h' }],
  },
  {
    because: 'a broker that is down hides all of its queues, and what cannot be without it',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'rabbitmq-queues', instance: 'b' },
    silent: [
      { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
      { alertname: 'PublishRejected', ...CRITICAL, queue: 'a', outcome: 'error' },
      { alertname: 'BrokerMetricsAbsent', ...CRITICAL },
      { alertname: 'AmqpUnstable', ...WARNING, job: 'coach', instance: 'c' },
      { alertname: 'OutboxStale', ...WARNING },
    ],
    told: [
      { alertname: 'DeadLetters', ...WARNING, type: 'createWod', reason: 'exhausted' },
      { alertname: 'StoreDown', ...CRITICAL, job: 'monolith' },
      { alertname: 'TargetDown', ...CRITICAL, job: 'coach', instance: 'c' },
    ],
  },
  {
    because: 'a coach that is down hides nothing',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'coach', instance: 'c' },
    silent: [],
    told: [
      { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
      { alertname: 'DeadLetters', ...WARNING, type: 'createWod', reason: 'exhausted' },
    ],
  },
  {
    because: 'another process that is down hides nothing',
    cause: { alertname: 'TargetDown', ...CRITICAL, job: 'monolith', instance: 'm' },
    silent: [],
    told: [{ alertname: 'OutboxStale', ...WARNING }],
  },
  {
    because: 'a queue that nobody consumes fills, waits and stands still for that reason',
    cause: { alertname: 'NoConsumers', ...CRITICAL, ...QUEUE },
    silent: [
      { alertname: 'QueueStalled', ...CRITICAL, ...QUEUE },
      { alertname: 'QueueFillingUp', ...WARNING, ...QUEUE },
      { alertname: 'QueueWaitHigh', ...WARNING, queue: 'a' },
    ],
    told: [
      { alertname: 'QueueFillingUp', ...WARNING, ...OTHER },
      { alertname: 'QueueNearFull', ...WARNING, ...QUEUE },
      { alertname: 'RetryStorm', ...WARNING },
    ],
  },
  {
    because: 'an alarm of the broker is why it takes nothing',
    cause: { alertname: 'BrokerAlarm', ...CRITICAL, instance: 'b' },
    silent: [
      { alertname: 'PublishRejected', ...CRITICAL, queue: 'a', outcome: 'timeout' },
      { alertname: 'BrokerRefusesPublishes', ...WARNING, instance: 'b' },
      { alertname: 'OutboxStale', ...WARNING },
      { alertname: 'AmqpUnstable', ...WARNING, job: 'coach', instance: 'c' },
    ],
    told: [{ alertname: 'BrokerDiskLow', ...WARNING, instance: 'b' }],
  },
  {
    because: 'without the store nothing is relayed and nothing settled',
    cause: { alertname: 'StoreDown', ...CRITICAL, job: 'monolith', instance: 'm' },
    silent: [
      { alertname: 'OutboxStale', ...WARNING },
      { alertname: 'QueueStalled', ...CRITICAL, ...QUEUE },
      { alertname: 'JobStuck', ...WARNING, job: 'coach', instance: 'c' },
      { alertname: 'WorkersSaturated', ...WARNING },
    ],
    told: [
      { alertname: 'QueueFillingUp', ...WARNING, ...QUEUE },
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

  // One after the other: each cause would hide alerts of the next case.
  for (const { because, cause, silent, told } of CASES)
    test(because, async () => {
      const all = [cause, ...silent, ...told];
      await put(stack, all, new Date(Date.now() + 60_000));
      const expected = [
        ...[cause, ...told].map((labels) => line(labels, 'active')),
        ...silent.map((labels) => line(labels, 'suppressed')),
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
