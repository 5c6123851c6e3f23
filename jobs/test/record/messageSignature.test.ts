/** Goal: only the signature of exactly this body is accepted. Method: changed keys, bodies and header values. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { MessageSigner, newMessageKey } from '../../src/record/messageSignature.ts';

const body = Buffer.from('{"id":"a"}');

test('a signature is accepted for its body alone', () => {
  const key = newMessageKey();
  const signature = new MessageSigner(key).sign(body);
  const signer = new MessageSigner(key);
  assert.equal(signer.accepts(signature, body), true);
  assert.equal(signer.accepts(signature, Buffer.from('{"id":"b"}')), false);
  assert.equal(signer.accepts(signature, body.subarray(1)), false);
  assert.equal(signer.accepts(`${signature.slice(0, -1)}_`, body), false);
  assert.equal(new MessageSigner(newMessageKey()).accepts(signature, body), false);
});

test('any other value of the header is refused without an error', () => {
  const signer = new MessageSigner(newMessageKey());
  for (const value of [
    undefined,
    '',
    'x',
    7,
    true,
    null,
    {},
    [],
    'a'.repeat(100_000),
    'ä'.repeat(43),
  ])
    assert.equal(signer.accepts(value, body), false);
});

test('a signature is the HMAC-SHA-256 of the body, whatever its length', () => {
  const key = newMessageKey();
  const signer = new MessageSigner(key);
  for (const bytes of [0, 1, 55, 64, 119, 4_000, 4_096, 70_000, 3]) {
    const content = Buffer.alloc(bytes, 'ä');
    const hmac = createHmac('sha256', Buffer.from(key, 'base64url'));
    const expected = hmac.update(content).digest('base64url');
    assert.equal(signer.sign(content), expected, `${bytes} bytes`);
    assert.equal(signer.accepts(expected, content), true);
  }
});
