/** Bruno's own command, installed once in the cache: with its packages it takes 270 MB, too much for an installation of this repository. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildOnce, mustRun, type StepOptions } from '@fit/stack';

const VERSION = '4.1.0';

/**
 * @returns the path of the program, which Node runs.
 * @throws StackError `BUILD_FAILED`
 */
export async function brunoCommand(step: StepOptions): Promise<string> {
  const folder = await buildOnce({
    title: `Bruno's command ${VERSION}`,
    key: `bruno-${VERSION}`,
    fill: async (empty) => {
      await writeFile(join(empty, 'package.json'), '{ "private": true }\n');
      const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      await mustRun(['npm', 'install', ...options, `@usebruno/cli@${VERSION}`], {
        ...step,
        cwd: empty,
        title: `Bruno's command: npm install`,
      });
    },
    ...step,
  });
  return join(folder, 'node_modules/@usebruno/cli/bin/bru.js');
}
