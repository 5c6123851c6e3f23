/** Metrics of attempts and of the ends of jobs. */
import type { MetricDefinition } from '../definition.ts';
import { SERVICES } from '../definition.ts';
import {
  ATTEMPT_OUTCOME,
  END_OUTCOME,
  LATENCY_SECONDS,
  MAIN_QUEUE,
  REASON,
  TYPE,
  WAIT_QUEUE,
} from './labels.ts';

const TRANSITION = ['queue', 'run', 'wait', 'finish', 'markDead', 'reconcile', 'replay', 'cancel'];
const STAGE = ['relay', 'reconcile', 'deadLetterRecorder', 'settle'];

export const JOB_METRICS = {
  jobs_attempts_total: {
    kind: 'counter',
    help: 'Attempts that ended; retry: it waits for another, dead: no further one, discarded: not wanted any more',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE, type: TYPE, outcome: ATTEMPT_OUTCOME },
  },
  jobs_run_seconds: {
    kind: 'histogram',
    help: 'Duration of attempts, failures included',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: { type: TYPE, outcome: ATTEMPT_OUTCOME },
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  jobs_failures_total: {
    kind: 'counter',
    help: 'Failed attempts by error class; beyond twenty classes in one process they count as other',
    exportedBy: ['coach'],
    labels: { type: TYPE, error_class: { atMost: 20, of: 'names of error classes' } },
  },
  jobs_retries_scheduled_total: {
    kind: 'counter',
    help: 'Failed attempts sent to wait, by the wait queue',
    exportedBy: ['coach'],
    labels: { queue: WAIT_QUEUE },
  },
  jobs_queue_wait_seconds: {
    kind: 'histogram',
    help: 'From eligible to delivered: since its publish, or since its wait ended (told by the broker in whole seconds)',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
    buckets: LATENCY_SECONDS,
  },
  jobs_finished_total: {
    kind: 'counter',
    help: 'Jobs that reached an end, once each, at the guarded write',
    exportedBy: SERVICES,
    labels: { type: TYPE, outcome: END_OUTCOME },
  },
  jobs_dead_lettered_total: {
    kind: 'counter',
    help: 'Jobs and letters that died, once each, by cause; a letter that is no job counts when it is first kept',
    exportedBy: SERVICES,
    labels: { type: TYPE, reason: REASON },
  },
  jobs_end_to_end_seconds: {
    kind: 'histogram',
    help: 'From first enqueue to the first end of the job, waits included; a replay is not timed',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { type: TYPE, outcome: END_OUTCOME },
    buckets: LATENCY_SECONDS,
  },
  jobs_attempts_per_job: {
    kind: 'histogram',
    help: 'Attempts that a job had when it ended, since its last replay',
    exportedBy: SERVICES,
    labels: { type: TYPE, outcome: END_OUTCOME },
    buckets: [1, 2, 3, 4, 5, 6, 8, 10],
  },
  jobs_redelivered_total: {
    kind: 'counter',
    help: 'Deliveries that were delivered before; perhaps their worker died',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_refused_total: {
    kind: 'counter',
    help: 'Messages parked before an attempt: no job, or too many crashes',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_attempt_mismatch_total: {
    kind: 'counter',
    help: 'Deliveries whose key and x-death disagree; lawful after a republish',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_unchanged_total: {
    kind: 'counter',
    help: 'Late or doubled writes that changed nothing',
    exportedBy: ['coach'],
    labels: { transition: TRANSITION },
  },
  jobs_store_outages_total: {
    kind: 'counter',
    help: 'Times the store refused a stage of the work',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_stage_failures_total: {
    kind: 'counter',
    help: 'Failures of a stage while the database works: it refuses a document that it cannot take, or the stage has a defect',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_store_down: {
    kind: 'gauge',
    help: '1 from the first refusal of the store at a stage of the work until it answers there again',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_worker_concurrency: {
    kind: 'gauge',
    help: 'Handlers that this worker runs at a time',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_in_flight: {
    kind: 'gauge',
    help: 'Deliveries that are not settled yet, those that wait their turn here included',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_oldest_in_flight_seconds: {
    kind: 'gauge',
    help: 'Since when the oldest of them is here; 0 without any',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_busy_seconds_total: {
    kind: 'counter',
    help: 'Time that handlers ran; its rate over jobs_worker_concurrency is the utilisation',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_last_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'When a job was last finished here; 0 before the first',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
