/**
 * `npm run compose-check`: starts docker-compose.yml on a real Docker daemon and does to it what an operator does: start,
 * use, kill, release, go back to the release before, remove.
 */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  INTERRUPTED_EXIT_CODE,
  isOptionError,
  runCommand,
  StackError,
  stopOnSignal,
} from '@fit/stack';
import { ComposeProject } from './composeProject.ts';
import {
  CannotRun,
  checkName,
  createWorkFolder,
  removeAbandonedWorkFolders,
  runInNamespaces,
  startDockerDaemon,
} from './isolatedDocker.ts';
import { buildStandIns, prepareStandIns, type StandInSources, UNPROVED } from './standInImages.ts';
import { outageSteps } from './steps/outageSteps.ts';
import { releaseSteps } from './steps/releaseSteps.ts';
import { startSteps } from './steps/startSteps.ts';

const USAGE = `npm run compose-check [-- options]

  --daemon own|running   own: a Docker daemon in namespaces of its own, with stand-in images made of Debian's packages
                         running: the daemon that answers here, with the real images; volumes and images of the check
                         have names of their own and are removed
                         default: running where a daemon answers, else own
  --help

A daemon of its own needs Linux, root, apt and about 4 GB of disk; nothing is installed on this machine.
Takes ten to twenty minutes. Exit code 0: every step passed; 1: one did not; 2: wrong option; 3: it cannot run here, and why.`;

/** Set if this program runs a second time, in the namespaces: the sources of the stand-in images as JSON. */
const SOURCES_VARIABLE = 'FIT_COMPOSE_CHECK_SOURCES';
const STEPS = [...startSteps, ...outageSteps, ...releaseSteps];

/** Images that the check builds and that a developer may have built before. */
const IMAGES = ['fit-monolith:dev', 'fit-coach:dev', 'fit-cron:dev'];

const startedAt = performance.now();
const stopping = stopOnSignal(() => Promise.resolve());
const code = await main();
// Without an exit the daemon would keep this process in the namespaces; its end is also the end of the daemon.
process.exit(stopping.aborted ? INTERRUPTED_EXIT_CODE : code);

async function main(): Promise<number> {
  try {
    const sources = process.env[SOURCES_VARIABLE];
    if (sources !== undefined) return await checkOnOwnDaemon(JSON.parse(sources) as StandInSources);
    const { values } = parseArgs({
      options: {
        daemon: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const daemon = values.daemon ?? ((await isDaemonRunning()) ? 'running' : 'own');
    if (daemon === 'own' || daemon === 'running') return await checkOn(daemon);
    console.error(`--daemon '${daemon}' must be own or running`);
    return 2;
  } catch (error) {
    if (error instanceof CannotRun || isUnsupported(error)) {
      console.error(`compose-check cannot run here: ${error.message}`);
      return 3;
    }
    console.error(isOptionError(error) || error instanceof StackError ? error.message : error);
    return isOptionError(error) ? 2 : 1;
  }
}

async function checkOn(daemon: 'own' | 'running'): Promise<number> {
  await removeAbandonedWorkFolders();
  const folder = await createWorkFolder();
  try {
    if (daemon === 'running') return await checkOnRunningDaemon(folder);
    const sources = await prepareStandIns(folder, { onProgress: report, signal: stopping });
    return await runInNamespaces({ [SOURCES_VARIABLE]: JSON.stringify(sources) }, stopping);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs in the namespaces. Everything that the check makes ends with them, so nothing has to be removed. */
async function checkOnOwnDaemon(sources: StandInSources): Promise<number> {
  const { dockerRoot, folder, cgroup } = sources;
  await startDockerDaemon({ root: dockerRoot, folder, cgroup });
  report('a Docker daemon of its own is ready');
  await buildStandIns(sources, report);
  const isPassed = await runSteps(await cloneProject(folder));
  if (isPassed) for (const line of UNPROVED) report(`not proved here: ${line}`);
  return isPassed ? 0 : 1;
}

async function checkOnRunningDaemon(folder: string): Promise<number> {
  const { code: composeCode, output } = await runCommand(['docker', 'compose', 'version']);
  if (composeCode !== 0) throw new CannotRun(`'docker compose version' says ${output.trim()}`);
  if (!(await isDaemonRunning())) throw new CannotRun('no Docker daemon answers');
  if (process.getuid?.() !== 0)
    throw new CannotRun('only root may kill the processes of containers');
  const project = await cloneProject(folder);
  const formerImages = await findImages(project);
  try {
    return (await runSteps(project)) ? 0 : 1;
  } finally {
    await removeTraces(project.withoutSignal(), formerImages);
  }
}

async function cloneProject(folder: string): Promise<ComposeProject> {
  const project = await ComposeProject.clone({
    folder,
    name: checkName(process.pid),
    report,
    signal: stopping,
  });
  const { stdout } = await project.run('docker', 'compose', 'version');
  report(`${stdout.trim()}; a clone under umask 077, with ports of its own`);
  return project;
}

/** Runs the steps in order until one fails. @returns whether all passed. */
async function runSteps(project: ComposeProject): Promise<boolean> {
  const facts = new Map<string, string>();
  for (const [index, step] of STEPS.entries()) {
    const stepStartedAt = performance.now();
    const title = `${index + 1}/${STEPS.length} ${step.title}`;
    const elapsed = () => `${((performance.now() - stepStartedAt) / 1_000).toFixed(1)} s`;
    try {
      const result = await step.run({
        project,
        facts,
        report: (line) => {
          report(`    ${line}`);
        },
      });
      report(`PASS ${title} (${elapsed()})${result === undefined ? '' : `: ${result}`}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      report(`FAIL ${title} (${elapsed()}): ${message}`);
      report(await project.describe());
      return false;
    }
  }
  report(`${STEPS.length} passed, 0 failed`);
  return true;
}

/** @returns the ids of `IMAGES` that exist, by name. */
async function findImages(project: ComposeProject): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const image of IMAGES) {
    const { code: inspectCode, stdout } = await project.tryRun(
      'docker',
      'image',
      'inspect',
      '--format',
      '{{.Id}}',
      image,
    );
    if (inspectCode === 0) found.set(image, stdout.trim());
  }
  return found;
}

/** Removes containers, volumes and images of the check, and gives the developer's images their names again. */
async function removeTraces(
  project: ComposeProject,
  formerImages: ReadonlyMap<string, string>,
): Promise<void> {
  await project.tryRun('./compose.sh', 'down', '--volumes', '--remove-orphans');
  const { stdout } = await project.run(
    'docker',
    'image',
    'ls',
    '--format',
    '{{.Repository}}:{{.Tag}}',
  );
  const built = stdout.split('\n').filter((name) => /^fit-(monolith|coach|cron):check-/.test(name));
  for (const image of [...built, ...IMAGES]) await project.tryRun('docker', 'image', 'rm', image);
  for (const [image, id] of formerImages) await project.tryRun('docker', 'tag', id, image);
}

async function isDaemonRunning(): Promise<boolean> {
  return (await runCommand(['docker', 'version'])).code === 0;
}

/** Stand-ins that cannot be built on this machine cannot be checked on it. */
function isUnsupported(error: unknown): error is StackError {
  return error instanceof StackError && ['HOST_UNSUPPORTED', 'BUILD_FAILED'].includes(error.code);
}

function report(line: string): void {
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${String(seconds).padStart(5)} s  ${line}`);
}
