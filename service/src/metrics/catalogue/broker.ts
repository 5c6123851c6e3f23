/** Metrics of publishing, of AMQP connections, and of what was declared. */
import type { MetricDefinition } from '../definition.ts';
import { SERVICES } from '../definition.ts';
import { QUEUE, VHOST } from './labels.ts';

/** Reply codes of AMQP 0-9-1 that close a channel; RabbitMQ sends a few of them only. */
const CHANNEL_CODE = ['311', '313', '403', '404', '405', '406', '506', '540', '541', 'other'];

export const BROKER_METRICS = {
  jobs_published_total: {
    kind: 'counter',
    help: 'Publishes by the queue they lead to and what the broker said; error: the connection was lost or not there',
    exportedBy: SERVICES,
    labels: {
      queue: QUEUE,
      outcome: ['confirmed', 'nacked', 'returned', 'timeout', 'error'],
    },
  },
  jobs_publish_confirm_seconds: {
    kind: 'histogram',
    help: 'From publish to the answer of the broker, refusals included',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { queue: QUEUE },
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  jobs_publish_pending: {
    kind: 'gauge',
    help: 'Publishes without an answer yet',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_connection_up: {
    kind: 'gauge',
    help: '1 while every AMQP connection of this process stands',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_connection_blocked: {
    kind: 'gauge',
    help: '1 while an alarm of the broker (memory, disk) blocks publishing',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_reconnects_total: {
    kind: 'counter',
    help: 'Times that the process lost the broker; connections that are lost together count once',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_channel_errors_total: {
    kind: 'counter',
    help: 'Channels that the broker closed, by reply code',
    exportedBy: SERVICES,
    labels: { code: CHANNEL_CODE },
  },
  jobs_queue_max_length: {
    kind: 'gauge',
    help: 'Messages that the queue holds before it refuses, as declared',
    exportedBy: SERVICES,
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen: 'set at the start, for queues with a limit',
  },
  jobs_queue_live_max_length: {
    kind: 'gauge',
    help: 'The limit that the broker enforces, by argument or policy; infinite where somebody removed it',
    exportedBy: ['monolith'],
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen:
      'read from the management API every 5 s, for queues declared with a limit; never without that API',
  },
  jobs_queue_ttl_seconds: {
    kind: 'gauge',
    help: 'Time to live in the queue, as declared',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen: 'set at the start, for queues with a time to live',
  },
  jobs_queue_info: {
    kind: 'gauge',
    help: 'Always 1; declared queues: role main, wait or dlq; tier from 1 for a wait queue, else 0',
    exportedBy: SERVICES,
    labels: {
      vhost: VHOST,
      queue: QUEUE,
      role: ['main', 'wait', 'dlq'],
      tier: { atMost: 20, of: 'tiers' },
    },
    appearsWhen: 'set at the start, one for each queue',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
