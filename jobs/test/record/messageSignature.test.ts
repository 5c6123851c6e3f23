/** Goal: only the signature of exactly this run and body is accepted. Method: changed keys, runs, bodies and header values. */
import assert from 'node:assert/strict';
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
