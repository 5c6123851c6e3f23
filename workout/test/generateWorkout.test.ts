/**
 * Goal: every rule holds for every user and day. Method: one property for each rule over seeded users of all levels, equipment
 * and exclusions; golden workouts show what a new version of the generator changes.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { User, Workout } from '../src/index.ts';
import { EQUIPMENT, EXCLUSIONS, generateWorkout, LEVELS } from '../src/index.ts';
import type { Rule } from './checkWorkout.ts';
import { checkWorkout } from './checkWorkout.ts';
import type { Sample } from './sampleUser.ts';
import { forEachSample } from './sampleUser.ts';

describe('generateWorkout keeps every rule', () => {
  property('W1', 'needs only equipment that the user owns');
  property('W2', 'stays within the skill of the level');
  property('W3', 'carries no excluded tag');
  property('W4', 'has at most one high-skill and one grip-heavy movement');
  property('W5', 'fits cap and format');
  property('W6', 'states everything a user needs', (workout) => {
    assert.ok(workout.warmUp.length > workout.movements.length, 'a whole-body drill as well');
    assert.ok(workout.movements.every(({ cue, name }) => cue !== '' && name !== ''));
  });
  property('W7', 'stays in the time domain and format of Rx', (workout, { user, date }) => {
    const rx = generateWorkout({ ...user, level: 'rx' }, date);
    assert.equal(workout.stimulus.timeDomain, rx.stimulus.timeDomain);
    assert.equal(workout.movements.length, rx.movements.length);
  });
  property('W8', 'gives the same bytes again', (workout, { user, date }) => {
    const shuffled: User = {
      exclusions: [...(user.exclusions ?? [])].reverse(),
      equipment: [...user.equipment, ...user.equipment].reverse(),
      level: user.level,
      userId: user.userId,
    };
    const again = generateWorkout(shuffled, date);
    assert.equal(JSON.stringify(again), JSON.stringify(workout));
    assert.deepEqual(JSON.parse(JSON.stringify(workout)), workout, 'is plain JSON');
  });
  property('W9', 'is never empty', (_, { user, date }) => {
    const barest: User = { ...user, level: 'beginner', equipment: [], exclusions: EXCLUSIONS };
    const workout = generateWorkout(barest, date);
    assert.deepEqual(checkWorkout(workout, barest), []);
    assert.ok(workout.movements.length >= 2);
  });
  property('W10', 'accounts for every exclusion and substitute', (workout, { user, date }) => {
    const rx = generateWorkout({ ...user, level: 'rx' }, date);
    const changed = workout.movements.filter(({ id }, index) => rx.movements[index]?.id !== id);
    assert.equal(workout.explain.scaling.length, changed.length);
  });
});

describe('generateWorkout', () => {
  test('draws every format, at every level', () => {
    const seen = new Set<string>();
    forEachSample((workout, { user }) => seen.add(`${user.level} ${workout.format}`));
    assert.equal(seen.size, LEVELS.length * 6);
  });

  test('changes with the user and with the day', () => {
    const user: User = { userId: 'ada', level: 'rx', equipment: EQUIPMENT };
    const titles = new Set<string>();
    for (let day = 1; day <= 28; day += 1) {
      const date = `2026-02-${String(day).padStart(2, '0')}`;
      titles.add(generateWorkout(user, date).title);
      titles.add(generateWorkout({ ...user, userId: 'bob' }, date).title);
    }
    assert.ok(titles.size >= 54, `${String(titles.size)} different titles of 56`);
  });

  test('refuses a date that is not a day and an empty user id', () => {
    const user: User = { userId: 'ada', level: 'rx', equipment: [] };
    for (const date of ['', '2026-02-30', '2026-2-3', '2026-02-03T00:00', 'today']) {
      assert.throws(() => generateWorkout(user, date), RangeError, date);
    }
    assert.throws(() => generateWorkout({ ...user, userId: '' }, '2026-02-03'), RangeError);
  });

  golden('beginnerWithoutEquipment', { userId: 'golden-1', level: 'beginner', equipment: [] });
  golden('rxWithFullGym', { userId: 'golden-2', level: 'rx', equipment: EQUIPMENT });
});

function property(
  rule: Rule,
  sentence: string,
  holds: (workout: Workout, sample: Sample) => void = () => undefined,
): void {
  test(`${rule} ${sentence}`, () => {
    forEachSample((workout, sample) => {
      const findings = checkWorkout(workout, sample.user);
      assert.deepEqual(
        findings.filter((finding) => finding.rule === rule),
        [],
      );
      holds(workout, sample);
    });
  });
}

/** After a wanted change raise GENERATOR_VERSION and store the workout that the failure shows. */
function golden(name: string, user: User): void {
  test(`golden: ${name}`, () => {
    const file = new URL(`golden/${name}.json`, import.meta.url);
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const workout = generateWorkout(user, '2026-03-02');
    assert.deepEqual(workout, stored);
    assert.equal(JSON.stringify(workout), JSON.stringify(stored), 'the order of keys as well');
  });
}
