/**
 * Compiles packages in a folder outside of the repository, where they find each other's built files only. The sources in
 * the repository are neither moved nor joined by a `dist`, so programs that run from them meanwhile are not disturbed, and
 * no outdated build is ever loaded in their place.
 */
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { mustRun, type StepOptions } from '@fit/stack';
import { type PackageFolder, REPOSITORY } from './packageNames.ts';

const NODE_MODULES = join(REPOSITORY, 'node_modules');
const NOT_STAGED = /\/(?:test|dist|node_modules)(?:\/|$)/;

/**
 * @param staging an empty folder; each package is at `<staging>/<folder>` afterwards, with its `dist`.
 * @param folders in the order of their dependencies.
 * @throws StackError `COMMAND_FAILED` with the errors of the compiler.
 */
export async function buildPackages(
  staging: string,
  folders: readonly PackageFolder[],
  options: StepOptions = {},
): Promise<void> {
  await cp(join(REPOSITORY, 'tsconfig.json'), join(staging, 'tsconfig.json'));
  const config = resolve(import.meta.dirname, '../tsconfig.build.json');
  await cp(config, join(staging, 'tsconfig.build.json'));
  await linkDependencies(staging, folders);
  for (const folder of folders) {
    const startedAt = performance.now();
    const target = join(staging, folder);
    const source = join(REPOSITORY, folder);
    await cp(source, target, {
      recursive: true,
      filter: (path) => !NOT_STAGED.test(path.slice(source.length)),
    });
    await writeFile(join(target, 'tsconfig.json'), '{ "extends": "../tsconfig.build.json" }\n');
    await mustRun([process.execPath, join(NODE_MODULES, 'typescript/bin/tsc'), '-p', target], {
      ...options,
    });
    await mendDeclarations(join(target, 'dist'));
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    options.onProgress?.(`${folder}: built in ${seconds} s`);
  }
}

/**
 * TypeScript leaves `.ts` in the specifiers of declaration files (microsoft/TypeScript#61037), where a consumer would need
 * the sources. The replacement is as long as the original, so the columns of declaration maps stay right.
 */
export function mendSpecifiers(declarations: string): string {
  return declarations.replaceAll(
    /(\bfrom |\bimport |\bimport\()(["'])(\.{1,2}\/[^"']+)\.ts\2/g,
    '$1$2$3.js$2',
  );
}

async function mendDeclarations(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(folder, name);
    await writeFile(path, mendSpecifiers(await readFile(path, 'utf8')));
  }
}

/** Links what the repository has installed, except its workspaces, and the staged packages under their names. */
async function linkDependencies(staging: string, folders: readonly PackageFolder[]): Promise<void> {
  const target = join(staging, 'node_modules');
  await mkdir(join(target, '@fit'), { recursive: true });
  for (const name of await readdir(NODE_MODULES))
    if (!name.startsWith('.') && name !== '@fit')
      await symlink(join(NODE_MODULES, name), join(target, name));
  for (const folder of folders) await symlink(join(staging, folder), join(target, '@fit', folder));
}
