/**
 * Goal: the proofs pin the plan: whatever the planner got wrong, it is refused. Method: every single value of a plan
 * changed, one at a time, and seeded faults in the planner's own source.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  type Declaration,
  declareTopology,
  planTopology,
  provePlan,
  type TopologyPlan,
} from '@fit/topology';
import fc from 'fast-check';
import {
  ASSIGNMENT,
  DEFAULT,
  DELAYED,
  FAN_OUT,
  JITTERED,
  randomBroker,
  randomDeclaration,
} from '../support/declarations.ts';

const NATIVE = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: ['5s', '10s'], backend: 'native' } },
});

function isRefused(declaration: Declaration, plan: TopologyPlan): boolean {
  try {
    provePlan(declaration, plan);
    return false;
  } catch {
    return true;
  }
}

type Tree = Readonly<Record<string, unknown>>;

/** The same tree with one leaf changed, or one member of a list taken out. */
function* changes(tree: unknown, path = ''): Generator<readonly [path: string, tree: unknown]> {
  if (Array.isArray(tree)) {
    for (const [index, member] of tree.entries()) {
      yield [`${path}[${index}] left out`, tree.toSpliced(index, 1)];
      for (const [at, changed] of changes(member, `${path}[${index}]`))
        yield [at, tree.with(index, changed)];
    }
  } else if (typeof tree === 'object' && tree !== null) {
    for (const [name, member] of Object.entries(tree as Tree))
      for (const [at, changed] of changes(member, `${path}.${name}`))
        yield [at, { ...tree, [name]: changed }];
  } else yield* changedLeaf(tree, path);
}

function* changedLeaf(leaf: unknown, path: string): Generator<readonly [string, unknown]> {
  if (typeof leaf === 'number') yield [`${path} + 1`, leaf + 1];
  if (typeof leaf === 'string') yield [`${path} changed`, `${leaf}.changed`];
}

/** Fanout ignores keys, and the broker ignores the key of a headers exchange. */
const HARMLESS = /^[.]bindings\[\d+\][.]key changed$/;

for (const [name, declaration] of Object.entries({
  DEFAULT,
  ASSIGNMENT,
  NATIVE,
  FAN_OUT,
  DELAYED,
  JITTERED,
}))
  for (const hasManagement of [true, false])
    test(`${name}, ${hasManagement ? 'with' : 'without'} management: no value can change unseen`, () => {
      const plan = planTopology(declaration, { version: '4.3.6', hasManagement });
      const { exchanges, queues, bindings, policies } = plan;
      const survivors: string[] = [];
      let count = 0;
      for (const [path, changed] of changes({ exchanges, queues, bindings, policies })) {
        const index = Number(/^[.]bindings\[(\d+)\]/.exec(path)?.[1] ?? -1);
        if (HARMLESS.test(path) && bindings[index]?.key === '') continue;
        count += 1;
        if (!isRefused(declaration, { ...plan, ...(changed as Partial<TopologyPlan>) }))
          survivors.push(path);
      }
      assert.deepEqual(survivors, []);
      assert.ok(count > 25, `only ${count} changes were tried`);
    });

test('property: no plan proves with a binding, a queue or an exchange less', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      for (const part of ['bindings', 'queues', 'exchanges'] as const)
        for (const index of plan[part].keys()) {
          const broken = { ...plan, [part]: (plan[part] as unknown[]).toSpliced(index, 1) };
          assert.ok(isRefused(declaration, broken), `${part}[${index}]`);
        }
    }),
    { numRuns: 20 },
  );
});

/** Faults that a tired programmer could make in `topology/src/plan`. */
const SEEDED: readonly (readonly [file: string, from: string, to: string])[] = [
  ['planTiers.ts', 'tierKey(kind, tier - 1)', 'tierKey(kind, tier)'],
  ['planTiers.ts', 'tierKey(kind, tiers.length)', 'tierKey(kind, tiers.length - 1)'],
  ['planTiers.ts', "'all-with-x'", "'all'"],
  ['planTiers.ts', "'x-message-ttl': ttlMs", "'x-message-ttl': ttlMs / 1000"],
  [
    'planTiers.ts',
    'const back = returnExchange(kind.queue)',
    'const back = retryExchange(kind.queue)',
  ],
  [
    'planTiers.ts',
    "'x-dead-letter-exchange': deadLetterExchange(kind.queue)",
    "'x-dead-letter-exchange': retryExchange(kind.queue)",
  ],
  [
    'planTiers.ts',
    "type: 'direct', alternate: hasPatterns ? first : park",
    "type: 'direct', alternate: hasPatterns ? first : undefined",
  ],
  ['planTiers.ts', 'hasPatterns ? first : park', 'park'],
  ['planTiers.ts', 'patternsOf(kind).map((key) =>', 'patternsOf(kind).slice(1).map((key) =>'],
  ['names.ts', '`${queue}.r0`', '`${queue}.r1`'],
  [
    'planTiers.ts',
    "type: 'topic' as const, alternate: park",
    "type: 'topic' as const, alternate: undefined",
  ],
  ['planTiers.ts', "['delivery_limit', 'expired', 'maxlen']", "['expired', 'maxlen']"],
  [
    'planTiers.ts',
    "'x-overflow': 'reject-publish',\n} as const",
    "'x-overflow': 'drop-head',\n} as const",
  ],
  ['planTiers.ts', '[reasonHeader(broker)]', "['x-first-death-reason']"],
  ['planTopology.ts', "'max-length': maxLength", "'max-length': crashLimit"],
  ['planTopology.ts', "{ 'delivery-limit': -1 }", "{ 'delivery-limit': 20 }"],
  ['planTopology.ts', '`^${queue', '`${queue'],
  ['names.ts', '`${kind.queue}.r${tier}`', '`r${tier}`'],
  ['names.ts', '`${queue}.return`', '`${queue}.retry`'],
  [
    'planNative.ts',
    "'x-dead-letter-exchange': parkExchange(kind.queue)",
    "'x-dead-letter-exchange': `${kind.queue}.retry`",
  ],
  ['planNative.ts', 'kind.tiersMs[0] ?? 0', '0'],
  ['planTiers.ts', 'next: spreadExchange(kind, tier)', 'next: back'],
  ['planTiers.ts', 'ttlMs: spreadMs(delayMs, kind.jitter, spread)', 'ttlMs: delayMs'],
  ['planTiers.ts', "{ 'x-match': 'all', [SPREAD_HEADER]: spread }", "{ 'x-match': 'all' }"],
  ['planTiers.ts', 'alternate: returnExchange(queue)', 'alternate: park'],
];

/** Several kinds, so that keys that meet are seen; one of them native, one bound by patterns. */
const MIXED = declareTopology({
  exchange: 'jobs',
  kinds: {
    one: { key: 'job.one', queue: 'one', tiers: ['5s', '10s'] },
    two: { key: 'job.two', queue: 'two', tiers: ['5s', '30s'] },
    four: { key: 'event.one', keys: ['event.*', 'fact.#'], queue: 'four', tiers: ['5s', '9s'] },
    five: { key: 'job.five', queue: 'five', tiers: ['5s', '30s'], jitter: 0.5 },
    three: { key: 'job.three', queue: 'three', tiers: ['5s', '10s'], backend: 'native' },
  },
});

test('seeded faults in the planner are caught by the proofs', async (t) => {
  const folder = await mkdtemp(join(import.meta.dirname, '../../.mutants-'));
  t.after(() => rm(folder, { recursive: true }));
  const survivors: string[] = [];
  for (const [index, [file, from, to]] of SEEDED.entries()) {
    const source = join(folder, String(index));
    await cp(join(import.meta.dirname, '../../src'), source, { recursive: true });
    const path = join(source, 'plan', file);
    const text = await readFile(path, 'utf8');
    assert.ok(text.includes(from), `${file} no longer has ${from}`);
    await writeFile(path, text.replace(from, to));
    const mutant = (await import(pathToFileURL(join(source, 'plan/planTopology.ts')).href)) as {
      planTopology: typeof planTopology;
    };
    const plan = mutant.planTopology(MIXED, { version: '4.3.6', hasManagement: true });
    if (!isRefused(MIXED, plan)) survivors.push(`${file}: ${from} → ${to}`);
  }
  assert.deepEqual(survivors, []);
});
