/** Goal: the rules state what was declared. Method: both profiles by example, any declaration by property. */
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
  listRules,
  PRODUCTION_WINDOWS,
  type RecordingRule,
  RULE_GROUP,
  type Rule,
  renderRules,
  SHORT_WINDOWS,
  type Windows,
} from '../../src/index.ts';

const planOf = (declaration: Declaration): TopologyPlan =>
  planTopology(declaration, { version: '4.3.6', hasManagement: true });

const fitPlan = (profile: Profile): TopologyPlan => planOf(fitTopology({ profile }));

const wodPlan = (profile: Profile): TopologyPlan => {
  const declaration = fitTopology({ profile });
  return planOf({ ...declaration, kinds: [declaration.kind.createWod] });
};

/** @returns 'queue value' for each rule of that record, such as 'createWodQueue vector(100)'. */
function constants(plan: TopologyPlan, record: string): string[] {
  return listRules(plan)
    .filter((rule): rule is RecordingRule => 'record' in rule && rule.record === record)
    .map(({ labels, expr }) => `${labels?.['vhost'] ?? ''}${labels?.['queue'] ?? ''} ${expr}`);
}

test('both profiles have their limit and times to live', () => {
  const waits = [
    '/createWodQueue.wait.1.5s vector(5)',
    '/createWodQueue.wait.2.30s vector(30)',
    '/createWodQueue.wait.3.2m vector(120)',
  ];
  const [ofWods, ...ofOthers] = constants(fitPlan('default'), 'queue:max_length');
  assert.equal(ofWods, '/createWodQueue vector(10000)');
  assert.equal(ofOthers.length, 3);
  assert.deepEqual(constants(wodPlan('default'), 'queue:ttl_seconds'), waits);
  assert.deepEqual(constants(wodPlan('assignment'), 'queue:max_length'), [
    '/createWodQueue vector(100)',
  ]);
  assert.deepEqual(constants(wodPlan('assignment'), 'queue:ttl_seconds'), [
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
        constants(plan, 'queue:max_length'),
        generated.map(({ name, maxLength }) => `/${name}Queue vector(${maxLength})`),
      );
      assert.equal(constants(plan, 'queue:info').length, plan.queues.length);
    }),
  );
});

test('all rules are in one group, since Prometheus promises no order across groups', () => {
  const document = parse(renderRules(fitPlan('default'))) as {
    groups: { name: string; interval: string; rules: unknown[] }[];
  };
  assert.deepEqual(
    document.groups.map(({ name, interval }) => ({ name, interval })),
    [{ name: RULE_GROUP, interval: '5s' }],
  );
  assert.deepEqual(document.groups[0]?.rules, listRules(fitPlan('default')));
});

test('each alert has a severity, a summary, a description and a remedy', () => {
  for (const rule of listRules(fitPlan('default'))) {
    if (!('alert' in rule)) continue;
    const { summary, description, remedy } = rule.annotations;
    for (const text of [summary, description, remedy]) assert.ok(text.length > 10, rule.alert);
    assert.match(rule.labels.severity, /^(critical|warning|none)$/);
  }
});

test('the short windows change spans and bounds of the rules, and nothing else', () => {
  const plan = fitPlan('default');
  const rules = (windows: Windows) => listRules(plan, { windows });
  const [production, short] = [rules(PRODUCTION_WINDOWS), rules(SHORT_WINDOWS)];
  const named = (alert: string, all: readonly Rule[]) =>
    all.find((rule) => 'alert' in rule && rule.alert === alert);
  assert.match(named('OutboxStalled', production)?.expr ?? '', /age_seconds\) > 60\n.*\[2m\]/);
  assert.match(named('OutboxStalled', short)?.expr ?? '', /age_seconds\) > 10\n.*\[20s\]/);
  assert.match(named('StoreDown', short)?.expr ?? '', /records_age_seconds\) > 30$/);
  const withoutSpans = (rule: Rule) =>
    JSON.stringify({ ...rule, for: '', keep_firing_for: '' })
      .replaceAll(/\[\w+\]/g, '[]')
      .replaceAll(/> (?:60|10|1800)\b/g, '>');
  assert.deepEqual(short.map(withoutSpans), production.map(withoutSpans));
  for (const [name, span] of Object.entries(SHORT_WINDOWS.lookback))
    assert.ok(Number(span.replace('s', '')) >= 20, `${name} is shorter than four scrapes`);
});

test('every recording about a declared queue has the given virtual host', () => {
  const plan = fitPlan('default');
  for (const rule of listRules(plan, { vhost: 'test' }))
    if ('record' in rule && rule.record.startsWith('queue:') && rule.labels !== undefined)
      assert.equal(rule.labels['vhost'], 'test');
});
