/**
 * Goal: what the site and the READMEs of the packages show compiles, runs, and prints what they say. Method: their own
 * blocks, compiled against the sources and run against the broker of the tests.
 */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { testBroker } from '@fit/stack/testing';
import { type PageProgram, pagePrograms, shellSteps } from '../src/codeBlocks.ts';
import { compilePrograms } from '../src/compilePrograms.ts';
import { expandPage } from '../src/expandPage.ts';
import { failureModelRows, missingEvidence } from '../src/failureModel.ts';
import { deadLinks } from '../src/pageLinks.ts';
import { Reader } from '../src/reader.ts';
import { BUILD, REPOSITORY, readPages, readRepositoryFile } from '../src/repository.ts';

const PAGES = readPages();
const READMES = ['topology/README.md', 'topology-cli/README.md', 'jobs/README.md'];

const FAULTS = `# Title

<!-- ts
declare function send(to: string): Promise<void>;
-->
\`\`\`ts
await send('ann');
\`\`\`

\`\`\`ts continues
await send(7);
\`\`\`

\`\`\`ts [mail.ts]
export const exchange: string = 'mail';
\`\`\`

\`\`\`ts
import { exchange } from './mail.ts';
import { defineTopology } from '@fit/topology';
defineTopology({ exchange, messages: {}, queues: {}, retries: 3 });
const never: string = nowhere;
\`\`\`
`;

const programs: readonly PageProgram[] = [
  ...[...PAGES].flatMap(([page, text]) => pagePrograms(`site/pages/${page}`, text)),
  ...READMES.flatMap((file) => pagePrograms(file, readRepositoryFile(file) ?? '')),
];
/** Compiled with the pages, because one compilation takes as long as two. */
const errors = compilePrograms([...programs, ...pagePrograms('faults.md', FAULTS)]);
const isOfFaults = (error: string) => error.startsWith('faults.md:');

test('every block of the pages and of the READMEs compiles', () => {
  assert.ok(programs.length > 10, `${programs.length} blocks`);
  assert.deepEqual(
    errors.filter((error) => !isOfFaults(error)),
    [],
  );
});

test('a block that does not compile is named with its line; hidden declarations, continued blocks and named files are known', () => {
  const [first, second, third, ...others] = errors.filter(isOfFaults);
  assert.match(first!, /^faults\.md:11: Argument of type 'number' is not assignable/);
  assert.match(second!, /^faults\.md:21: .*retries/);
  assert.match(third!, /^faults\.md:22: Cannot find name 'nowhere'/);
  assert.deepEqual(others, []);
});

test('no link is dead', () => {
  assert.deepEqual(deadLinks(PAGES), []);
});

test('everything that a page includes exists', () => {
  const charts = new Map(['retries', 'everything'].map((name) => [name, '<svg/>'] as const));
  for (const [page, text] of PAGES) expandPage(page, text, { read: readRepositoryFile, charts });
});

test('each row of the failure model has a proof or a test that exists', () => {
  const page = 'failure-model.md';
  const rows = failureModelRows(PAGES.get(page) ?? '');
  assert.ok(rows.length > 20, `${rows.length} rows`);
  const proofs = globSync('topology/test/proof/*.test.ts', { cwd: REPOSITORY })
    .map((file) => readRepositoryFile(file))
    .join('\n');
  const provedCodes = new Set(
    [...proofs.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, code]) => code!),
  );
  assert.deepEqual(missingEvidence(page, rows, { provedCodes, read: readRepositoryFile }), []);
});

for (const program of programs.filter(({ isRun }) => isRun))
  test(`${program.page}:${program.line} runs to its end`, async (t) => {
    const reader = new Reader(t, await testBroker(t), { folder: join(REPOSITORY, 'site') });
    const { code, output } = await reader.runCode(program.code);
    assert.equal(code, 0, `${program.page}:${program.line}: exit code ${code}\n${output}`);
  });

for (const [page, text] of PAGES) {
  const steps = shellSteps(text);
  if (steps.length > 0)
    test(`${page}: a reader who does each step sees what the page says`, async (t) => {
      const folder = join(BUILD, 'reader', page);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      const reader = new Reader(t, await testBroker(t), { folder });
      for (const { fileName, code } of pagePrograms(page, text))
        if (fileName !== undefined) await reader.save(fileName, code);
      for (const step of steps) await reader.perform(`${page}:${step.line}`, step);
      await reader.finish();
    });
}
