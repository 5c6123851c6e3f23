/** Goal: the example of the README is true. Method: it is this file, and a test compares both. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
// Begin of the example.
import { defineTopology, reject } from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';

const mail = defineTopology({
  exchange: 'mail',
  messages: { send: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['send'], retry: { delays: ['5s', '30s', '2m'] } } },
});

test('a busy server gets a mail at its third attempt; an unknown address is a dead letter at once', async () => {
  const simulation = simulate(mail, {
    handlers: {
      outbox: {
        handler: ({ body, attempt }) => {
          if (body.to === 'nobody') return reject(new Error('no such address'));
          if (attempt.number < 3) throw new Error('busy');
          return undefined;
        },
      },
    },
  });
  const { id } = await simulation.publish('send', { to: 'ann' });
  await simulation.publish('send', { to: 'nobody' });
  await simulation.advance('35s');
  const attempts = simulation.history(id).filter(({ attempt }) => attempt !== undefined);
  assert.deepEqual(
    attempts.map(({ atMs, what }) => `${atMs / 1_000} s: ${what}`),
    ['0 s: fails: Error: busy', '5 s: fails: Error: busy', '35 s: done'],
  );
  const [deadLetter] = simulation.deadLetters('outbox');
  assert.deepEqual([deadLetter?.cause, deadLetter?.error], ['fatal', 'no such address']);
});
// End of the example.

test('the README has this example', () => {
  const source = readFileSync(import.meta.filename, 'utf8');
  const [, example = ''] =
    /\/\/ Begin of the example\.\n([^]*?)\/\/ End of the example\./.exec(source) ?? [];
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  assert.ok(example.length > 0 && readme.includes(example.trim()), example);
});
