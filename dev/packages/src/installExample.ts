/** Copies a system of `examples/` to where a stranger would have it, and installs the tarballs there. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '@fit/stack';
import { CONSUMER_ENVIRONMENT } from './installConsumers.ts';
import { REPOSITORY, readManifest } from './packageNames.ts';
import type { Tarball } from './packPackages.ts';

/**
 * @param name folder in `examples/`.
 * @param target does not exist yet; afterwards it has the system, the tarballs in `packages/`, and all that its manifest asks for.
 * @throws StackError `COMMAND_FAILED` with what npm said.
 */
export async function installExample(
  name: string,
  target: string,
  tarballs: readonly Tarball[],
  options: StepOptions = {},
): Promise<void> {
  const source = join(REPOSITORY, 'examples', name);
  await cp(source, target, {
    recursive: true,
    filter: (path) => !path.slice(source.length).includes('node_modules'),
  });
  await mkdir(join(target, 'packages'));
  const path = join(target, 'package.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const { folder, path: tarball } of tarballs) {
    const { name: packageName } = readManifest(folder);
    const local = `packages/${folder}.tgz`;
    if (!Object.hasOwn(manifest.dependencies, packageName)) continue;
    await cp(tarball, join(target, local));
    manifest.dependencies[packageName] = `file:${local}`;
  }
  await writeFile(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
  await mustRun(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    ...options,
    cwd: target,
    env: CONSUMER_ENVIRONMENT,
    title: `npm install in the copy of ${name}`,
  });
}
