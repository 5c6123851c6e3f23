/** An initialised database in the cache: copying it takes a second, making it about ten. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '../process/runCommand.ts';
import { startChild } from '../process/startChild.ts';
import {
  DATA_FOLDER,
  isReady,
  POSTGRESQL_BIN,
  POSTGRESQL_URL,
  prepareDatabaseFolder,
} from '../service/postgresql.ts';
import { buildOnce } from './buildOnce.ts';
import { checkHost } from './checkHost.ts';
import { enterRoot, ROOT_ENVIRONMENT } from './enterRoot.ts';
import { MAIN_ROOT, recipeHash } from './recipe.ts';

/** Raise when the steps below change. */
const TEMPLATE_VERSION = 1;

const READY_DEADLINE_MS = 60_000;

/**
 * The folder with the template, built when missing.
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
    enterRoot({ root, mode, mounts: { stack: folder }, user: 'service' }, command);
  await prepareDatabaseFolder(folder);

  const options = ['--auth=trust', '--locale=C.UTF-8', '--username=fit', '--no-sync'];
  const initdb = inRoot(`${POSTGRESQL_BIN}/initdb`, ...options, '-D', DATA_FOLDER);
  await mustRun(initdb, { ...step, env, title: 'database template: initdb' });
  const configuration = join(folder, 'postgresql/data/postgresql.conf');
  await appendFile(configuration, "\ninclude_if_exists = '/stack/postgresql/fit.conf'\n");

  // -F: no fsync while nothing is worth keeping; the template is copied only after a clean
  // shutdown.
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
    deadlineMs: READY_DEADLINE_MS,
    stopSignal: 'SIGINT',
    signal: step.signal,
  });
  try {
    const statement = 'create extension documentdb cascade';
    const psql = inRoot(`${POSTGRESQL_BIN}/psql`, '-q', '-d', POSTGRESQL_URL, '-c', statement);
    await mustRun(psql, { ...step, env, title: 'database template: create extension' });
  } finally {
    await server.stop();
  }
}
