/** PostgreSQL 18 with DocumentDB, reachable through a socket in the stack's folder only. */
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../process/runCommand.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';
import { makeServiceFolder, writeServiceFile } from './serviceFolder.ts';

export const POSTGRESQL_BIN = '/usr/lib/postgresql/18/bin';

/** Where the socket is inside the root folder: always a short path, which sockets need. */
const SOCKET_FOLDER = '/stack/postgresql/run';

/** The data folder as the database sees it. */
export const DATA_FOLDER = '/stack/postgresql/data';

/** The database as the gateway addresses it: same mounts, hence the same socket. */
export const POSTGRESQL_URL = `postgres://fit@/postgres?host=${SOCKET_FOLDER}&port=5432`;

/** Line of postmaster.pid that holds the state of the server; pg_ctl waits for the same line. */
const STATUS_LINE = 7;

/**
 * `cron.host`, `localhost_connection_string`: pg_cron (expiry) and DocumentDB (index builds)
 * connect back to their own server, by default over TCP; here only the socket listens.
 * Whoever reaches the socket is trusted, hence the permissions; its folder has the same.
 * `include_if_exists` in postgresql.conf reads this file.
 */
const CONFIGURATION = `
listen_addresses = ''
unix_socket_directories = '${SOCKET_FOLDER}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
fsync = on
synchronous_commit = on
max_worker_processes = 16
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.host = '${SOCKET_FOLDER}'
documentdb.localhost_connection_string = 'host=${SOCKET_FOLDER}'
cron.log_run = off
cron.log_statement = off
`;

/** The database of a stack. */
export function postgresql(place: StackPlace): ServiceDefinition {
  return {
    name: 'postgresql',
    url: `unix:${join(place.folder, 'postgresql/run')}`,
    command: [`${POSTGRESQL_BIN}/postgres`, '-D', DATA_FOLDER],
    environment: { HOME: '/stack/postgresql' },
    listensOn: [],
    prepare: () => prepare(place),
    ready: (pid) => isReady(place.folder, pid),
    deadlineMs: 60_000,
    // The fast shutdown; SIGTERM would wait until the last client left by itself.
    stopSignal: 'SIGINT',
  };
}

/** Folders and configuration of a database, without its data. */
export async function prepareDatabaseFolder(folder: string): Promise<void> {
  await makeServiceFolder(join(folder, 'postgresql'));
  await makeServiceFolder(join(folder, 'postgresql/run'));
  await writeServiceFile(join(folder, 'postgresql/fit.conf'), CONFIGURATION);
}

async function prepare(place: StackPlace): Promise<void> {
  await prepareDatabaseFolder(place.folder);
  const data = join(place.folder, 'postgresql/data');
  if (!existsSync(data) && place.databaseTemplate !== undefined) {
    // Aside and renamed: a copy that was interrupted must not be taken for a database.
    await rm(`${data}.copying`, { recursive: true, force: true });
    const template = join(place.databaseTemplate, 'postgresql/data');
    await mustRun(['cp', '-a', '--reflink=auto', template, `${data}.copying`]);
    await rename(`${data}.copying`, data);
  }
  // After kill -9 the lock files name a process id that anybody may have by now, or a zombie whose
  // new parent does not collect it. The launcher holds the lock of this folder and has seen every
  // process of the old server go, so the files say nothing true.
  const socket = join(place.folder, 'postgresql/run/.s.PGSQL.5432');
  for (const path of [join(data, 'postmaster.pid'), socket, `${socket}.lock`]) {
    await rm(path, { force: true });
  }
}

/**
 * Whether the server started as `pid` accepts connections; a real query follows with the gateway's
 * probe.
 */
export async function isReady(folder: string, pid: number): Promise<boolean> {
  const text = await readFile(join(folder, 'postgresql/data/postmaster.pid'), 'utf8');
  const lines = text.split('\n');
  return Number(lines[0]) === pid && lines[STATUS_LINE]?.trim() === 'ready';
}
