/** Goal: only the signature of exactly this run and body is accepted. Method: changed keys, runs, bodies and header values. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { MessageSigner, newMessageKey } from '../../src/record/messageSignature.ts';

const body = Buffer.from('{"id":"a"}');

test('a signature is accepted for its run and body alone', () => {
  const key = newMessageKey();
  const signature = new MessageSigner(key).sign('run', body);
  const signer = new MessageSigner(key);
  assert.equal(signer.accepts(signature, 'run', body), true);
  assert.equal(signer.accepts(signature, 'run', Buffer.from('{"id":"b"}')), false);
  assert.equal(signer.accepts(signature, 'other', body), false);
  // The boundary between run and body is signed as well.
  assert.equal(signer.accepts(signature, 'run\n', body.subarray(1)), false);
  assert.equal(new MessageSigner(newMessageKey()).accepts(signature, 'run', body), false);
});

test('any other value of the headers is refused without an error', () => {
  const signer = new MessageSigner(newMessageKey());
  for (const value of [undefined, '', 'x', 7, true, null, {}, [], 'a'.repeat(100_000)]) {
    assert.equal(signer.accepts(value, 'run', body), false);
    assert.equal(signer.accepts(signer.sign('run', body), value, body), false);
  }
});

test('a signature is the HMAC-SHA-256 of run and body, whatever their lengths', () => {
  const key = newMessageKey();
  const signer = new MessageSigner(key);
  for (const bytes of [0, 1, 55, 64, 119, 4_000, 4_096, 70_000, 3]) {
    const content = Buffer.alloc(bytes, 'ä');
    const hmac = createHmac('sha256', Buffer.from(key, 'base64url'));
    const expected = hmac.update('run-ü\n').update(content).digest('base64url');
    assert.equal(signer.sign('run-ü', content), expected, `${bytes} bytes`);
    assert.equal(signer.accepts(expected, 'run-ü', content), true);
  }
});
