/** Goal: versions compare by number, not as text. Method: table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions } from '../../src/plan/brokerProfile.ts';

test('older, equal, newer', () => {
  const table: [string, string, number][] = [
    ['3.9.0', '3.10.0', -1],
    ['3.10.8', '3.10.8', 0],
    ['3.13.0', '3.12.14', 1],
    ['4.0.0', '3.13.7', 1],
    ['4.3.6', '4.3.6-1~deb', 0],
    ['4.0', '4.0.0', 0],
    ['4.0.0-rc.1', '4.0.0', 0],
  ];
  for (const [first, second, sign] of table) {
    assert.equal(Math.sign(compareVersions(first, second)), sign, `${first} ${second}`);
    assert.equal(Math.sign(compareVersions(second, first)), sign === 0 ? 0 : -sign);
  }
});
