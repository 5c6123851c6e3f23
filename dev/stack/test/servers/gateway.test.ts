/** Goal: the host's Go is used exactly when it is new enough. Method: lines as `go version` prints them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goIsNewEnough } from '../../src/servers/gateway.ts';

test('1.25 and later versions are new enough', () => {
  assert.equal(goIsNewEnough('go version go1.25.0 linux/amd64'), true);
  assert.equal(goIsNewEnough('go version go1.26.8 linux/amd64'), true);
  assert.equal(goIsNewEnough('go version go2.0 linux/amd64'), true);
});

test('older versions and other output are not', () => {
  assert.equal(goIsNewEnough('go version go1.19.8 linux/amd64'), false);
  assert.equal(goIsNewEnough('command not found'), false);
});
