/**
 * Goal: each folder with a whole system can be copied: it has its manifest, README, settings and compose file, and takes
 * nothing of this repository but its packages. Method: its files are read; nothing is started.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';

const EXAMPLES = join(import.meta.dirname, '..');
const OWN_PACKAGES = ['@fit/topology', '@fit/jobs'];

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly command?: readonly string[]; readonly image?: string }>
  >;
}

const read = (...path: string[]) => readFile(join(EXAMPLES, ...path), 'utf8');
/** A whole system has a start.ts and a manifest of its own. */
const systems = globSync('*/start.ts', { cwd: EXAMPLES })
  .map((file) => file.split('/')[0]!)
  .filter((name) => existsSync(join(EXAMPLES, name, 'package.json')));
const versions = JSON.parse(await read('package.json')) as Manifest;

test('there are systems', () => {
  assert.ok(systems.length >= 1);
});

for (const name of systems) {
  test(`${name}: its manifest has what its sources import, in the versions that are tested`, async () => {
    const manifest = JSON.parse(await read(name, 'package.json')) as Manifest;
    const files = globSync('**/*.ts', { cwd: join(EXAMPLES, name), exclude: ['node_modules/**'] });
    const imported = new Set<string>();
    for (const file of files) {
      const source = await read(name, file);
      for (const [, specifier = ''] of source.matchAll(/(?:from|import) '([^']+)'/g)) {
        if (specifier.startsWith('../')) assert.ok(file.includes('/'), `${file}: ${specifier}`);
        if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
        imported.add(
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      }
    }
    assert.deepEqual([...imported].sort(), Object.keys(manifest.dependencies).sort());
    for (const [dependency, version] of Object.entries(manifest.dependencies)) {
      assert.ok(!builtinModules.includes(dependency));
      if (dependency.startsWith('@fit/')) assert.ok(OWN_PACKAGES.includes(dependency), dependency);
      else assert.equal(version, versions.devDependencies?.[dependency], dependency);
    }
  });

  test(`${name}: its compose file starts programs and reads variables that exist`, async () => {
    const text = await read(name, 'docker-compose.yml');
    const { services } = parse(text, { merge: true }) as Compose;
    const programs = Object.values(services)
      .flatMap(({ command }) => command ?? [])
      .filter((word) => word.endsWith('.ts'));
    assert.notEqual(programs.length, 0);
    for (const program of programs) assert.ok(existsSync(join(EXAMPLES, name, program)), program);
    const documented = await read(name, '.env.example');
    for (const [, variable = ''] of text.matchAll(/\$\{([A-Z_]+)/g))
      assert.match(documented, new RegExp(`^#? ?${variable}=`, 'm'));
    assert.ok(Object.keys(services).includes('rabbitmq'));
  });

  test(`${name}: its README has the command and requests`, async () => {
    const readme = await read(name, 'README.md');
    assert.ok(readme.includes(`npm run example -- ${name}`));
    assert.match(readme, /^curl /m);
  });
}
