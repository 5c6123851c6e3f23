/** Goal: what the three packages say about themselves agrees. Method: their manifests, sources and documents are read. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { mendSpecifiers } from '../src/buildPackages.ts';
import { PACKAGES, REPOSITORY, readManifest } from '../src/packageNames.ts';

const read = (...path: string[]): string => readFileSync(join(REPOSITORY, ...path), 'utf8');
/** What a source imports: the first group is a package with its scope, without a subpath. */
const IMPORTED = /(?:\bfrom|\bimport\(?)\s*'((?:@[^/'\n]+\/)?[^./'\n][^/'\n]*)[^'\n]*'/g;

test('the packages have one version, and ask for each other in that version', () => {
  const manifests = PACKAGES.map((folder) => readManifest(folder));
  const versions = new Map(manifests.map(({ name, version }) => [name, version]));
  assert.equal(new Set(versions.values()).size, 1, JSON.stringify([...versions]));
  for (const { name, dependencies = {}, peerDependencies = {} } of manifests)
    for (const [dependency, range] of Object.entries({ ...dependencies, ...peerDependencies }))
      if (versions.has(dependency))
        assert.equal(range, `^${versions.get(dependency)}`, `${name} asks for ${dependency}`);
});

for (const folder of PACKAGES) {
  test(`${folder}: the changelog has its version, the license is the repository's`, () => {
    const { version } = readManifest(folder);
    assert.match(
      read(folder, 'CHANGELOG.md'),
      new RegExp(`^## \\[${RegExp.escape(version)}\\]`, 'm'),
    );
    assert.equal(read(folder, 'LICENSE'), read('LICENSE'));
  });

  test(`${folder}: what its sources import is a dependency of its own, and nothing else is`, () => {
    const { name, dependencies = {}, peerDependencies = {} } = readManifest(folder);
    const imported = new Set<string>();
    for (const file of globSync(`${folder}/src/**/*.ts`, { cwd: REPOSITORY }))
      for (const [, specifier = ''] of read(file).matchAll(IMPORTED)) imported.add(specifier);
    const declared = { ...dependencies, ...peerDependencies };
    assert.deepEqual(
      [...imported].filter((specifier) => !isBuiltin(specifier) && specifier !== name).sort(),
      Object.keys(declared).sort(),
    );
  });
}

test('declarations name built files; packages, assets and comments stay', () => {
  const declarations = [
    "import type { A } from './a.ts';",
    `export { b } from "../b/b.ts";`,
    "import './effect.ts';",
    "export declare const c: import('./c.ts').C;",
    "import type { D } from '@fit/topology';",
    "export type { E } from 'typescript.ts';",
    '/** See ./a.ts for the rest. */',
  ].join('\n');
  const mended = mendSpecifiers(declarations);
  assert.equal(
    mended,
    [
      "import type { A } from './a.js';",
      `export { b } from "../b/b.js";`,
      "import './effect.js';",
      "export declare const c: import('./c.js').C;",
      "import type { D } from '@fit/topology';",
      "export type { E } from 'typescript.ts';",
      '/** See ./a.ts for the rest. */',
    ].join('\n'),
  );
  assert.equal(mended.length, declarations.length);
});
