/** Goal: the mirror is found in both formats of apt sources. Method: texts as machines have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aptMirror, firstMirror } from '../../src/root/checkHost.ts';

test('deb822: the first URI, comments and case aside', () => {
  const text =
    'Types: deb\n# http://old.example/debian\nuris: http://a.example/debian http://b.example\n';
  assert.equal(firstMirror(text), 'http://a.example/debian');
});

test('one-line: options in brackets are skipped, comments and deb-src ignored', () => {
  const text = [
    '# deb http://commented.example/debian bookworm main',
    'deb-src http://source.example/debian bookworm main',
    'deb [arch=amd64 signed-by=/x.gpg] https://c.example/debian bookworm main',
  ].join('\n');
  assert.equal(firstMirror(text), 'https://c.example/debian');
});

test('a security mirror is skipped, since it does not carry a complete suite', () => {
  const text = [
    'deb http://s.example/debian-security bookworm-security main',
    'deb http://d.example/debian sid main',
  ].join('\n');
  assert.equal(firstMirror(text), 'http://d.example/debian');
});

test('without an entry there is no mirror', () => {
  assert.equal(firstMirror('Types: deb\nSuites: sid\n'), undefined);
});

test('FIT_STACK_MIRROR has precedence', () => {
  assert.equal(
    aptMirror({ FIT_STACK_MIRROR: 'http://e.example/debian' }),
    'http://e.example/debian',
  );
});
