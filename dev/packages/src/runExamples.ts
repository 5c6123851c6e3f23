/** The systems of `examples/`, installed from the tarballs and tested there. */
import { join } from 'node:path';
import { mustRun, type StepOptions } from '@fit/stack';
import { installExample } from './installExample.ts';
import { REPOSITORY } from './packageNames.ts';
import type { Tarball } from './packPackages.ts';
import type { Step } from './runConsumers.ts';

/** Folder in `examples/` → file of its test, which reads FIT_INSTALLED_EXAMPLES. */
const TESTS = {
  'message-queue': 'messageQueue.test.ts',
  'task-events': 'taskEvents.test.ts',
  'task-board': 'taskBoard.test.ts',
  'job-queue': 'jobQueue.test.ts',
} as const;

export type System = keyof typeof TESTS;
export const SYSTEMS = Object.keys(TESTS) as System[];

/** @returns two steps; they need the FIT_TEST_ variables of `@fit/stack/testing`. @param root an existing folder for the copies. */
export function exampleSteps(
  name: System,
  root: string,
  tarballs: readonly Tarball[],
  options: StepOptions = {},
): Step[] {
  return [
    {
      title: `${name}: copied, with the packages installed`,
      run: () => installExample(name, join(root, name), tarballs, options),
    },
    {
      title: `${name}: its test, on the copy`,
      run: async () => {
        const path = join(REPOSITORY, 'examples/test', TESTS[name]);
        const env = { ...process.env, FIT_INSTALLED_EXAMPLES: root };
        await mustRun([process.execPath, '--test', path], { ...options, cwd: REPOSITORY, env });
      },
    },
  ];
}
