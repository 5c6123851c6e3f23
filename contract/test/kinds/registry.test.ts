/** Goal: each registered kind is one that the topology, the API and the coach can work with. Method: no I/O; handlers run as the coach runs them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findKind, fitTopology, JOB_KINDS, type ResultKind } from '@fit/contract';
import { compilePayload } from '@fit/jobs';
import { planTopology, provePlan } from '@fit/topology';

async function run(name: string, payload: unknown): Promise<unknown> {
  const kind = findKind(name);
  assert.ok(kind?.result !== undefined, name);
  const check = compilePayload(kind.payload);
  if (!check.accepts(payload)) return check.fault(payload);
  const handler = await kind.handler();
  const result = await handler(payload, { attempt: 1, signal: new AbortController().signal });
  assert.ok(compilePayload(kind.result).accepts(result));
  return result;
}

test('each kind has a queue of its own, and its payload refuses unknown fields', () => {
  const { kinds } = fitTopology({ profile: 'default' });
  assert.deepEqual(
    kinds.map(({ kind, queue }) => [kind, queue]),
    JOB_KINDS.map(({ name }) => [name, `${name}Queue`]),
  );
  for (const { name, payload } of JOB_KINDS) {
    assert.doesNotMatch(name, /:/);
    assert.equal(compilePayload(payload).accepts({ unknown: 1 }), false, name);
  }
});

test('settings of createWod and the assignment change its queue alone', () => {
  const options = { profile: 'assignment', maxLength: 7 } as const;
  const [wod, ...others] = fitTopology(options).kinds;
  assert.deepEqual([wod?.maxLength, wod?.messageTtlMs, wod?.dropsHead], [7, 60_000, true]);
  for (const { maxLength, messageTtlMs, dropsHead } of others)
    assert.deepEqual([maxLength, messageTtlMs, dropsHead], [10_000, undefined, false]);
});

test('a broker without priorities is named before anything is declared', () => {
  const declaration = fitTopology({ profile: 'default' });
  const prove = (version: string) => {
    provePlan(declaration, planTopology(declaration, { version, hasManagement: true }));
  };
  assert.throws(() => {
    prove('3.10.8');
  }, /createWodQueue: quorum queues of RabbitMQ 3.10.8 have no priorities; use 4.0 or newer/);
  for (const version of ['4.0.5', '4.3.6']) prove(version);
});

test('text kinds', async () => {
  assert.equal(await run('reverse_string', { text: 'hello' }), 'olleh');
  // A combining accent, and a family that is one grapheme of seven code points.
  assert.equal(await run('reverse_string', { text: 'e\u0301a👨‍👩‍👧' }), '👨‍👩‍👧ae\u0301');
  assert.equal(await run('uppercase_text', { text: 'straße' }), 'STRASSE');
  assert.equal(await run('uppercase_text', { text: 1 }), '/text: must be string');
});

test('Fibonacci numbers are exact up to the 90th, and a larger one is refused', async () => {
  assert.equal(await run('fibonacci_calc', { n: 0 }), '0');
  assert.equal(await run('fibonacci_calc', { n: 90 }), '2880067194370816120');
  assert.match(String(await run('fibonacci_calc', { n: 91 })), /^\/n: must be <= 90/);
  assert.match(String(await run('fibonacci_calc', { n: 1.5 })), /^\/n: /);
});

test('the kind of docs/add-a-kind.md works as it stands there', async (t) => {
  const folder = join(import.meta.dirname, '../../src/kinds');
  const page = await readFile(join(folder, '../../../docs/add-a-kind.md'), 'utf8');
  const code = /```ts\n(.*?)\n *```/s.exec(page)?.[1]?.replaceAll(/^ {3}/gm, '') ?? '';
  // Outside of the sources, which other tests list and import while this one runs.
  const file = join(import.meta.dirname, `countWords.${randomUUID()}.ts`);
  t.after(() => rm(file, { force: true }));
  await writeFile(file, code.replace("'./jobKind.ts'", "'../../src/kinds/jobKind.ts'"));
  const { countWords } = (await import(file)) as { countWords: ResultKind };
  assert.ok(!compilePayload(countWords.payload).accepts({ text: 1 }));
  const handler = await countWords.handler();
  const result = await handler(
    { text: ' to be or  not ' },
    { attempt: 1, signal: new AbortController().signal },
  );
  assert.equal(result, 4);
  assert.ok(compilePayload(countWords.result).accepts(result));
  assert.deepEqual(countWords.policy, { deadline: '5s' });
});
