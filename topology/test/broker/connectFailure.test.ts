/** Goal: the error of a refused connection names the remedy. Method: wrong passwords and names on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManagementApi } from '@fit/topology/management';
import {
  openDeadLetterPublisher,
  openDeadLetterReader,
  openTopologyAdmin,
} from '../../src/amqp/index.ts';
import { TopologyError } from '../../src/errors.ts';

function given(name: string): URL {
  return new URL(process.env[name] ?? '');
}

/** @returns the URL of the broker under test, changed. */
function amqpUrl(
  change: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port'>>,
): string {
  return Object.assign(given('FIT_TEST_AMQP_URL'), change).href;
}

const CASES = [
  [
    { username: 'guest', password: 'wrong-secret' },
    'BROKER_REFUSED',
    /LOGIN_REFUSED .*user 'guest'/,
  ],
  [{ pathname: '/nowhere' }, 'BROKER_REFUSED', /VHOST_MISSING .*'nowhere' does not exist/],
  [{ port: '1' }, 'BROKER_UNREACHABLE', /AMQP_UNREACHABLE .*ECONNREFUSED/],
] as const;

for (const [change, code, message] of CASES)
  test(`${JSON.stringify(change)}: ${code}`, async () => {
    const url = amqpUrl(change);
    for (const open of [
      () => openTopologyAdmin(url),
      () => openDeadLetterReader(url, 'any'),
      () => openDeadLetterPublisher(url),
    ])
      await assert.rejects(open, (error: unknown) => {
        assert.ok(error instanceof TopologyError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /wrong-secret/);
        return true;
      });
  });

test('a management API that refuses the password does not advise a tag', async () => {
  const url = Object.assign(given('FIT_TEST_MANAGEMENT_URL'), {
    username: 'guest',
    password: 'wrong-secret',
  });
  await assert.rejects(new ManagementApi(url.href, '/').version(), (error: Error) => {
    assert.match(
      error.message,
      /MANAGEMENT_REFUSED .*refuses user 'guest' .*: check name and password/,
    );
    assert.doesNotMatch(error.message, /tag|wrong-secret/);
    return true;
  });
});
