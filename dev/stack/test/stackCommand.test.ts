/** Goal: words become a command, or an error with the usage. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStackCommand } from '../src/stackCommand.ts';

test('without options the stack is main and its broker that of sid', () => {
  const command = parseStackCommand(['up']);
  assert.equal(command.verb, 'up');
  assert.equal(command.name, 'main');
  assert.equal(command.brokerSuite, 'sid');
});

test('options and a server are read in any order', () => {
  const command = parseStackCommand(['logs', 'gateway', '--follow', '--name', 'two']);
  assert.equal(command.server, 'gateway');
  assert.equal(command.follow, true);
  assert.equal(command.name, 'two');
});

test('no words, or --help, ask for help', () => {
  assert.equal(parseStackCommand([]).verb, 'help');
  assert.equal(parseStackCommand(['up', '--help']).verb, 'help');
});

for (const words of [['fly'], ['up', '--nmae', 'x'], ['logs', 'redis'], ['up', '--name', '../x']]) {
  test(`'${words.join(' ')}' is refused with the usage`, () => {
    assert.throws(() => parseStackCommand(words), {
      name: 'StackError',
      message: /npm run stack --/,
    });
  });
}
