/** Goal: words become a command or a message. Method: pure calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from '../../src/cli/parseArguments.ts';

test('defaults', () => {
  const command = parseArguments(['up']);
  assert.equal(command.verb, 'up');
  assert.equal(command.name, 'main');
  assert.equal(command.brokerSuite, 'sid');
});

test('options and a service', () => {
  const command = parseArguments(['logs', 'gateway', '--follow', '--name', 'two']);
  assert.equal(command.service, 'gateway');
  assert.equal(command.follow, true);
  assert.equal(command.name, 'two');
});

test('nothing, or --help, asks for help', () => {
  assert.equal(parseArguments([]).verb, 'help');
  assert.equal(parseArguments(['up', '--help']).verb, 'help');
});

for (const words of [['fly'], ['up', '--nmae', 'x'], ['logs', 'redis'], ['up', '--name', '../x']]) {
  test(`refused: ${words.join(' ')}`, () => {
    assert.throws(() => parseArguments(words), { name: 'StackError', message: /Usage:/ });
  });
}
