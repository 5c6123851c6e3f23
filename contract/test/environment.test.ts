/** Goal: valid values are accepted; invalid ones are refused by name, without their secrets. Method: tables of values as operators write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigError,
  decimalNumber,
  parseEnvironment,
  readServerUrls,
  readServiceConfig,
  serviceVariables,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

const SERVICE = Type.Object(serviceVariables({ port: 1, metricsPort: 2 }));
const NUMBERS = Type.Object({
  COUNT: wholeNumber({ minimum: 0, maximum: 1_000, default: 7 }),
  SHARE: decimalNumber({ minimum: 0, maximum: 1, default: 0.5 }),
});

/** @returns the only finding about this environment; undefined where there is none. */
function findingIn(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.findings.length, 1, error.message);
    return error.findings[0];
  }
}

const VALID: readonly (readonly [variable: string, values: readonly string[]])[] = [
  [
    'MONGODB_URL',
    [
      'mongodb://127.0.0.1:12106/fit',
      'mongodb://a:1,b:2/fit?replicaSet=rs0',
      'mongodb://a,b,c',
      'mongodb+srv://cluster.example.org/fit?retryWrites=true',
      'mongodb://user:p%40ss%2Fword@[::1]:27017/fit?authSource=admin',
    ],
  ],
  [
    'AMQP_URL',
    [
      'amqp://localhost',
      'amqps://user:p%C3%A4ss%E2%9C%93@broker.example.org:5671/%2Fhost?heartbeat=5',
      'amqp://guest:guest@[::1]:5672',
      'amqp://127.0.0.1/fit',
    ],
  ],
  ['AMQP_MANAGEMENT_URL', ['http://guest:guest@127.0.0.1:15672', 'https://mq.example.org/prefix/']],
  ['HOST', ['127.0.0.1', '0.0.0.0', '::', '::1', 'fe80::1%eth0', 'localhost', 'fit-1.example.org']],
  ['FIT_MAX_LENGTH', ['1', '10000']],
];
for (const [variable, values] of VALID)
  for (const value of values)
    test(`${variable}='${value}' is accepted`, () => {
      readServiceConfig(SERVICE, { [variable]: value });
    });

const INVALID: readonly (readonly [variable: string, values: readonly string[]])[] = [
  [
    'MONGODB_URL',
    [
      'nonsense',
      'http://a/fit',
      'mongodb://',
      'mongodb://a/fi%t',
      'mongodb+srv://a:1/fit',
      'mongodb+srv://a,b/fit',
      '127.0.0.1:27017',
    ],
  ],
  [
    'AMQP_URL',
    ['localhost', 'amqp://', 'http://localhost', 'amqp://a/%zz', 'amqp://a/b/c', 'amqp://a:99999'],
  ],
  ['AMQP_MANAGEMENT_URL', ['host:15672', '127.0.0.1:15672', 'ftp://host', 'http://', '//host']],
  ['HOST', ['1.2.3', '256.0.0.1', '1.2.3.4.5', 'a b', '127.0.0.1:80', ':::', '-a', 'http://a']],
  ['PORT', ['x', '-1', '65536', '1.5', ' 80', '0x50', 'true', '80a', '1_000', 'Infinity', 'NaN']],
  ['FIT_MAX_LENGTH', ['0', '-1', '1.5', 'many']],
];
for (const [variable, values] of INVALID)
  for (const value of values)
    test(`${variable}='${value}' is refused, and the finding begins with the variable`, () => {
      const finding = findingIn(() => readServiceConfig(SERVICE, { [variable]: value }));
      assert.ok(finding?.startsWith(`${variable}='${value}' `), finding);
      assert.match(finding ?? '', /or unset it/);
    });

const VALUES_WITH_PASSWORD: readonly (readonly [variable: string, values: readonly string[]])[] = [
  [
    'AMQP_URL',
    [
      'amqp://user:hunter2#x@host',
      'amqp://user:hunter2/x@host/a/b',
      'amqp://user:hunter2@:5672',
      'amqp://user:hunter2',
      'user:hunter2@host',
      'http://user:hunter2@host/?key=hunter2',
      'amqp://user:hunter2%@host',
      'amqp://user:@hunter2@host:port',
    ],
  ],
  [
    'MONGODB_URL',
    [
      'mongodb://user:hunter2@x@host/fit',
      'mongodb://user:hunter2:@host',
      'mongodb://user:hunter2%@host/fit',
      'mongodb://:hunter2@host/fit',
      'mongo://user:hunter2@host/?tlsCertificateKeyFilePassword=hunter2',
      'mongodb://user:hunter2@host:port:2/fit%',
    ],
  ],
  ['AMQP_MANAGEMENT_URL', ['user:hunter2@host:15672', 'ftp://user:hunter2@host', 'u:hunter2@']],
];
for (const [variable, values] of VALUES_WITH_PASSWORD)
  for (const value of values)
    test(`the finding about ${variable}='${value}' does not show the password`, () => {
      const finding = findingIn(() => readServiceConfig(SERVICE, { [variable]: value }));
      assert.ok(finding?.startsWith(`${variable}=`), finding ?? 'accepted');
      assert.ok(!finding?.includes('hunter2'), finding);
    });

test('numbers are read as decimal numbers; other notations are refused', () => {
  const read = (env: Record<string, string>) => parseEnvironment(NUMBERS, env);
  assert.deepEqual(read({}), { COUNT: 7, SHARE: 0.5 });
  assert.deepEqual(read({ COUNT: '12', SHARE: '.25', OTHER: 'x' }), { COUNT: 12, SHARE: 0.25 });
  assert.deepEqual(read({ COUNT: '1e3', SHARE: '1' }), { COUNT: 1_000, SHARE: 1 });
  for (const env of [{ COUNT: '5.5' }, { COUNT: 'true' }, { SHARE: '1.1' }, { SHARE: '50%' }])
    assert.ok(
      findingIn(() => read(env)),
      JSON.stringify(env),
    );
});

test('a finding shows at most 100 characters of a value', () => {
  const finding = findingIn(() => parseEnvironment(NUMBERS, { COUNT: 'x'.repeat(10_000) }));
  assert.ok(finding !== undefined && finding.length < 300, finding);
});

test('the tools that need only the servers ignore every other variable', () => {
  const urls = readServerUrls({ PORT: 'x', MONGODB_URL: 'mongodb://a:1,b:2/fit?replicaSet=rs0' });
  assert.equal(urls.mongodbUrl, 'mongodb://a:1,b:2/fit?replicaSet=rs0');
});
