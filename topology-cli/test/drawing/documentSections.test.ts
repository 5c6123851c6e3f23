/** Goal: marked sections of a document are generated from the plan, wrong markers are refused. Method: small documents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTopology } from '@fit/topology';
import fc from 'fast-check';
import {
  DEFAULT,
  randomBroker,
  randomDeclaration,
} from '../../../topology/test/support/declarations.ts';
import { renderSections, SECTIONS } from '../../src/drawing/documentSections.ts';
import { mermaidChart } from '../../src/drawing/mermaidChart.ts';
import { topologyGraph } from '../../src/drawing/topologyGraph.ts';

const PLAN = planTopology(DEFAULT, { version: '4.3.6', hasManagement: true });
const section = (name: string, body = '') =>
  `<!-- topology:${name} -->\n${body}\n<!-- /topology:${name} -->`;

test('each section is generated, the rest is unchanged, and a second run changes nothing', () => {
  for (const name of SECTIONS) {
    const document = `before\n${section(name, 'stale')}\nafter`;
    const rendered = renderSections(document, PLAN);
    assert.ok(rendered.startsWith('before\n<!-- topology:') && rendered.endsWith('\nafter'), name);
    assert.ok(rendered.includes('createWodQueue') && !rendered.includes('stale'), name);
    assert.equal(renderSections(rendered, PLAN), rendered, name);
  }
});

test('a document without a section, with an unknown one or an open one is refused', () => {
  assert.throws(() => renderSections('nothing', PLAN), /no line is a marker/);
  assert.throws(() => renderSections(section('weather'), PLAN), /'weather' is none of/);
  assert.throws(() => renderSections('<!-- topology:tiers -->', PLAN), /line 1: .* not closed/);
});

test('property: charts name every queue and exchange, and every edge connects two nodes', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      const graph = topologyGraph(plan);
      const ids = new Set(graph.nodes.map(({ id }) => id));
      assert.equal(ids.size, graph.nodes.length);
      for (const { from, to } of graph.edges) assert.ok(ids.has(from) && ids.has(to));
      const chart = mermaidChart(graph);
      for (const { name } of [...plan.queues, ...plan.exchanges]) assert.ok(chart.includes(name));
    }),
    { numRuns: 30 },
  );
});
