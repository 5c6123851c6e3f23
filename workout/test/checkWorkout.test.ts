/**
 * Goal: each rule of checkWorkout finds its violation. Method: a correct workout is changed once for each rule, and the check of
 * that rule must refuse it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { User, Workout } from '../src/index.ts';
import { EQUIPMENT, generateWorkout } from '../src/index.ts';
import { MOVEMENT_BY_ID } from '../src/movementCatalogue.ts';
import type { Rule } from './checkWorkout.ts';
import { checkWorkout } from './checkWorkout.ts';

const RX: User = { userId: 'ada', level: 'rx', equipment: EQUIPMENT };
const CORRECT = firstOf('amrap');

test('checkWorkout accepts a correct workout', () => {
  assert.deepEqual(checkWorkout(CORRECT, RX), []);
});

describe('checkWorkout on movements refuses', () => {
  refuses('W1 missing equipment', withMovements('pull-up'), { ...RX, equipment: [] });
  refuses('W2 a movement above the level', withMovements('bar-muscle-up'), {
    ...RX,
    level: 'intermediate',
  });
  refuses('W3 an excluded tag', withMovements('box-jump'), { ...RX, exclusions: ['impact'] });
  refuses('W4 two high-skill movements', withMovements('pistol-squat', 'wall-walk'));
  refuses('W4 two grip-heavy movements', withMovements('deadlift', 'pull-up'));
});

describe('checkWorkout on the whole refuses', () => {
  refuses('W5 an estimate above the cap', { ...CORRECT, estimatedSeconds: CORRECT.capSeconds + 1 });
  refuses('W5 an AMRAP of an hour', { ...CORRECT, estimatedSeconds: 3600, capSeconds: 3600 });
  refuses('W5 a minute without rest', {
    ...firstOf('emom'),
    movements: withMovements('burpee', 'sit-up').movements.map((set) => ({ ...set, amount: 25 })),
  });
  refuses('W6 no cool-down', { ...CORRECT, coolDown: [] });
  refuses('W6 no warm-up', { ...CORRECT, warmUp: [] });
  refuses('W6 no target', { ...CORRECT, target: { ...CORRECT.target, low: 0 } });
  refuses('W6 no amount', {
    ...CORRECT,
    movements: CORRECT.movements.map((set) => ({ ...set, amount: 0 })),
  });
  refuses('W6 no load', withMovements('back-squat'));
  refuses('W6 an unknown movement', {
    ...CORRECT,
    movements: CORRECT.movements.map((set) => ({ ...set, id: 'nonsense' })),
  });
  refuses('W7 the Rx load for a beginner', withMovements('deadlift', 'sit-up', 100), {
    ...RX,
    level: 'beginner',
  });
  refuses('W7 another time domain', {
    ...CORRECT,
    stimulus: {
      ...CORRECT.stimulus,
      timeDomain: CORRECT.stimulus.timeDomain === 'long' ? 'short' : 'long',
    },
  });
  refuses('W8 a seed of another day', { ...CORRECT, date: '2031-01-01' });
  refuses('W9 no movement', { ...CORRECT, movements: [] });
  refuses('W10 an exclusion without account', {
    ...CORRECT,
    explain: { ...CORRECT.explain, pool: CORRECT.explain.pool - 1 },
  });
  refuses('W10 no reason', { ...CORRECT, explain: { ...CORRECT.explain, reason: '' } });
});

describe('checkWorkout on the baseline refuses', () => {
  // The naive generator: six at random, 5–50 kg, 8–15 reps, no format, no scaling.
  const ids = ['pull-up', 'deadlift', 'box-jump', 'run', 'thruster', 'plank'] as const;
  const naive: Workout = {
    ...CORRECT,
    title: '',
    scheme: '',
    warmUp: [],
    coolDown: [],
    movements: ids.flatMap((id) => withMovements(id, id, 35).movements.slice(0, 1)),
  };
  for (const rule of ['W1', 'W4', 'W5', 'W6'] as const) {
    refuses(`${rule} the naive workout`, naive, { ...RX, equipment: [] });
  }
});

/** The first word of `what` is the rule that must refuse the broken workout. */
function refuses(what: `${Rule} ${string}`, broken: Workout, user: User = RX): void {
  test(what, () => {
    const rules = checkWorkout(broken, user).map((finding) => finding.rule);
    assert.ok(
      rules.some((rule) => what.startsWith(`${rule} `)),
      `found only: ${rules.join(' ')}`,
    );
  });
}

/** The correct workout with these two movements in place of its own. */
function withMovements(first: string, second = 'sit-up', loadKg?: number): Workout {
  const movements = [first, second].map((id) => {
    const movement = MOVEMENT_BY_ID.get(id);
    assert.ok(movement, id);
    const { name, cue, unit, amount } = movement;
    return { id, name, cue, unit, amount: amount.least, ...(loadKg !== undefined && { loadKg }) };
  });
  return { ...CORRECT, movements };
}

function firstOf(format: Workout['format']): Workout {
  for (let day = 10; day <= 31; day += 1) {
    const workout = generateWorkout(RX, `2026-01-${String(day)}`);
    if (workout.format === format) return workout;
  }
  throw new Error(`no ${format} in three weeks`);
}
