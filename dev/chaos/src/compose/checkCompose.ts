/** The steps of `npm run compose-check`, in the order of a system's life: made, used, broken, released, emptied. */

import { ComposeProject } from './composeProject.ts';
import { startDockerDaemon } from './dockerDaemon.ts';
import { buildStandIns, UNPROVED } from './standInImages.ts';
import type { StandInSources } from './standInSources.ts';
import { outageSteps } from './steps/outageSteps.ts';
import { releaseSteps } from './steps/releaseSteps.ts';
import { startSteps } from './steps/startSteps.ts';
import type { Step } from './steps/step.ts';
import { runName } from './workFolder.ts';

export interface CheckOptions {
  /** Present where the check has a daemon of its own. */
  readonly sources?: StandInSources;
  /** The work folder; default: that of the sources. */
  readonly folder?: string;
  readonly say: (line: string) => void;
  /** Aborted where the check is not wanted any more: the command under way ends, and what was started is removed. */
  readonly signal?: AbortSignal;
}

/** Images that the check builds; a daemon that somebody uses gets its own back. */
const IMAGES = ['fit-monolith', 'fit-coach', 'fit-cron'].map((name) => `${name}:dev`);

/**
 * Plays every step; the first that fails is the last.
 * @returns the exit code: 0 passed, 1 not.
 * @throws CannotRun where no daemon starts.
 */
export async function checkCompose({
  sources,
  folder,
  say,
  signal,
}: CheckOptions): Promise<number> {
  const place = sources?.folder ?? folder;
  if (place === undefined) throw new TypeError('checkCompose needs sources or folder');
  if (sources !== undefined) {
    const { dockerRoot: root, cgroup } = sources;
    await startDockerDaemon({ root, folder: place, cgroup });
    say('a Docker daemon of its own is ready');
    await buildStandIns(sources, say);
  }
  const project = await ComposeProject.clone({
    folder: place,
    name: runName(process.pid),
    say,
    signal,
  });
  const { stdout } = await project.run('docker', 'compose', 'version');
  say(`${stdout.trim()}; a clone under umask 077, on ports of its own`);
  const formerImages = await imagesOf(project);
  try {
    return await play([...startSteps, ...outageSteps, ...releaseSteps], project, {
      say,
      unproved: sources === undefined ? [] : UNPROVED,
    });
  } finally {
    // A daemon of its own ends with its namespaces, and takes all of it along.
    if (sources === undefined) await removeTraces(project.withoutSignal(), formerImages);
  }
}

interface PlayOptions {
  readonly say: (line: string) => void;
  readonly unproved: readonly string[];
}

async function play(
  steps: readonly Step[],
  project: ComposeProject,
  { say, unproved }: PlayOptions,
): Promise<number> {
  const facts = new Map<string, string>();
  for (const [index, step] of steps.entries()) {
    const startedAt = Date.now();
    const seconds = (): string => ((Date.now() - startedAt) / 1_000).toFixed(1);
    const title = `${index + 1}/${steps.length} ${step.title}`;
    try {
      const found = await step.run({
        project,
        facts,
        say: (line) => {
          say(`    ${line}`);
        },
      });
      say(`PASS ${title} (${seconds()} s)${found === undefined ? '' : `: ${found}`}`);
    } catch (error) {
      say(
        `FAIL ${title} (${seconds()} s): ${error instanceof Error ? error.message : String(error)}`,
      );
      say(await project.describe());
      return 1;
    }
  }
  for (const line of unproved) say(`not proved here: ${line}`);
  say(`${steps.length} passed, 0 failed`);
  return 0;
}

async function imagesOf(project: ComposeProject): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const image of IMAGES) {
    const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}}', image];
    const { code, stdout } = await project.tryRun(...inspect);
    if (code === 0) found.set(image, stdout.trim());
  }
  return found;
}

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
  const made = stdout.split('\n').filter((name) => /^fit-(monolith|coach|cron):check-/.test(name));
  for (const image of [...made, ...IMAGES]) await project.tryRun('docker', 'image', 'rm', image);
  for (const [image, id] of formerImages) await project.tryRun('docker', 'tag', id, image);
}
