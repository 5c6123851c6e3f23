/** Goal: a tool without broker URLs uses the broker of the native stack. Method: a file as the stack writes it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { useNativeBroker } from '@fit/contract';

const URLS = {
  AMQP_URL: 'amqp://fit:secret@127.0.0.1:1',
  AMQP_MANAGEMENT_URL: 'http://fit:secret@127.0.0.1:2',
};
const TEXT = `# a comment
export AMQP_URL=${URLS.AMQP_URL}
export AMQP_MANAGEMENT_URL=${URLS.AMQP_MANAGEMENT_URL}
export BROKER=fit:secret
`;
const GIVEN = 'amqp://given:5672';

test('the native broker is used where no other broker is configured', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-native-broker-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'broker.env');
  const used = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
    useNativeBroker(env, file);
    return env;
  };
  assert.deepEqual(used({}), {}, 'without a file nothing changes');
  await writeFile(file, TEXT);
  assert.deepEqual(used({}), URLS);
  assert.deepEqual(used({ AMQP_URL: '', AMQP_MANAGEMENT_URL: '' }), URLS);
  assert.deepEqual(used({ AMQP_URL: GIVEN }), { AMQP_URL: GIVEN });
  const other = { AMQP_MANAGEMENT_URL: 'http://given:15672' };
  assert.deepEqual(used({ ...other }), { ...URLS, ...other });
  await writeFile(file, 'nothing of the kind');
  assert.deepEqual(used({}), {});
});
