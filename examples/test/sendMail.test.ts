/** Goal: another system needs nothing but this library. Method: the example of its folder, run as its own process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import { Inspector } from '@fit/topology/amqp';

const EXAMPLE = join(import.meta.dirname, '../send-mail/sendMail.ts');

test('sends mail: one at once, one at its third attempt, one into the dead-letter queue', async (t) => {
  const { amqpUrl, managementUrl } = await testBroker(t);
  const env = { ...process.env, AMQP_URL: amqpUrl, AMQP_MANAGEMENT_URL: managementUrl };
  const example = spawn(process.execPath, [EXAMPLE], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const inspector = await Inspector.open({ url: amqpUrl, label: 'example test' });
  t.after(async () => {
    example.kill('SIGKILL');
    await inspector.close();
  });
  let printed = '';
  example.stdout.on('data', (text: Buffer) => (printed += text.toString()));
  const expected = [
    ...['to ann confirmed', 'to busy bob confirmed', 'to nobody confirmed'],
    ...['attempt 1 to ann', 'attempt 1 to nobody'],
    ...['attempt 1 to busy bob', 'attempt 2 to busy bob', 'attempt 3 to busy bob'],
  ];
  await eventually(() => expected.every((line) => printed.includes(`${line}\n`)), {
    describe: () => printed,
  });
  await eventually(async () => (await inspector.depthOf('outbox.dead')).readyCount === 1, {
    describe: () => printed,
  });
  assert.equal(printed.trim().split('\n').length, expected.length, printed);
});

test('it is short and imports nothing but the topology library', async () => {
  const source = await readFile(EXAMPLE, 'utf8');
  const lines = source.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('/**'));
  assert.ok(lines.length <= 32, `${lines.length} lines`);
  const imported = [...source.matchAll(/ from '([^']+)'/g)].map(([, name]) => name);
  for (const name of imported) assert.match(name!, /^@fit\/topology(?:\/|$)/);
});
