/** Goal: a mistyped option is told from a defect. Method: errors as Node itself throws them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { isWrongOption } from '@fit/stack';

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

test('an unknown option and a missing value are wrong options', () => {
  const options = { only: { type: 'string' } } as const;
  assert.ok(isWrongOption(thrownBy(() => parseArgs({ args: ['--onyl'], options }))));
  assert.ok(isWrongOption(thrownBy(() => parseArgs({ args: ['--only'], options }))));
});

test('a TypeError of Node that has a code is a defect, and so is anything else', () => {
  const defect = thrownBy(() => join(1 as unknown as string));
  assert.ok(defect instanceof TypeError && 'code' in defect);
  for (const error of [defect, new Error('x'), 'ERR_PARSE_ARGS', undefined])
    assert.equal(isWrongOption(error), false);
});
