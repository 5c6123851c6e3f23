/** Goal: what is wrong with a page is an error that names page and line. Method: pages with one fault each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrinted, pagePrograms, shellSteps } from '../src/codeBlocks.ts';
import { expandPage } from '../src/expandPage.ts';
import { failureModelRows, missingEvidence } from '../src/failureModel.ts';
import { deadLinks } from '../src/pageLinks.ts';

test('a block that is not closed, one that continues nothing, and a file with two texts are refused with their line', () => {
  assert.throws(
    () => pagePrograms('page.md', 'text\n```ts\nlet a;\n'),
    /line 2: this block is not/,
  );
  assert.throws(() => pagePrograms('page.md', '```ts continues\n```\n'), /page\.md:2: there is no/);
  const twice = '```ts [a.ts]\nlet a;\n```\n'.repeat(2);
  assert.throws(
    () => pagePrograms('page.md', twice),
    /page\.md:5: there is another block \[a\.ts\]/,
  );
});

test('steps of the shell: commands, and what the page says that they print', () => {
  const page =
    '```sh run background\n# a comment\nnode a.ts\n```\n```text output\nid … of 3\n```\n```sh\nrm\n```\n';
  assert.deepEqual(shellSteps(page), [
    { line: 2, commands: ['node a.ts'], isBackground: true, printed: ['id … of 3'] },
  ]);
  assert.ok(isPrinted('first\n  id  a-7   of 3\n', 'id … of 3'));
  assert.ok(!isPrinted('id a-7 of 4', 'id … of 3'));
});

test('a link to no page and to no heading is found; one in a block or to the reference is not a link', () => {
  const pages = new Map([
    [
      'a.md',
      '[ok](./b.md#a-title) [no](./c.md)\n[no](./b.md#other) [api](/api/)\n```md\n[x](./d.md)\n```\n',
    ],
    ['b.md', '## A `title`!\n[own](#a-title) [out](https://example.com)\n'],
  ]);
  assert.deepEqual(deadLinks(pages), [
    'a.md:1: there is no page c.md',
    'a.md:2: b.md has no heading #other',
  ]);
});

test('a row of the failure model without a proof or test that exists is found', () => {
  const page = [
    '| guaranteed | shown by |',
    '|---|---|',
    '| one | proof `A_B`<br>test `x.test.ts`: it holds |',
    '| two | |',
    '| three | proof `C_D` |',
    '| four | test `x.test.ts`: it breaks |',
    '| five | test `y.test.ts`: it holds |',
    '| six | our word |',
  ].join('\n');
  const missing = missingEvidence('page.md', failureModelRows(page), {
    provedCodes: new Set(['A_B']),
    read: (file) => (file === 'x.test.ts' ? "test('it holds', () => {" : undefined),
  });
  assert.deepEqual(
    missing.map((line) => line.slice(0, 16)),
    [
      'page.md:4: "two"',
      'page.md:5: "thre',
      'page.md:6: "four',
      'page.md:7: "five',
      'page.md:8: "six"',
    ],
  );
});

test('a page includes files and sections; a part that does not exist is refused with its line', () => {
  const files = new Map([
    ['a.ts', 'let a;\n'],
    ['b.md', '# B\n\n## One\nfirst [a](../a.ts)\n### Two\n[b](https://b)\n## Three\nthird\n'],
  ]);
  const parts = { read: (path: string) => files.get(path), charts: new Map([['c', '<svg/>']]) };
  const expand = (text: string) => expandPage('page.md', text, parts);
  assert.equal(expand('<!-- include: a.ts -->'), '```ts [a.ts]\nlet a;\n```');
  assert.equal(expand('<!-- include: b.md#One -->'), 'first a\n### Two\n[b](https://b)');
  assert.equal(expand('<!-- include: b.md until Two -->'), '## One\nfirst a');
  assert.throws(
    () => expand('<!-- include: b.md until Four -->'),
    /page\.md:1: there is no include/,
  );
  assert.equal(expand('x\n<!-- chart: c -->'), 'x\n<svg/>');
  assert.throws(
    () => expand('\n<!-- include: c.ts -->'),
    /page\.md:2: there is no include 'c\.ts'/,
  );
});
