/** Where the scraped processes are: this is the only difference between compose and the native stack. */

/** The `job` labels whose absence is an alert (TargetDown). Rules and dashboards name them. */
export const WATCHED_JOBS = [
  'rabbitmq',
  'rabbitmq-queues',
  'monolith',
  'coach',
  'prometheus',
  'alertmanager',
] as const;

/** Cron may be absent: another scheduler may start the runs, and some runbooks stop cron. CronOverdue reports a missed slot. */
export const JOB_NAMES = [...WATCHED_JOBS, 'cron'] as const;

export type JobName = (typeof JOB_NAMES)[number];

/** Addresses are `host:port`. With a DNS name every instance behind it is scraped. */
export type Target =
  | { readonly addresses: readonly string[] }
  | { readonly dnsName: string; readonly port: number };

export interface MonitoringTargets {
  /** The port of the rabbitmq_prometheus plugin. */
  readonly broker: Target;
  readonly monolith: Target;
  /** All coaches. */
  readonly coach: Target;
  readonly prometheus: Target;
  /** Alerts are sent to it, and it is scraped. */
  readonly alertmanager: Target;
  /** The configuration folder as Alertmanager sees it, since secrets need absolute paths. */
  readonly alertmanagerFolder: string;
  /** Absent if something else starts the runs. */
  readonly cron?: Target;
}

/** Loopback ports, as in `StackPorts` of `@fit/stack`. */
export interface NativePorts {
  readonly brokerMetrics: number;
  readonly monolithMetrics: number;
  readonly coachMetrics: number;
  readonly prometheus: number;
  readonly alertmanager: number;
}

/** Service names and container ports of docker-compose.yml. */
export const COMPOSE_TARGETS: MonitoringTargets = Object.freeze({
  broker: { addresses: ['rabbitmq:15692'] },
  monolith: { addresses: ['monolith:12111'] },
  coach: { dnsName: 'coach', port: 12112 },
  prometheus: { addresses: ['prometheus:9090'] },
  alertmanager: { addresses: ['alertmanager:9093'] },
  alertmanagerFolder: '/etc/alertmanager',
  // By DNS name: a cron that was stopped on purpose has no name, so it does not count as a target that is down.
  cron: { dnsName: 'cron', port: 12115 },
});

/** @param moreCoaches metrics ports of coaches beyond the first. */
export function nativeTargets(
  ports: NativePorts,
  moreCoaches: readonly number[] = [],
): MonitoringTargets {
  return {
    broker: loopback(ports.brokerMetrics),
    monolith: loopback(ports.monolithMetrics),
    coach: loopback(ports.coachMetrics, ...moreCoaches),
    prometheus: loopback(ports.prometheus),
    alertmanager: loopback(ports.alertmanager),
    alertmanagerFolder: '/stack/alertmanager/config',
  };
}

/** The standard port of the rabbitmq_prometheus plugin. */
const PLUGIN_PORT = 15_692;

/** @returns where a broker given by its URL exports its metrics: on the same host. */
export function brokerTarget(amqpUrl: string, port = PLUGIN_PORT): Target {
  return { addresses: [`${new URL(amqpUrl).hostname}:${port}`] };
}

function loopback(...ports: readonly number[]): Target {
  return { addresses: ports.map((port) => `127.0.0.1:${port}`) };
}
