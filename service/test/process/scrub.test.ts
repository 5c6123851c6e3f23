/** Goal: no secret survives in a line, and the line stays JSON. Method: lines as drivers and people would write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSecrets, scrub } from '../../src/process/scrub.ts';

const PASSWORD = 's3cret"p\\ss/word';
const URL_PASSWORD = encodeURIComponent(PASSWORD);
const ENV = {
  FIT_ADMIN_TOKEN: 'a-token-of-more-than-thirty-two-characters',
  AMQP_URL: `amqp://fit:${URL_PASSWORD}@broker:5672/fit`,
  MONGODB_URL: 'mongodb://u:guest@db/fit',
  AMQP_MANAGEMENT_URL: '',
  OTEL_EXPORTER_OTLP_HEADERS: 'x-scope=a%20tenant,x-api-key=key-of-the-collector%21',
};
const SECRETS = readSecrets(ENV);

const lines: readonly [name: string, text: string][] = [
  ['a URL', `cannot reach ${ENV.AMQP_URL}`],
  ['the password as it was typed', `ACCESS_REFUSED for fit:${PASSWORD}`],
  ['the password as the URL has it', `bad password ${URL_PASSWORD}`],
  ['the token', `got ${ENV.FIT_ADMIN_TOKEN}`],
  ['the key of a collector', 'refused key-of-the-collector!'],
  ['the same as it was written', 'refused key-of-the-collector%21'],
  ['a header', `Authorization: Bearer ${ENV.FIT_ADMIN_TOKEN}`],
];
for (const [name, text] of lines)
  test(`${name} is masked, and the line is still JSON`, () => {
    const line = scrub(JSON.stringify({ msg: text, err: { message: text } }), SECRETS);
    const { msg } = JSON.parse(line) as { msg: string };
    assert.match(msg, /\[redacted\]/);
    for (const secret of [PASSWORD, URL_PASSWORD, ENV.FIT_ADMIN_TOKEN, 'key-of-the-collector'])
      assert.ok(!msg.includes(secret), msg);
  });

test('URLs of which nobody spoke are masked too, even with short passwords', () => {
  const line = scrub(JSON.stringify({ msg: 'mongodb://u:pw@a,b/fit and amqps://x:y@h' }), []);
  assert.equal(line, '{"msg":"mongodb://u:[redacted]@a,b/fit and amqps://x:[redacted]@h"}');
});

test('what holds no secret is left as it is', () => {
  const line = '{"url":"http://127.0.0.1:12100","time":"10:20","to":"a@b","msg":"guest @ home: 5"}';
  assert.equal(scrub(line, SECRETS), line);
});

test('the password of a replica set is found by itself, whatever the driver says about it', () => {
  const env = { MONGODB_URL: `mongodb://fit:${URL_PASSWORD}@a:1,b:2/fit?replicaSet=rs0` };
  const line = scrub(JSON.stringify({ msg: `refused ${PASSWORD}` }), readSecrets(env));
  assert.equal(line, '{"msg":"refused [redacted]"}');
});

test('short secrets are not searched for in words', () => {
  assert.deepEqual(readSecrets({ MONGODB_URL: 'mongodb://u:guest@db/fit' }), []);
});
