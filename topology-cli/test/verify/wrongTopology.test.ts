/** Goal: verify finds a broker that behaves otherwise. Method: one binding removed or added after the topology is asserted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTopologyAdmin } from '@fit/topology/amqp';
import type { LiveBinding } from '@fit/topology/management';
import { ASSIGNMENT, DEFAULT } from '../../../topology/test/support/declarations.ts';
import { TestTopology } from '../../../topology/test/support/testTopology.ts';
import type { Scenario } from '../../src/verify/scaleDeclaration.ts';
import type { AssertedScenario } from '../../src/verify/verificationRound.ts';
import { waitUntilIdle } from '../../src/verify/verificationRound.ts';
import { differencesOf, runVerify, SHORT_TOLERANCE_MS as toleranceMs } from './runVerification.ts';

const QUEUE = 'createWodQueue';

const binding = (source: string, key: string, destination: string): LiveBinding => ({
  source,
  key,
  destination,
  destinationType: 'queue',
  arguments: {},
});

const change = (how: 'bind' | 'unbind', one: LiveBinding) => async (asserted: AssertedScenario) => {
  const admin = await openTopologyAdmin(asserted.amqpUrl);
  await admin[how](one);
  await admin.close();
};

test('a lost return binding: every path over that tier is reported, and no other', async () => {
  const lost = binding(`${QUEUE}.return`, `${QUEUE}.r2`, QUEUE);
  const report = await runVerify(DEFAULT, { toleranceMs, onAsserted: change('unbind', lost) });
  assert.equal(report.isAsPlanned, false);
  const extra = `dead letter: unknown in ${QUEUE}.dead, is one too many`;
  assert.deepEqual(differencesOf(report), [
    `rejected twice, then done: delivery 3: did not come; ${extra}`,
    `rejected 3 times, then done: delivery 3: did not come; delivery 4: did not come; ${extra}`,
    'rejected each time: delivery 3: did not come; delivery 4: did not come; dead letter: cause unknown instead of exhausted',
  ]);
});

test('an extra binding that copies rejected messages: the copy is one dead letter too many', async () => {
  const extra = binding(`${QUEUE}.retry`, 'job.createWod', `${QUEUE}.dead`);
  const report = await runVerify(DEFAULT, { toleranceMs, onAsserted: change('bind', extra) });
  const once = differencesOf(report).find((text) => text.startsWith('rejected once'));
  assert.match(once ?? '', /dead letter: .* in createWodQueue\.dead, is one too many/);
});

test('an extra binding that returns dead letters: the delivery is one too many', async () => {
  const extra = binding(`${QUEUE}.retry`, `${QUEUE}.r3`, `${QUEUE}.wait.1.50ms`);
  const report = await runVerify(DEFAULT, { toleranceMs, onAsserted: change('bind', extra) });
  assert.deepEqual(
    differencesOf(report).filter((text) => !text.startsWith('rejected each time')),
    [],
  );
  assert.match(differencesOf(report).join(), /delivery 5: from createWodQueue, is one too many/);
});

test('a wildcard at the public exchange: an undeclared key is accepted', async () => {
  const extra = binding('jobs', 'job.#', QUEUE);
  const report = await runVerify(DEFAULT, { toleranceMs, onAsserted: change('bind', extra) });
  const [first = '', ...others] = differencesOf(report);
  assert.match(first, /^undeclared public key: publish: answer confirmed instead of returned/);
  assert.deepEqual(others, []);
});

test('a death reason that is not bound: crash, expiry, overflow, each found by its own probe', async () => {
  const paths = { delivery_limit: 'crash loop', expired: 'expires in main', maxlen: 'overflow' };
  const runs = Object.entries(paths).map(async ([reason, path]) => {
    const report = await runVerify(ASSIGNMENT, {
      toleranceMs,
      onAsserted: (scenario) => loseReason(scenario, reason),
    });
    const [first = '', ...others] = differencesOf(report);
    assert.ok(first.startsWith(path), `${reason}: ${first}`);
    assert.match(first, /dead letter: did not come/);
    assert.deepEqual(others, []);
  });
  await Promise.all(runs);
});

async function loseReason(asserted: AssertedScenario, reason: string): Promise<void> {
  const lost = asserted.plan.bindings.find((one) => Object.values(one.arguments).includes(reason))!;
  const one = binding(lost.exchange, lost.key, lost.queue);
  await change('unbind', { ...one, arguments: lost.arguments })(asserted);
}

test('a message that no path accounts for is reported as left; messages that fill a queue are not', async (t) => {
  const testTopology = await TestTopology.open(t);
  await (await testTopology.publisher()).publish(testTopology.message('foreign'));
  const { amqpUrl, plan } = testTopology;
  const left = (scenario: Scenario) =>
    waitUntilIdle(amqpUrl, scenario, plan, () => Promise.resolve());
  assert.deepEqual(await left('handled'), [{ scenario: 'handled', queue: 'one', messageCount: 1 }]);
  assert.deepEqual(await left('overflow'), []);
});
