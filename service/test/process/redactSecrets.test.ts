/** Goal: no secret remains in a log line, and the line stays JSON. Method: lines as drivers and people write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactSecrets, secretsOf } from '../../src/process/redactSecrets.ts';

const PASSWORD = 's3cret"p\\ss/word';
const URL_PASSWORD = encodeURIComponent(PASSWORD);
const ENV = {
  FIT_CRON_SECRET: 'a-token-of-more-than-thirty-two-characters',
  AMQP_URL: `amqp://fit:${URL_PASSWORD}@broker:5672/fit`,
  MONGODB_URL: 'mongodb://u:guest@db/fit',
  AMQP_MANAGEMENT_URL: '',
  OTEL_EXPORTER_OTLP_HEADERS: 'x-scope=a%20tenant,x-api-key=key-of-the-collector%21',
};
const SECRETS = secretsOf(ENV);

const lines: readonly [name: string, text: string][] = [
  ['a URL', `cannot reach ${ENV.AMQP_URL}`],
  ['the password as it was typed', `ACCESS_REFUSED for fit:${PASSWORD}`],
  ['the password as the URL has it', `bad password ${URL_PASSWORD}`],
  ['the token', `got ${ENV.FIT_CRON_SECRET}`],
  ['the key of a collector', 'refused key-of-the-collector!'],
  ['the same as it was written', 'refused key-of-the-collector%21'],
  ['a header', `Authorization: Bearer ${ENV.FIT_CRON_SECRET}`],
];
for (const [name, text] of lines)
  test(`${name} is masked, and the line is still JSON`, () => {
    const line = redactSecrets(JSON.stringify({ msg: text, err: { message: text } }), SECRETS);
    const { msg } = JSON.parse(line) as { msg: string };
    assert.match(msg, /\[redacted\]/);
    for (const secret of [PASSWORD, URL_PASSWORD, ENV.FIT_CRON_SECRET, 'key-of-the-collector'])
      assert.ok(!msg.includes(secret), msg);
  });

test('the password of any URL is masked, also a short or unknown one', () => {
  const line = redactSecrets(
    JSON.stringify({ msg: 'mongodb://u:pw@a,b/fit and amqps://x:y@h' }),
    [],
  );
  assert.equal(line, '{"msg":"mongodb://u:[redacted]@a,b/fit and amqps://x:[redacted]@h"}');
});

test('a line without a secret is not changed', () => {
  const line = '{"url":"http://127.0.0.1:12100","time":"10:20","to":"a@b","msg":"guest @ home: 5"}';
  assert.equal(redactSecrets(line, SECRETS), line);
});

test('the password in a replica set URL is masked also outside of the URL', () => {
  const env = { MONGODB_URL: `mongodb://fit:${URL_PASSWORD}@a:1,b:2/fit?replicaSet=rs0` };
  const line = redactSecrets(JSON.stringify({ msg: `refused ${PASSWORD}` }), secretsOf(env));
  assert.equal(line, '{"msg":"refused [redacted]"}');
});

test('secrets shorter than 8 characters are not searched for in words', () => {
  assert.deepEqual(secretsOf({ MONGODB_URL: 'mongodb://u:guest@db/fit' }), []);
});
