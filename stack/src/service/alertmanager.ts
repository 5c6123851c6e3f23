/** Alertmanager on loopback, alone: its cluster port stays closed. */
import { answersHttp } from '../probe/answersHttp.ts';
import { prepareMonitoring } from './monitoringFolder.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';

/** It keeps alerts visible in its page and sends nothing. */
const MINIMAL_CONFIGURATION = `route:
  receiver: page-only
receivers:
  - name: page-only
`;

/**
 * The alert server of a stack. Version 0.33.1 answers /api/v2 with `Access-Control-Allow-Origin: *`, silences included, has
 * no option for it, and reloads by POST for anybody. Only a password (--web.config.file) would keep local users and pages
 * in a browser of this machine out.
 */
export function alertmanager(place: StackPlace): ServiceDefinition {
  const address = `127.0.0.1:${place.ports.alertmanager}`;
  const minimal = { fileName: 'alertmanager.yml', text: MINIMAL_CONFIGURATION };
  return {
    name: 'alertmanager',
    url: `http://${address}`,
    command: [
      '/usr/bin/prometheus-alertmanager',
      '--config.file=/stack/alertmanager/config/alertmanager.yml',
      '--storage.path=/stack/alertmanager/data',
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
    ],
    environment: { HOME: '/stack/alertmanager' },
    listensOn: ['alertmanager'],
    prepare: () => prepareMonitoring(place, 'alertmanager', minimal),
    ready: () => answersHttp(`http://${address}/-/ready`),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}
