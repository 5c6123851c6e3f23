/** Goal: a faulty catalogue stops the process. Method: one record is changed for each check. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkCatalogue } from '../src/checkCatalogue.ts';
import type { Movement } from '../src/movement.ts';
import { CATALOGUE } from '../src/movementCatalogue.ts';

describe('checkCatalogue', () => {
  test('accepts the catalogue', () => {
    assert.deepEqual(checkCatalogue(CATALOGUE), []);
  });

  finds(/kebab/, 'plank', { id: 'Plank' });
  finds(/empty/, 'plank', { cue: '' });
  finds(/rising/, 'plank', { amount: { least: 5, most: 4 } });
  finds(/pace/, 'plank', { secondsPerUnit: { beginner: 1, intermediate: 0, rx: 1 } });
  finds(/without load/, 'plank', { strength: true });
  finds(/share of Rx/, 'deadlift', { loadKg: { beginner: 90, intermediate: 70, rx: 100 } });
  finds(/unknown regression/, 'pull-up', { regressions: ['nonsense'] });
  finds(/not easier/, 'push-up', { regressions: ['pull-up'] });
  finds(/no substitute for beginner/, 'pull-up', { regressions: ['ring-row'] });
  finds(/no substitute for beginner/, 'pistol-squat', { regressions: ['box-jump'] });

  test('finds an id that occurs twice', () => {
    assert.match(checkCatalogue([...CATALOGUE, ...CATALOGUE.slice(0, 1)]).join(), /twice/);
  });

  test('finds too little for a beginner without equipment (W9)', () => {
    const equipped = CATALOGUE.filter((movement) => movement.equipment.length > 0);
    assert.match(checkCatalogue(equipped).join(), /W9/);
  });
});

function finds(message: RegExp, id: string, change: Partial<Movement>): void {
  test(`finds ${message.source} in a changed ${id}`, () => {
    const changed = CATALOGUE.map((one) => (one.id === id ? { ...one, ...change } : one));
    assert.match(checkCatalogue(changed).join('\n'), message);
  });
}
