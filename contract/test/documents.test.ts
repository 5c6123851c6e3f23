/** Goal: the documents say what is declared. Method: every generated section is made anew, and compared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { planTopology } from '@fit/topology';
import { firstDifference, renderSections } from '@fit/topology-cli/drawing';
import declared from '../src/declared.ts';

const ROOT = join(import.meta.dirname, '../..');
const PLAN = planTopology(declared, { version: '4.3.6', hasManagement: true });
const REMEDY = 'npm run topology -- docs --file README.md --file ARCHITECTURE.md';

for (const [file, sections] of [
  ['README.md', ['diagram', 'tiers']],
  ['ARCHITECTURE.md', ['exchanges', 'queues']],
] as const)
  test(`${file} has its sections as declared (else: ${REMEDY})`, async () => {
    const document = await readFile(join(ROOT, file), 'utf8');
    for (const section of sections)
      assert.ok(document.includes(`<!-- topology:${section} -->`), `${section} is missing`);
    assert.equal(firstDifference(document, renderSections(document, PLAN)), undefined);
  });

test('a changed line is found, and mended by rendering', async () => {
  const document = await readFile(join(ROOT, 'README.md'), 'utf8');
  const stale = document.replace('waits 30s', 'waits 31s');
  assert.notEqual(stale, document);
  assert.match(firstDifference(stale, renderSections(stale, PLAN))?.actual ?? '', /31s/);
  assert.equal(renderSections(stale, PLAN), document);
});
