/** The packages that strangers install, and where they are in this repository. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** Folders of the packages; each one stands behind those that it depends on. */
export const PACKAGES = ['topology', 'topology-cli', 'jobs'] as const;
export type PackageFolder = (typeof PACKAGES)[number];

/** What this program reads of a package's manifest. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** Subpath → condition → file; `./package.json` has no conditions. */
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

/** @param root folder of the package; default: that in the repository. */
export function readManifest(folder: PackageFolder, root = join(REPOSITORY, folder)): Manifest {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
}

export function isPackageFolder(name: string): name is PackageFolder {
  return (PACKAGES as readonly string[]).includes(name);
}

/** @returns the folders of a package and of the packages that it depends on, in the order of their builds. */
export function withDependencies(folder: PackageFolder): PackageFolder[] {
  const { dependencies, peerDependencies } = readManifest(folder);
  const needed = { ...dependencies, ...peerDependencies };
  return PACKAGES.filter(
    (other) => other === folder || Object.hasOwn(needed, readManifest(other).name),
  );
}

/** @returns what an import names: `@fit/topology`, `@fit/topology/amqp` … */
export function entryPoints({ name, exports }: Manifest): string[] {
  return Object.keys(exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => name + subpath.slice(1));
}
