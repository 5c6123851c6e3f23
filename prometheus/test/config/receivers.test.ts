/** Goal: receivers that cannot work are refused by the names of the variables. Method: environments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReceivers } from '../../src/index.ts';

const REFUSED: readonly (readonly [environment: Record<string, string>, finding: RegExp])[] = [
  [
    { ALERT_CRITICAL_URL: 'critical.example.org' },
    /ALERT_CRITICAL_URL must be a URL that begins with http/,
  ],
  [
    { ALERT_WATCHDOG_URL: 'ftp://watch/' },
    /ALERT_WATCHDOG_URL must be a URL that begins with http/,
  ],
  [{ ALERT_CRITICAL_EMAIL: 'me@example.org' }, /needs ALERT_SMTP_HOST and ALERT_SMTP_FROM/],
  [{ ALERT_SMTP_HOST: 'mail.example.org' }, /ALERT_SMTP_HOST='mail.example.org' is not host:port/],
  [{ ALERT_WARNING_SLACK_CHANNEL: '#fit' }, /a Slack channel needs ALERT_SLACK_URL_FILE/],
];

for (const [environment, finding] of REFUSED)
  test(`refused: ${JSON.stringify(environment)}`, () => {
    assert.throws(() => readReceivers(environment), { name: 'ReceiverError', message: finding });
  });

test('all findings are reported together', () => {
  const environment = Object.assign({}, ...REFUSED.map(([one]) => one)) as Record<string, string>;
  assert.throws(
    () => readReceivers(environment),
    ({ message }: Error) => REFUSED.every(([, finding]) => finding.test(message)),
  );
});

test('a wrong webhook address is not shown, since it may be a secret', () => {
  assert.throws(
    () => readReceivers({ ALERT_CRITICAL_URL: 'htps://hooks.example.org/T0/secret' }),
    ({ message }: Error) =>
      message.startsWith('ALERT_CRITICAL_URL ') && !message.includes('secret'),
  );
});

test('an empty variable counts as not set', () => {
  assert.equal(readReceivers({ ALERT_CRITICAL_URL: '' }).critical?.webhookUrl, undefined);
});
