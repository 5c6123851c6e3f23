/** Goal: what was declared is what the rules say. Method: both profiles by hand, any declaration by property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTopology, type Profile } from '@fit/contract';
import {
  type Declaration,
  declareTopology,
  type KindOptions,
  planTopology,
  type TopologyPlan,
} from '@fit/topology';
import fc from 'fast-check';
import { parse } from 'yaml';
import {
  PRODUCTION_WINDOWS,
  type RecordingRule,
  RULE_GROUP,
  renderRules,
  rulesOf,
  SHORT_WINDOWS,
  type Windows,
} from '../../src/index.ts';

const planOf = (declaration: Declaration): TopologyPlan =>
  planTopology(declaration, { version: '4.3.6', hasManagement: true });

const fitPlan = (profile: Profile): TopologyPlan => planOf(fitTopology({ profile }));

/** @returns 'queue value' for each rule of that record, such as 'createWodQueue vector(100)'. */
function facts(plan: TopologyPlan, record: string): string[] {
  return rulesOf(plan)
    .filter((rule): rule is RecordingRule => 'record' in rule && rule.record === record)
    .map(({ labels, expr }) => `${labels?.['vhost'] ?? ''}${labels?.['queue'] ?? ''} ${expr}`);
}

test('both profiles have their limit and times to live', () => {
  const waits = [
    '/createWodQueue.wait.1.5s vector(5)',
    '/createWodQueue.wait.2.30s vector(30)',
    '/createWodQueue.wait.3.2m vector(120)',
  ];
  assert.deepEqual(facts(fitPlan('default'), 'queue:max_length'), [
    '/createWodQueue vector(10000)',
  ]);
  assert.deepEqual(facts(fitPlan('default'), 'queue:ttl_seconds'), waits);
  assert.deepEqual(facts(fitPlan('assignment'), 'queue:max_length'), [
    '/createWodQueue vector(100)',
  ]);
  assert.deepEqual(facts(fitPlan('assignment'), 'queue:ttl_seconds'), [
    ...waits,
    '/createWodQueue vector(60)',
  ]);
});

const kinds = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    maxLength: fc.integer({ min: 1, max: 1e7 }),
  }),
  { minLength: 1, maxLength: 5, selector: (kind) => kind.name },
);

test('each queue of any declaration has its role, each main queue its limit, and no other queue has one', () => {
  fc.assert(
    fc.property(kinds, (generated) => {
      const entries = generated.map(({ name, maxLength }): [string, KindOptions] => [
        name,
        { key: `job.${name}`, queue: `${name}Queue`, tiers: ['5s', '30s'], maxLength },
      ]);
      const options: Record<string, KindOptions> = Object.fromEntries(entries);
      const plan = planOf(declareTopology({ exchange: 'jobs', kinds: options }));
      assert.deepEqual(
        facts(plan, 'queue:max_length'),
        generated.map(({ name, maxLength }) => `/${name}Queue vector(${maxLength})`),
      );
      assert.equal(facts(plan, 'queue:info').length, plan.queues.length);
    }),
  );
});

test('one group holds all: order across groups is not promised', () => {
  const document = parse(renderRules(fitPlan('default'))) as {
    groups: { name: string; interval: string; rules: unknown[] }[];
  };
  assert.deepEqual(
    document.groups.map(({ name, interval }) => ({ name, interval })),
    [{ name: RULE_GROUP, interval: '5s' }],
  );
  assert.deepEqual(document.groups[0]?.rules, rulesOf(fitPlan('default')));
});

test('each alert has a severity, a summary, a meaning and a remedy', () => {
  for (const rule of rulesOf(fitPlan('default'))) {
    if (!('alert' in rule)) continue;
    const { summary, description, remedy } = rule.annotations;
    for (const text of [summary, description, remedy]) assert.ok(text.length > 10, rule.alert);
    assert.match(rule.labels.severity, /^(critical|warning|info|none)$/);
  }
});

test('the short windows shorten a range, a wait and an age that may be borne, and nothing else', () => {
  const plan = fitPlan('default');
  const named = (alert: string, windows: Windows) =>
    rulesOf(plan, { windows }).find((rule) => 'alert' in rule && rule.alert === alert);
  const stale = named('OutboxStale', SHORT_WINDOWS);
  assert.match(stale?.expr ?? '', /jobs_outbox_oldest_age_seconds\) > 10\n.*_age_seconds\) < 30$/);
  assert.match(
    named('OutboxStale', PRODUCTION_WINDOWS)?.expr ?? '',
    /outbox_oldest_age_seconds\) > 60\n/,
  );
  assert.match(named('StoreDown', SHORT_WINDOWS)?.expr ?? '', /records_age_seconds\) > 30$/);
  assert.ok(stale !== undefined && 'for' in stale && stale.for === '10s');
});

test('a virtual host other than / is on every fact', () => {
  const plan = fitPlan('default');
  for (const rule of rulesOf(plan, { vhost: 'test' }))
    if ('record' in rule && rule.labels !== undefined) assert.equal(rule.labels['vhost'], 'test');
});
