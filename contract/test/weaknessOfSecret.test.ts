/** Goal: guessable secrets are refused and random ones never. Method: the pure check, on typical and on random texts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { weaknessOfSecret } from '@fit/contract';

const weak: readonly [name: string, secret: string, weakness: RegExp][] = [
  ['nothing', '', /^is empty$/],
  ['one character', 'x', /^has 1 characters and needs at least 32$/],
  ['31 random characters', randomBytes(16).toString('hex').slice(1), /^has 31 characters/],
  [
    '1,200 random characters',
    randomBytes(600).toString('hex'),
    /^has 1200 characters and may have at most 1024$/,
  ],
  ['32 equal letters', 'a'.repeat(32), /guessed/],
  ['two letters in turn', 'ab'.repeat(16), /guessed/],
  ['the same word four times', 'password'.repeat(4), /guessed/],
  ['a placeholder', 'changeme'.repeat(4), /guessed/],
  ['a row of the keyboard', 'qwertyuiop'.repeat(4), /guessed/],
  ['the alphabet', 'abcdefghijklmnopqrstuvwxyz0123456789', /guessed/],
  ['the digits in order', '1234567890'.repeat(4), /guessed/],
  ['a letter outside ASCII', `ä${randomBytes(24).toString('hex')}`, /outside ASCII/],
  ['a line break', `${randomBytes(24).toString('hex')}\n`, /control character/],
];
for (const [name, secret, weakness] of weak)
  test(`${name} is refused, and the message does not show it`, () => {
    const found = weaknessOfSecret(secret) ?? 'accepted';
    assert.match(found, weakness);
    if (secret.length > 1) assert.ok(!found.includes(secret));
  });

test('random secrets in the usual notations are accepted', () => {
  for (let round = 0; round < 1_000; round += 1)
    for (const secret of [
      randomBytes(16).toString('hex'),
      randomBytes(24).toString('hex'),
      randomBytes(24).toString('base64'),
      randomBytes(32).toString('base64url'),
      crypto.randomUUID(),
    ])
      assert.equal(weaknessOfSecret(secret), undefined, secret);
});
