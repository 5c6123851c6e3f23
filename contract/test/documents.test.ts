/** Goal: the documents agree with the code. Method: generated sections are rendered again; named files and links must exist. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { planTopology } from '@fit/topology';
import { firstDifference, renderSections } from '@fit/topology-cli/drawing';
import declared from '../src/declaration.ts';

const ROOT = join(import.meta.dirname, '../..');
const PLAN = planTopology(declared, { version: '4.3.6', hasManagement: true });
const TOPOLOGY = join(ROOT, 'docs/topology.md');

test('docs/topology.md has its sections as declared (else: npm run topology -- docs --file docs/topology.md)', async () => {
  const document = await readFile(TOPOLOGY, 'utf8');
  for (const section of ['diagram', 'tiers', 'exchanges', 'queues'])
    assert.ok(document.includes(`<!-- topology:${section} -->`), `${section} is missing`);
  assert.equal(firstDifference(document, renderSections(document, PLAN)), undefined);
});

test('a changed line of a generated section is found, and rendering repairs it', async () => {
  const document = await readFile(TOPOLOGY, 'utf8');
  const stale = document.replace('waits 30s', 'waits 31s');
  assert.notEqual(stale, document);
  assert.match(firstDifference(stale, renderSections(stale, PLAN))?.actual ?? '', /31s/);
  assert.equal(renderSections(stale, PLAN), document);
});

const DOCUMENTS = globSync(['*.md', 'docs/*.md', 'adr/*.md', '*/*.md', '*/runbooks/*.md'], {
  cwd: ROOT,
  exclude: ['node_modules'],
}).filter((file) => !file.startsWith('node_modules'));
const FOLDERS =
  'topology|topology-cli|jobs|workout|contract|service|client|console|monolith|coach|prometheus|examples|dev|docs|adr';

for (const file of DOCUMENTS)
  test(`${file} names only files that exist`, () => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const paths = [...text.matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]+)\``, 'g'))]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(ROOT, path)));
    assert.deepEqual(paths, []);
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !link.startsWith('/') && !existsSync(join(ROOT, dirname(file), link)));
    assert.deepEqual(links, []);
  });

test('every source file has a name of its own, so that a name finds one file', () => {
  const names = globSync(['*/src/**/*.{ts,js,mjs}', 'dev/*/src/**/*.{ts,js,mjs}'], { cwd: ROOT })
    .filter((file) => !/\/(?:index|main)\.[a-z]+$/.test(file))
    .map((file) => file.split('/').at(-1) ?? file);
  assert.ok(names.length > 300, String(names.length));
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});
