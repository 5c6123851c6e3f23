/** Goal: a mirror with complete suites is chosen. Method: lines as `apt-get update --print-uris` prints them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirrorAmong } from '../../src/root/checkHost.ts';

const uris = (...mirrors: string[]): string =>
  mirrors
    .map((mirror) => `'${mirror}/dists/sid/InRelease' ${mirror}_dists_sid_InRelease 0 \n`)
    .join('');

test('the first mirror is chosen', () => {
  assert.equal(
    mirrorAmong(uris('http://a.example/apt', 'http://b.example/x')),
    'http://a.example/apt',
  );
});

test('a mirror named debian has precedence over third parties', () => {
  const mirrors = uris('https://third.example/apt', 'https://c.example/debian');
  assert.equal(mirrorAmong(mirrors), 'https://c.example/debian');
});

test('a mirror of security updates is skipped', () => {
  const mirrors = uris('http://s.example/debian-security', 'http://d.example/deb');
  assert.equal(mirrorAmong(mirrors), 'http://d.example/deb');
});

test('without sources there is no mirror', () => {
  assert.equal(mirrorAmong(''), undefined);
});
