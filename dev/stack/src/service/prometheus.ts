/** Prometheus on loopback, with the caller's configuration and rules. */
import { basename, join } from 'node:path';
import { answersHttp } from '../probe/answersHttp.ts';
import { ALERTMANAGER_PASSWORD_FILE } from './alertmanagerUser.ts';
import { prepareMonitoring } from './monitoringFolder.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';
import { writeServiceFile } from './serviceFolder.ts';

const RETENTION = '3d';

/** The metrics server of a stack. */
export function prometheus(place: StackPlace): ServiceDefinition {
  const address = `127.0.0.1:${place.ports.prometheus}`;
  return {
    name: 'prometheus',
    url: `http://${address}`,
    command: [
      '/usr/bin/prometheus',
      '--config.file=/stack/prometheus/config/prometheus.yml',
      '--storage.tsdb.path=/stack/prometheus/data',
      `--storage.tsdb.retention.time=${RETENTION}`,
      `--web.listen-address=${address}`,
      // No page of a browser may read it: an origin is scheme://host or 'null', never 'none'. Without the lifecycle API none
      // can stop or reload it either; a reload is SIGHUP.
      '--web.cors.origin=none',
    ],
    environment: { HOME: '/stack/prometheus' },
    listensOn: ['prometheus'],
    prepare: () => prepare(place),
    ready: () => answersHttp(`http://${address}/-/ready`),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

async function prepare(place: StackPlace): Promise<void> {
  await prepareMonitoring(place, 'prometheus', minimalConfiguration(place));
  if (place.alertmanagerUser === undefined) return;
  const file = join(place.folder, 'prometheus', basename(ALERTMANAGER_PASSWORD_FILE));
  await writeServiceFile(file, place.alertmanagerUser.password, 0o600);
}

function minimalConfiguration({ ports, alertmanagerUser }: StackPlace): {
  fileName: string;
  text: string;
} {
  const login =
    alertmanagerUser === undefined
      ? ''
      : `
      basic_auth: { username: ${alertmanagerUser.name}, password_file: ${ALERTMANAGER_PASSWORD_FILE} }`;
  const text = `global:
  scrape_interval: 5s
alerting:
  alertmanagers:
    - static_configs: [{ targets: ['127.0.0.1:${ports.alertmanager}'] }]${login}
scrape_configs:
  - job_name: rabbitmq
    static_configs: [{ targets: ['127.0.0.1:${ports.brokerMetrics}'] }]
`;
  return { fileName: 'prometheus.yml', text };
}
