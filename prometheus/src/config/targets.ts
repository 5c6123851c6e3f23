/** Where the scraped processes are: the only difference between compose and the native stack. */

/** Addresses are `host:port`. With a name in DNS every instance behind it is scraped, however many there are. */
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
  /** Scraped, and sent the alerts. */
  readonly alertmanager: Target;
  /** Where Alertmanager finds its configuration, as it sees it: it takes the files of secrets by absolute paths only. */
  readonly alertmanagerFolder: string;
  /** Absent where something else triggers the runs. */
  readonly cron?: Target;
}

/** Loopback ports, as `StackPorts` of `@fit/stack` has them. */
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
  // By name: the runbooks stop it on purpose, and a name that is gone is no target that is down.
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

/** @returns where a broker that was given by its URL exports its metrics: on its own host. */
export function brokerTarget(amqpUrl: string, port = PLUGIN_PORT): Target {
  return { addresses: [`${new URL(amqpUrl).hostname}:${port}`] };
}

function loopback(...ports: readonly number[]): Target {
  return { addresses: ports.map((port) => `127.0.0.1:${port}`) };
}
