/** Goal: a URL that is shown contains no password. Method: URLs of every kind that a stack is given or makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutLogin } from '../../src/index.ts';

const CASES: readonly (readonly [string, string])[] = [
  ['amqp://fit:secret@127.0.0.1:1', 'amqp://127.0.0.1:1'],
  ['amqps://u:p%40q@[::1]:1/host', 'amqps://[::1]:1/host'],
  ['mongodb://u:p@a:1,b:2/fit?replicaSet=r', 'mongodb://a:1,b:2/fit?replicaSet=r'],
  ['mongodb+srv://u:p@q@example.org/fit', 'mongodb+srv://example.org/fit'],
  ['http://127.0.0.1:1/a@b', 'http://127.0.0.1:1/a@b'],
  ['http://127.0.0.1?to=a@b', 'http://127.0.0.1?to=a@b'],
];

for (const [url, shown] of CASES)
  test(`${url} is shown as ${shown}`, () => {
    assert.equal(withoutLogin(url), shown);
  });
