/** PostgreSQL 18 with DocumentDB, reachable only through a socket in the stack's folder. */
import { existsSync } from 'node:fs';
import { appendFile, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '../process/runCommand.ts';
import { startChild } from '../process/startChild.ts';
import { buildOnce } from '../root/buildOnce.ts';
import { checkHost } from '../root/checkHost.ts';
import { enterRoot, ROOT_ENVIRONMENT } from '../root/enterRoot.ts';
import { MAIN_ROOT, recipeHash } from '../root/rootFolders.ts';
import {
  makeServerFolder,
  type ServerDefinition,
  type StackSettings,
  writeServerFile,
} from './serverDefinition.ts';

/** Part of the cache key. Raise it when the steps of `fillTemplate` change. */
const TEMPLATE_VERSION = 1;

const TEMPLATE_READY_MS = 60_000;

const POSTGRESQL_BIN = '/usr/lib/postgresql/18/bin';

/** Folder of the socket inside the root folder: a short path, since the kernel limits the length of socket paths. */
const SOCKET_FOLDER = '/stack/postgresql/run';

/** Data folder as the database sees it. */
const DATA_FOLDER = '/stack/postgresql/data';

/** The database as the gateway addresses it: the gateway has the same mounts, hence the same socket. */
export const POSTGRESQL_URL = `postgres://fit@/postgres?host=${SOCKET_FOLDER}&port=5432`;

/** Index of the line of postmaster.pid that holds the state of the server; pg_ctl waits for the same line. */
const STATUS_LINE = 7;

/**
 * The configuration of a stack's database; `include_if_exists` in postgresql.conf reads it. pg_cron (expiry) and
 * DocumentDB (index builds) connect back to their own server, by default over TCP; here only the socket listens, hence
 * `cron.host` and `localhost_connection_string`. A client that reaches the socket is trusted, so socket and folder are
 * closed to other users.
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

/**
 * @param statements undefined: the command reads them from its standard input.
 * @returns the command that runs SQL statements inside the root folder of a server, and stops at the first error.
 */
export function psqlCommand(statements?: string): string[] {
  const options = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align'];
  const stopAtError = ['--set', 'ON_ERROR_STOP=1'];
  const command = [`${POSTGRESQL_BIN}/psql`, ...options, ...stopAtError];
  command.push('--dbname', POSTGRESQL_URL);
  if (statements !== undefined) command.push('--command', statements);
  return command;
}

/** The database of a stack. */
export function postgresql(settings: StackSettings): ServerDefinition {
  return {
    name: 'postgresql',
    url: `unix:${join(settings.folder, 'postgresql/run')}`,
    command: [`${POSTGRESQL_BIN}/postgres`, '-D', DATA_FOLDER],
    environment: { HOME: '/stack/postgresql' },
    listensOn: [],
    prepare: () => prepare(settings),
    ready: (pid) => isReady(settings.folder, pid),
    deadlineMs: 60_000,
    // SIGINT asks for the fast shutdown; SIGTERM would wait until the last client has disconnected by itself.
    stopSignal: 'SIGINT',
  };
}

/** Folders and configuration of a database, without its data. */
async function prepareDatabaseFolder(folder: string): Promise<void> {
  await makeServerFolder(join(folder, 'postgresql'));
  await makeServerFolder(join(folder, 'postgresql/run'));
  await writeServerFile(join(folder, 'postgresql/fit.conf'), CONFIGURATION);
}

async function prepare(settings: StackSettings): Promise<void> {
  await prepareDatabaseFolder(settings.folder);
  const data = join(settings.folder, 'postgresql/data');
  if (!existsSync(data) && settings.databaseTemplate !== undefined) {
    // The copy is renamed when it is complete: an interrupted copy must not be taken for a database.
    await rm(`${data}.copying`, { recursive: true, force: true });
    const template = join(settings.databaseTemplate, 'postgresql/data');
    await mustRun(['cp', '-a', '--reflink=auto', template, `${data}.copying`]);
    await rename(`${data}.copying`, data);
  }
  // After kill -9 the lock files name a process id that another process may have by now, or a zombie that its new parent
  // does not collect. The launcher holds the lock of this folder and has seen every process of the old server end, so
  // the files are stale.
  const socket = join(settings.folder, 'postgresql/run/.s.PGSQL.5432');
  for (const path of [join(data, 'postmaster.pid'), socket, `${socket}.lock`]) {
    await rm(path, { force: true });
  }
}

/** @returns whether the server that was started as `pid` accepts connections; the gateway's probe sends a real query. */
async function isReady(folder: string, pid: number): Promise<boolean> {
  const text = await readFile(join(folder, 'postgresql/data/postmaster.pid'), 'utf8');
  const lines = text.split('\n');
  return Number(lines[0]) === pid && lines[STATUS_LINE]?.trim() === 'ready';
}

/**
 * The folder with an initialised database, built when missing: copying it takes a second, making it about ten.
 * @param root the main root folder.
 * @throws StackError `BUILD_FAILED`.
 */
export async function ensureDatabaseTemplate(root: string, step: StepOptions): Promise<string> {
  return await buildOnce({
    title: 'database template (initdb, DocumentDB)',
    key: `database-${recipeHash(MAIN_ROOT, TEMPLATE_VERSION)}`,
    fill: async (folder) => {
      await fillTemplate(folder, root, step);
    },
    ...step,
  });
}

async function fillTemplate(folder: string, root: string, step: StepOptions): Promise<void> {
  const mode = await checkHost();
  const env = { ...ROOT_ENVIRONMENT, HOME: '/stack/postgresql' };
  const inRoot = (...command: string[]): string[] =>
    enterRoot({ root, mode, mounts: { stack: folder }, user: 'server' }, command);
  await prepareDatabaseFolder(folder);

  const options = ['--auth=trust', '--locale=C.UTF-8', '--username=fit', '--no-sync'];
  const initdb = inRoot(`${POSTGRESQL_BIN}/initdb`, ...options, '-D', DATA_FOLDER);
  await mustRun(initdb, { ...step, env, title: 'database template: initdb' });
  const configuration = join(folder, 'postgresql/data/postgresql.conf');
  await appendFile(configuration, "\ninclude_if_exists = '/stack/postgresql/fit.conf'\n");

  // -F switches fsync off: the template is copied only after a clean shutdown.
  const [command = '', ...args] = inRoot(`${POSTGRESQL_BIN}/postgres`, '-F', '-D', DATA_FOLDER);
  let pid: number | undefined;
  const server = await startChild({
    name: 'database template: postgresql',
    command,
    args,
    env,
    logPath: join(folder, 'postgresql.log'),
    ready: () => (pid === undefined ? Promise.resolve(false) : isReady(folder, pid)),
    onSpawn: (spawned) => {
      pid = spawned;
    },
    deadlineMs: TEMPLATE_READY_MS,
    stopSignal: 'SIGINT',
    signal: step.signal,
  });
  try {
    const statement = 'create extension documentdb cascade';
    await mustRun(inRoot(...psqlCommand(statement)), {
      ...step,
      env,
      title: 'database template: create extension',
    });
  } finally {
    await server.stop();
  }
}
