/** The database gateway: MongoDB's protocol on loopback, PostgreSQL behind it. */
import { join } from 'node:path';
import { answersMongo } from '../probe/answersMongo.ts';
import { GATEWAY_PROGRAM } from '../root/ensureGateway.ts';
import { POSTGRESQL_URL } from './postgresql.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';
import { makeServiceFolder } from './serviceFolder.ts';

/**
 * The gateway of a stack. It asks no client for a password: the embeddable package of FerretDB 2.7.0 sets `Auth` to false
 * itself, and FerretDB's own command, which could, does not start without a generated version file. So it is on loopback,
 * where every local user reaches it.
 */
export function gateway(place: StackPlace): ServiceDefinition {
  const address = `127.0.0.1:${place.ports.mongodb}`;
  return {
    name: 'gateway',
    url: `mongodb://${address}/`,
    command: [`/gateway/${GATEWAY_PROGRAM}`, address, POSTGRESQL_URL, '/stack/gateway'],
    environment: { HOME: '/stack/gateway', DO_NOT_TRACK: '1' },
    // It connects at start and gives up when there is no database.
    after: 'postgresql',
    listensOn: ['mongodb'],
    prepare: () => makeServiceFolder(join(place.folder, 'gateway')),
    ready: () => answersMongo(place.ports.mongodb),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}
