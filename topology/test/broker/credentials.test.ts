/**
 * Goal: any user name and password that a broker accepts works in an AMQP URL, percent-encoded as in every other URL.
 * Method: a user made through the management API of a real broker, and every kind of connection to it.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { askManagement, testBroker } from '@fit/stack/testing';
import {
  openDeadLetterPublisher,
  openDeadLetterReader,
  openTopologyAdmin,
} from '@fit/topology/amqp';
import { openSession } from '../../src/amqp/index.ts';
import { modelOf } from '../../src/amqp/openConnection.ts';
import { ManagementApi } from '../../src/management/managementApi.ts';

const LOGINS: readonly (readonly [name: string, userStart: string, password: string])[] = [
  ['a password of deadLetters outside ASCII', 'user', 'pässwörd✓'],
  ['a user of deadLetters outside ASCII', 'müller', 'password'],
  ['a password of characters that mean something in a URL', 'user', 'a:b@c/d?e#f%g h+i&j=k[l]'],
  ['a password that looks like an escape', 'user', 'literally%C3%A4'],
  ['a password with a character beyond the basic plane', 'user', '𝄞-clef'],
];

for (const [name, userStart, password] of LOGINS)
  test(`${name} opens every kind of connection`, async (t) => {
    const broker = await testBroker(t);
    const user = `${userStart}-${randomUUID()}`;
    const userPath = encodeURIComponent(user);
    await askManagement({
      method: 'PUT',
      path: `/api/users/${userPath}`,
      body: { password, tags: 'policymaker' },
    });
    t.after(() => askManagement({ method: 'DELETE', path: `/api/users/${userPath}` }));
    await askManagement({
      method: 'PUT',
      path: `/api/permissions/${broker.vhost}/${userPath}`,
      body: { configure: '.*', write: '.*', read: '.*' },
    });
    const amqpUrl = withCredentials(broker.amqpUrl, user, password);
    const managementUrl = withCredentials(broker.managementUrl, user, password);

    // First those that try once: what they refuse would be tried again for ever by the session.
    await (await openDeadLetterPublisher(amqpUrl)).close();
    await (await openTopologyAdmin(amqpUrl)).close();
    const session = await openSession({
      url: amqpUrl,
      label: 'credentials test',
      setup: async (connection) => {
        const channel = await modelOf(connection).createChannel();
        await channel.assertQueue('deadLetters', { durable: true });
        await channel.close();
      },
    });
    await session.close();
    await (await openDeadLetterReader(amqpUrl, 'deadLetters')).close();
    assert.match(await new ManagementApi(managementUrl, broker.vhost).version(), /^\d+\./);
  });

function withCredentials(url: string, user: string, password: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}${pathname}`;
}
