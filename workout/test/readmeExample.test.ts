/** Goal: the workout that the README shows is one that FIT makes. Method: it is generated again and compared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateWorkout } from '../src/index.ts';

test('the README shows the workout of ann for 2 December 2026', async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? [];
  const shown = JSON.parse(json) as Record<string, unknown>;
  const made = generateWorkout(
    { userId: 'ann', level: 'rx', equipment: ['barbell'] },
    '2026-12-02',
  );
  assert.partialDeepStrictEqual(made, shown);
});
