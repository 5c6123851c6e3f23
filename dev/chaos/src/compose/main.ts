/** `npm run compose-check`: docker-compose.yml brought up for real, with everything that an operator does to it. */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  INTERRUPTED_EXIT_CODE,
  isOptionError,
  runCommand,
  StackError,
  stopOnSignal,
} from '@fit/stack';
import { CannotRun } from './cannotRun.ts';
import { checkCompose } from './checkCompose.ts';
import { runInNamespaces } from './namespaces.ts';
import { prepareStandIns, type StandInSources } from './standInSources.ts';
import { makeWorkFolder, sweepWorkFolders } from './workFolder.ts';

const USAGE = `npm run compose-check [-- options]

  --daemon own|running   own: a Docker daemon in namespaces of its own, with stand-in images made of Debian's packages
                         running: the daemon that answers here, with the real images; its volumes and images of the check
                         have names of their own and are removed
                         default: running where a daemon answers, else own
  --help

Needs, for a daemon of its own: Linux, root, apt, about 4 GB of disk; nothing is installed on this machine.
Takes ten to twenty minutes. Exit code 0: every step passed; 1: one did not; 2: no such option; 3: it cannot run here, and why.`;

/** The second process of this program runs in the namespaces, and is told so by this variable. */
const INNER = 'FIT_COMPOSE_CHECK_SOURCES';

const startedAt = performance.now();
const say = (line: string): void => {
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${String(seconds).padStart(5)} s  ${line}`);
};

const stopping = stopOnSignal(() => Promise.resolve());
const code = await main();
// In the namespaces the daemon would keep this process for ever; its end is the end of the daemon.
process.exit(stopping.aborted ? INTERRUPTED_EXIT_CODE : code);

async function main(): Promise<number> {
  try {
    const inner = process.env[INNER];
    if (inner !== undefined)
      return await checkCompose({ sources: JSON.parse(inner) as StandInSources, say });
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
    return await run(values.daemon ?? (await defaultDaemon()));
  } catch (error) {
    if (error instanceof CannotRun || isUnsupported(error)) {
      console.error(`compose-check cannot run here: ${error.message}`);
      return 3;
    }
    console.error(isOptionError(error) || error instanceof StackError ? error.message : error);
    return isOptionError(error) ? 2 : 1;
  }
}

async function run(daemon: string): Promise<number> {
  if (daemon !== 'own' && daemon !== 'running') {
    console.error(`--daemon '${daemon}' is none of own, running`);
    return 2;
  }
  await sweepWorkFolders();
  const folder = await makeWorkFolder();
  try {
    if (daemon === 'running') {
      await checkRunningDaemon();
      return await checkCompose({ folder, say, signal: stopping });
    }
    const sources = await prepareStandIns(folder, { onProgress: say, signal: stopping });
    return await runInNamespaces({ [INNER]: JSON.stringify(sources) }, stopping);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function defaultDaemon(): Promise<'own' | 'running'> {
  const { code: answer } = await runCommand(['docker', 'version']);
  return answer === 0 ? 'running' : 'own';
}

/** @throws CannotRun where no daemon answers, or this user may not kill what runs in it. */
async function checkRunningDaemon(): Promise<void> {
  const { code: answer, output } = await runCommand(['docker', 'compose', 'version']);
  const { code: server } = await runCommand(['docker', 'version']);
  if (answer !== 0) throw new CannotRun(`'docker compose version' says ${output.trim()}`);
  if (server !== 0) throw new CannotRun('no Docker daemon answers');
  if (process.getuid?.() !== 0) throw new CannotRun('only root may kill the services one by one');
}

/** What cannot be built here cannot be checked here. */
function isUnsupported(error: unknown): error is StackError {
  return error instanceof StackError && ['HOST_UNSUPPORTED', 'BUILD_FAILED'].includes(error.code);
}
