/** Alertmanager on loopback, alone: its cluster port stays closed. */
import { join } from 'node:path';
import { answersHttp } from '../probe/answersHttp.ts';
import { webConfiguration } from './alertmanagerUser.ts';
import { prepareMonitoring } from './monitoringFolder.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';
import { writeServiceFile } from './serviceFolder.ts';

/** It keeps alerts visible in its page and sends nothing. */
const MINIMAL_CONFIGURATION = `route:
  receiver: page-only
receivers:
  - name: page-only
`;

const WEB_CONFIGURATION = 'web.yml';

/**
 * The alert server of a stack. Version 0.33.1 answers /api/v2 with `Access-Control-Allow-Origin: *`, silences included, has
 * no option for it, and reloads by POST for anybody. Only a password keeps local users, and pages in a browser of this
 * machine, out.
 */
export function alertmanager(place: StackPlace): ServiceDefinition {
  const { alertmanagerUser: user } = place;
  const address = `127.0.0.1:${place.ports.alertmanager}`;
  return {
    name: 'alertmanager',
    url: `http://${address}`,
    command: [
      '/usr/bin/prometheus-alertmanager',
      '--config.file=/stack/alertmanager/config/alertmanager.yml',
      '--storage.path=/stack/alertmanager/data',
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
      ...(user === undefined ? [] : [`--web.config.file=/stack/alertmanager/${WEB_CONFIGURATION}`]),
    ],
    environment: { HOME: '/stack/alertmanager' },
    listensOn: ['alertmanager'],
    prepare: () => prepare(place),
    ready: () => answersHttp(`http://${address}/-/ready`, user),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

async function prepare(place: StackPlace): Promise<void> {
  const minimal = { fileName: 'alertmanager.yml', text: MINIMAL_CONFIGURATION };
  await prepareMonitoring(place, 'alertmanager', minimal);
  if (place.alertmanagerUser === undefined) return;
  const file = join(place.folder, 'alertmanager', WEB_CONFIGURATION);
  await writeServiceFile(file, await webConfiguration(place.alertmanagerUser), 0o600);
}
