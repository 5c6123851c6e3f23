/**
 * Goal: the rules are not blind. Method: a sound workout is broken by hand, once for each rule,
 * and the check of that rule must refuse it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MOVEMENT_BY_ID } from '../../src/workout/catalogue.ts';
import type { Member, Rule, Workout } from '../../src/workout/index.ts';
import { checkWorkout, EQUIPMENT, generateWorkout } from '../../src/workout/index.ts';

const RX: Member = { userId: 'ada', level: 'rx', equipment: EQUIPMENT };
const SOUND = firstOf('amrap');

test('checkWorkout accepts the sound workout', () => {
  assert.deepEqual(checkWorkout(SOUND, RX), []);
});

describe('checkWorkout on movements refuses', () => {
  refuses('W1 missing equipment', holding('pull-up'), { ...RX, equipment: [] });
  refuses('W2 a movement above the level', holding('bar-muscle-up'), {
    ...RX,
    level: 'intermediate',
  });
  refuses('W3 an excluded tag', holding('box-jump'), { ...RX, exclusions: ['impact'] });
  refuses('W4 two high-skill movements', holding('pistol-squat', 'wall-walk'));
  refuses('W4 two grip-heavy movements', holding('deadlift', 'pull-up'));
});

describe('checkWorkout on the whole refuses', () => {
  refuses('W5 an estimate above the cap', { ...SOUND, estimatedSeconds: SOUND.capSeconds + 1 });
  refuses('W5 an AMRAP of an hour', { ...SOUND, estimatedSeconds: 3600, capSeconds: 3600 });
  refuses('W5 a minute without rest', {
    ...firstOf('emom'),
    movements: holding('burpee', 'sit-up').movements.map((set) => ({ ...set, amount: 25 })),
  });
  refuses('W6 no cool-down', { ...SOUND, coolDown: [] });
  refuses('W6 no warm-up', { ...SOUND, warmUp: [] });
  refuses('W6 no target', { ...SOUND, target: { ...SOUND.target, low: 0 } });
  refuses('W6 no amount', {
    ...SOUND,
    movements: SOUND.movements.map((set) => ({ ...set, amount: 0 })),
  });
  refuses('W6 no load', holding('back-squat'));
  refuses('W6 an unknown movement', {
    ...SOUND,
    movements: SOUND.movements.map((set) => ({ ...set, id: 'nonsense' })),
  });
  refuses('W7 the Rx load for a beginner', holding('deadlift', 'sit-up', 100), {
    ...RX,
    level: 'beginner',
  });
  refuses('W7 another time domain', {
    ...SOUND,
    stimulus: {
      ...SOUND.stimulus,
      timeDomain: SOUND.stimulus.timeDomain === 'long' ? 'short' : 'long',
    },
  });
  refuses('W8 a seed of another day', { ...SOUND, date: '2031-01-01' });
  refuses('W9 no movement', { ...SOUND, movements: [] });
  refuses('W10 an exclusion without account', {
    ...SOUND,
    explain: { ...SOUND.explain, pool: SOUND.explain.pool - 1 },
  });
  refuses('W10 no reason', { ...SOUND, explain: { ...SOUND.explain, reason: '' } });
});

describe('checkWorkout on the baseline refuses', () => {
  // The naive generator: six at random, 5–50 kg, 8–15 reps, no format, no scaling.
  const ids = ['pull-up', 'deadlift', 'box-jump', 'run', 'thruster', 'plank'] as const;
  const naive: Workout = {
    ...SOUND,
    title: '',
    scheme: '',
    warmUp: [],
    coolDown: [],
    movements: ids.flatMap((id) => holding(id, id, 35).movements.slice(0, 1)),
  };
  for (const rule of ['W1', 'W4', 'W5', 'W6'] as const) {
    refuses(`${rule} the naive workout`, naive, { ...RX, equipment: [] });
  }
});

/** The first word of `what` is the rule that must refuse the broken workout. */
function refuses(what: `${Rule} ${string}`, broken: Workout, member: Member = RX): void {
  test(what, () => {
    const rules = checkWorkout(broken, member).map((finding) => finding.rule);
    assert.ok(
      rules.some((rule) => what.startsWith(`${rule} `)),
      `found only: ${rules.join(' ')}`,
    );
  });
}

/** The sound workout with these two movements in place of its own. */
function holding(first: string, second = 'sit-up', loadKg?: number): Workout {
  const movements = [first, second].map((id) => {
    const movement = MOVEMENT_BY_ID.get(id);
    assert.ok(movement, id);
    const { name, cue, unit, amount } = movement;
    return { id, name, cue, unit, amount: amount.least, ...(loadKg !== undefined && { loadKg }) };
  });
  return { ...SOUND, movements };
}

function firstOf(format: Workout['format']): Workout {
  for (let day = 10; day <= 31; day += 1) {
    const workout = generateWorkout(RX, `2026-01-${String(day)}`);
    if (workout.format === format) return workout;
  }
  throw new Error(`no ${format} in three weeks`);
}
