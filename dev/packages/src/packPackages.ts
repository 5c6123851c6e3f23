/** Makes the tarballs that the registry would get. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '@fit/stack';
import { buildPackages } from './buildPackages.ts';
import { PACKAGES, type PackageFolder } from './packageNames.ts';

export interface Tarball {
  readonly folder: PackageFolder;
  readonly path: string;
  readonly bytes: number;
  /** Paths inside the package. */
  readonly files: readonly string[];
}

interface PackReport {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/**
 * @param staging where `buildPackages` has built the packages.
 * @param out an existing folder for the tarballs.
 */
export async function packPackages(
  staging: string,
  folders: readonly PackageFolder[],
  out: string,
  options: StepOptions = {},
): Promise<Tarball[]> {
  const tarballs: Tarball[] = [];
  for (const folder of folders) {
    // The script `prepack` would build again, and in the repository.
    const command = ['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', out];
    const { stdout } = await mustRun(command, { ...options, cwd: join(staging, folder) });
    const [report] = JSON.parse(stdout) as [PackReport];
    tarballs.push({
      folder,
      path: join(out, report.filename),
      bytes: report.size,
      files: report.files.map(({ path }) => path),
    });
  }
  return tarballs;
}

/**
 * Builds and packs all packages.
 * @param folder an existing folder for the build.
 * @param out folder for the tarballs; default: one below `folder`.
 */
export async function makeTarballs(
  folder: string,
  options: StepOptions = {},
  out = join(folder, 'tarballs'),
): Promise<Tarball[]> {
  const staging = join(folder, 'build');
  for (const path of [staging, out]) await mkdir(path, { recursive: true });
  await buildPackages(staging, PACKAGES, options);
  return await packPackages(staging, PACKAGES, out, options);
}
