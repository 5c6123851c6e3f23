/** What stand-in images are made of, fetched while there is a network: the check's own has none. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  dockerRootFolder,
  ensureDatabaseTemplate,
  ensureGateway,
  mustRun,
  rootFolder,
  type StepOptions,
} from '@fit/stack';
import { checkNamespaces } from './namespaces.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../../..');

/** Folders of this machine. */
export interface StandInSources {
  readonly folder: string;
  /** The name of the run's cgroups. */
  readonly cgroup: string;
  /** Docker and its clients. */
  readonly dockerRoot: string;
  /** RabbitMQ, PostgreSQL with DocumentDB, Prometheus, Alertmanager. */
  readonly serverRoot: string;
  readonly gateway: string;
  readonly databaseTemplate: string;
  /** npm's cache with every package that the Dockerfile installs. */
  readonly npmCache: string;
}

/**
 * @throws CannotRun or StackError where this machine cannot have them.
 * @param step told what takes long; its signal ends all of it.
 */
export async function prepareStandIns(folder: string, step: StepOptions): Promise<StandInSources> {
  await checkNamespaces();
  step.onProgress?.('preparing what the stand-in images are made of');
  const serverRoot = await rootFolder(step);
  return {
    folder,
    cgroup: `fit-compose-check-${process.pid}`,
    dockerRoot: await dockerRootFolder(step),
    serverRoot,
    gateway: await ensureGateway(step),
    databaseTemplate: await ensureDatabaseTemplate(serverRoot, step),
    npmCache: await fillNpmCache(folder, step),
  };
}

/** Installs once what the Dockerfile installs, for the packages that npm keeps of it. */
async function fillNpmCache(folder: string, step: StepOptions): Promise<string> {
  const [project, cache] = [join(folder, 'npm-project'), join(folder, 'npm-cache')];
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const manifests = [...dockerfile.matchAll(/^COPY --chmod=0644 ((?:\w+\/)?package\.json)/gm)];
  for (const path of [...manifests.map(([, found = '']) => found), 'package-lock.json']) {
    await mkdir(dirname(join(project, path)), { recursive: true });
    await copyFile(join(REPOSITORY, path), join(project, path));
  }
  const options = { ...step, cwd: project, title: 'packages of the images' };
  await mustRun(['npm', 'pkg', 'delete', 'devDependencies'], options);
  const install = ['npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  await mustRun([...install, '--cache', cache], options);
  return cache;
}
