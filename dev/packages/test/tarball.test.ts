/**
 * Goal: the tarball of topology has everything that its entry points need, and nothing else. Method: it is built, packed
 * and extracted once; `npm run packages` does the same with all three packages, and installs them.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { mustRun } from '@fit/stack';
import { buildPackages } from '../src/buildPackages.ts';
import { CONSUMER_ENVIRONMENT } from '../src/installConsumers.ts';
import { entryPoints, REPOSITORY, readManifest } from '../src/packageNames.ts';
import { packPackages, type Tarball } from '../src/packPackages.ts';

const MANIFEST = readManifest('topology');
const SPECIFIER = /(?:\bfrom |\bimport |\bimport\()["']([^"']+)["']/g;

let folder: string;
/** Where the package is installed. */
let installed: string;
let tarball: Tarball;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fit-tarball-'));
  installed = join(folder, 'node_modules/@fit/topology');
  const staging = join(folder, 'staging');
  for (const path of [staging, installed]) await mkdir(path, { recursive: true });
  await buildPackages(staging, ['topology']);
  const [packed] = await packPackages(staging, ['topology'], folder);
  assert.ok(packed !== undefined);
  tarball = packed;
  await mustRun(['tar', '-xzf', packed.path, '-C', installed, '--strip-components=1']);
  await mkdir(join(folder, 'node_modules/@opentelemetry'));
  for (const name of ['amqplib', 'typebox', '@opentelemetry/api'])
    await symlink(join(REPOSITORY, 'node_modules', name), join(folder, 'node_modules', name));
});

after(() => rm(folder, { recursive: true, force: true }));

test('it has the built files of each source with their maps, the sources and the documents', () => {
  const sources = globSync('src/**/*.ts', { cwd: join(REPOSITORY, 'topology') });
  const built = sources
    .map((source) => source.replace(/^src/, 'dist').replace(/\.ts$/, ''))
    .flatMap((name) => ['.js', '.js.map', '.d.ts', '.d.ts.map'].map((end) => name + end));
  const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
  assert.deepEqual(tarball.files.toSorted(), [...sources, ...built, ...documents].sort());
});

test('maps lead to sources that it has', () => {
  for (const map of globSync('dist/**/*.map', { cwd: installed })) {
    const { sources } = JSON.parse(readFileSync(join(installed, map), 'utf8')) as {
      sources: readonly string[];
    };
    for (const source of sources)
      assert.ok(existsSync(resolve(installed, dirname(map), source)), `${map}: ${source}`);
  }
});

test('declarations import built files or packages, never a source', () => {
  for (const file of globSync('dist/**/*.d.ts', { cwd: installed }))
    for (const specifier of specifiersOf(join(installed, file))) {
      assert.doesNotMatch(specifier, /\.ts$/, file);
      if (specifier.startsWith('.'))
        assert.ok(
          existsSync(resolve(installed, dirname(file), specifier)),
          `${file}: ${specifier}`,
        );
    }
});

// A consumer would have to change with each new major version of amqplib.
test('no declaration behind an entry point names amqplib', () => {
  const [names, seen] = [new Set<string>(), new Set<string>()];
  const waiting = Object.values(MANIFEST.exports).flatMap((conditions) =>
    typeof conditions === 'string' ? [] : [declarationsOf(conditions['default'] ?? '')],
  );
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const specifier of specifiersOf(join(installed, file)))
      if (specifier === 'amqplib') names.add(relative('dist', file));
      else if (specifier.startsWith('.'))
        waiting.push(declarationsOf(join(dirname(file), specifier)));
  }
  assert.ok(seen.size > 20, [...seen].join(', '));
  assert.deepEqual([...names], []);
});

test('each entry point loads built files, by import and by require', async () => {
  const entries = entryPoints(MANIFEST);
  const program = `
    const { createRequire } = await import('node:module');
    const require = createRequire(process.cwd() + '/');
    for (const name of ${JSON.stringify(entries)}) {
      const path = import.meta.resolve(name);
      const [imported, required] = [await import(name), require(name)];
      console.log(JSON.stringify([path, Object.keys(imported).length, imported === required]));
    }`;
  const { stdout } = await mustRun([process.execPath, '--input-type=module', '--eval', program], {
    cwd: folder,
    env: CONSUMER_ENVIRONMENT,
  });
  const loaded = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [path: string, nameCount: number, isSame: boolean]);
  assert.equal(loaded.length, entries.length);
  for (const [path, nameCount, isSame] of loaded) {
    assert.match(path, /\/node_modules\/@fit\/topology\/dist\/[\w/]*index\.js$/);
    assert.ok(nameCount > 0, path);
    assert.ok(isSame, path);
  }
});

function declarationsOf(file: string): string {
  return file.replace(/^\.\//, '').replace(/\.js$/, '.d.ts');
}

function specifiersOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(SPECIFIER)].map(([, specifier = '']) => specifier);
}
