/**
 * The script `prepack` of each package: builds its `dist`, so that `npm pack` and `npm publish` in its folder include it.
 * The script `postpack` deletes it again, because programs without the condition `@fit/source` would load it.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackages } from './buildPackages.ts';
import { isPackageFolder, PACKAGES, REPOSITORY, withDependencies } from './packageNames.ts';

const [folder = ''] = process.argv.slice(2);
if (!isPackageFolder(folder)) throw new Error(`'${folder}' is none of ${PACKAGES.join(', ')}`);
const staging = await mkdtemp(join(tmpdir(), 'fit-prepack-'));
try {
  await buildPackages(staging, withDependencies(folder));
  const target = join(REPOSITORY, folder, 'dist');
  await rm(target, { recursive: true, force: true });
  await cp(join(staging, folder, 'dist'), target, { recursive: true });
} finally {
  await rm(staging, { recursive: true, force: true });
}
