/** Goal: what cannot be told to anybody is said at once, by the names of the variables. Method: environments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReceivers } from '../../src/index.ts';

const REFUSED: readonly (readonly [environment: Record<string, string>, told: RegExp])[] = [
  [{ ALERT_PAGE_URL: 'page.example.org' }, /ALERT_PAGE_URL must be a URL that begins with http/],
  [
    { ALERT_DEAD_MAN_URL: 'ftp://watch/' },
    /ALERT_DEAD_MAN_URL must be a URL that begins with http/,
  ],
  [{ ALERT_PAGE_EMAIL: 'me@example.org' }, /needs ALERT_SMTP_HOST and ALERT_SMTP_FROM/],
  [{ ALERT_SMTP_HOST: 'mail.example.org' }, /ALERT_SMTP_HOST='mail.example.org' is not host:port/],
  [{ ALERT_TICKET_SLACK_CHANNEL: '#fit' }, /a Slack channel needs ALERT_SLACK_URL_FILE/],
];

for (const [environment, told] of REFUSED)
  test(`refused: ${JSON.stringify(environment)}`, () => {
    assert.throws(() => readReceivers(environment), { name: 'ReceiverError', message: told });
  });

test('all faults are told together', () => {
  const environment = Object.assign({}, ...REFUSED.map(([one]) => one)) as Record<string, string>;
  assert.throws(
    () => readReceivers(environment),
    ({ message }: Error) => REFUSED.every(([, told]) => told.test(message)),
  );
});

test('a mistyped webhook is not shown, since its address may be the secret', () => {
  assert.throws(
    () => readReceivers({ ALERT_PAGE_URL: 'htps://hooks.example.org/T0/secret' }),
    ({ message }: Error) => message.startsWith('ALERT_PAGE_URL ') && !message.includes('secret'),
  );
});

test('an empty variable is an absent one, as compose passes what nobody set', () => {
  assert.equal(readReceivers({ ALERT_PAGE_URL: '' }).page?.webhookUrl, undefined);
});
