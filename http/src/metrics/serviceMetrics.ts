/** What every service exports beside its jobs: process, build, HTTP and AMQP. */
import type { SessionEvent } from '@fit/topology/amqp';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestEnd } from '../server/followRequest.ts';

const HTTP_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ServiceMetrics {
  readonly registry: Registry;
  readonly onRequest: (end: RequestEnd) => void;
  readonly onSession: (event: SessionEvent) => void;
}

/** @param isConnected read at each scrape. */
export function serviceMetrics(isConnected: () => boolean): ServiceMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'app_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: process.env['FIT_VERSION'] ?? 'dev', node: process.version }, 1);
  new Gauge({
    name: 'amqp_connection_up',
    help: '1 while every AMQP connection of this process stands',
    registers,
    collect() {
      this.set(isConnected() ? 1 : 0);
    },
  });
  const reconnects = new Counter({
    name: 'amqp_reconnects_total',
    help: 'AMQP connections lost',
    registers,
  });
  const requests = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Requests by route pattern',
    labelNames: ['method', 'route', 'status_class'],
    buckets: HTTP_BUCKETS_SECONDS,
    registers,
  });
  return {
    registry,
    onSession: (event) => {
      if (event.type === 'disconnected') reconnects.inc();
    },
    onRequest: ({ method, route, status, durationMs }) => {
      const status_class = `${Math.floor(status / 100)}xx`;
      requests.observe({ method, route, status_class }, durationMs / 1_000);
    },
  };
}
