/** A kind with short tiers, its jobs, and deliveries that record how they were settled. */

import { randomUUID } from 'node:crypto';
import { type JobRecord, type NewJob, newJob } from '@fit/jobs';
import type { WorkerStatus } from '@fit/jobs/store';
import {
  attemptOf,
  type Declaration,
  declareTopology,
  nextStep,
  type Outcome,
  type PlannedKind,
  planTopology,
  waitQueue,
} from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import type { EndedJob } from '../../src/settle/settlement.ts';

export const QUICK: Declaration = declareTopology({
  exchange: 'jobs',
  kinds: { trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150] } },
});
export const KIND: PlannedKind = planTopology(QUICK, { version: '4.3.6', hasManagement: true })
  .kinds[0]!;

export interface Payload {
  readonly outcome: string;
}

/** @returns a request for a job of a new user. */
export function requestedJob(outcome = 'done'): NewJob<Payload> {
  return { kind: 'trivial', key: `${randomUUID()}:2026-01-01`, payload: { outcome } };
}

export function pendingJob(outcome = 'done', runId = 'run'): JobRecord<Payload> {
  return newJob(requestedJob(outcome), { runId, batch: '', now: new Date() });
}

/** @returns what an idle worker tells with its heartbeat. */
export function workerStatus(kind: string): WorkerStatus {
  return {
    kind,
    queue: kind,
    version: '1.0.0',
    runningCount: 0,
    prefetchCount: 10,
    isPaused: false,
    settings: { FAILURE_RATE: 0 },
  };
}

export interface FakeDelivery extends Delivery {
  readonly settled: string[];
}

export function fakeDelivery(change: Partial<Delivery> = {}): FakeDelivery {
  const settled: string[] = [];
  return {
    body: Buffer.from('{}'),
    messageId: 'id',
    type: undefined,
    routingKey: KIND.key,
    exchange: 'jobs',
    headers: {},
    isRedelivered: false,
    unreadableReason: undefined,
    priority: undefined,
    receivedAtMs: 1_000,
    publishedAtSeconds: undefined,
    isCurrent: true,
    isSettled: false,
    settled,
    ack: () => settled.push('ack'),
    nackToDeadLetterExchange: () => settled.push('reject'),
    rejectForNativeRetry: () => settled.push('delay'),
    requeue: () => settled.push('requeue'),
    discardContent: () => undefined,
    ...change,
  };
}

/** @returns an attempt of a signed message that ended with this outcome. */
export function attemptEnd(number: number, outcome: Outcome): EndedJob {
  const key = number === 1 ? KIND.key : `trivial.r${number - 1}`;
  const attempt = attemptOf(KIND, key, {})!;
  const step = nextStep(KIND, attempt, outcome);
  const tier = step.type === 'skip' ? step.tier : number;
  const waits = step.type === 'wait' || step.type === 'skip';
  const isDead = step.type === 'deadLetter' || step.type === 'exhaust';
  return {
    message: {
      type: KIND.key,
      id: 'id',
      headers: {},
      receivedAtMs: 1_000,
      publishedAtSeconds: undefined,
      isRedelivered: false,
      body: { id: 'id', kind: 'trivial', generation: 2, payload: {}, signedRunId: 'run' },
    },
    attempt: {
      number,
      of: KIND.tiersMs.length + 1,
      isLast: attempt.isLast,
      nextDelayMs: attempt.nextDelayMs,
      queue: 'trivial',
      id: 'id',
    },
    outcome,
    next: waits ? 'wait' : isDead ? 'dead' : 'ack',
    waitMs: waits ? step.delayMs : undefined,
    waitQueue: waits ? waitQueue(KIND, tier) : undefined,
    spent: tier,
    isCurrent: true,
    startedAt: new Date(1_000),
    endedAt: new Date(2_000),
  };
}
