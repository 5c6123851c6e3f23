/**
 * Goal: a stored workout reads as it was made, for as long as it is stored. Method: generated workouts go through their stored form; golden
 * files hold what version 1 stored and every text that a stored id stands for.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { CompactWorkout } from '../src/compactWorkout.ts';
import { coolDown, warmUp } from '../src/drills.ts';
import { FORMATS } from '../src/format.ts';
import {
  expandWorkout,
  GENERATOR_VERSION,
  generateCompactWorkout,
  type Workout,
  type WorkoutKey,
} from '../src/index.ts';
import { PATTERNS } from '../src/movement.ts';
import { MOVEMENT_BY_ID } from '../src/movementCatalogue.ts';
import { forEachSample } from './sampleUser.ts';

/** Upper bound of the JSON of a stored workout, which is about as long as its BSON. PostgreSQL compresses documents above 1,950 bytes. */
const COMPACT_BYTES_MAX = 700;

/** SHA-256 of every sample's stored form as JSON, by the version that made them. */
const SAMPLES_DIGEST: Readonly<Record<number, string>> = {
  1: '9e13f86ecc170b556861863e009d55b956a56f775a3d02ccd5df94786f4b3447',
};

interface StoredExample {
  readonly key: WorkoutKey;
  readonly stored: CompactWorkout;
  readonly workout: Workout;
}

function readGolden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8'));
}

describe('the stored form', () => {
  test('reads as the generated workout, byte for byte, for 4,000 users and days', () => {
    forEachSample((workout, { user, date }) => {
      const bytes = JSON.stringify(generateCompactWorkout(user, date));
      const stored = JSON.parse(bytes) as CompactWorkout;
      const read = expandWorkout(stored, { userId: user.userId, date });
      assert.deepEqual(read, workout);
      assert.equal(JSON.stringify(read), JSON.stringify(workout));
    });
  });

  test('is small, and has none of the texts', () => {
    forEachSample((workout, { user, date }) => {
      const bytes = JSON.stringify(generateCompactWorkout(user, date));
      assert.ok(Buffer.byteLength(bytes) <= COMPACT_BYTES_MAX, `${Buffer.byteLength(bytes)} bytes`);
      for (const text of [workout.title, workout.scheme, workout.stimulus.intent])
        assert.ok(!bytes.includes(text), text);
      for (const { cue } of workout.movements) assert.ok(!bytes.includes(cue), cue);
    });
  });
});

describe('a new version of the generator', () => {
  test('has another number, else the workouts of the samples are the same', () => {
    const digest = createHash('sha256');
    forEachSample((_, { user, date }) => {
      digest.update(`${JSON.stringify(generateCompactWorkout(user, date))}\n`);
    });
    assert.equal(
      digest.digest('hex'),
      SAMPLES_DIGEST[GENERATOR_VERSION],
      'a workout has changed: raise GENERATOR_VERSION, and add the digest of the new version here',
    );
  });

  for (const { key, stored, workout } of readGolden('stored') as StoredExample[])
    test(`reads the ${workout.format} of version ${stored.version} that was stored for ${key.userId}`, () => {
      assert.deepEqual(
        expandWorkout(stored, key),
        workout,
        'a stored workout reads differently: let expandWorkout make the difference for new versions only',
      );
    });

  test('leaves every text of a stored id as it is', () => {
    const golden = readGolden('texts') as Record<string, unknown>;
    const texts = textsById();
    for (const [id, text] of Object.entries(golden))
      assert.deepEqual(
        texts[id],
        text,
        `${id}: stored workouts would change. Give what is new an id of its own; only spelling may be corrected, here as well`,
      );
    assert.deepEqual(
      Object.keys(texts).filter((id) => !(id in golden)),
      [],
      'add the texts of these new ids to golden/texts.json: from now on they stay',
    );
  });
});

describe('expandWorkout refuses', () => {
  const key = { userId: 'ann', date: '2026-12-02' };
  const stored = generateCompactWorkout({ userId: 'ann', level: 'rx', equipment: [] }, key.date);

  for (const version of [GENERATOR_VERSION + 1, 0, 1.5, undefined as unknown as number])
    test(`version ${version}, and names the workout, the version and the remedy`, () => {
      assert.throws(() => expandWorkout({ ...stored, version }, key), {
        name: 'UnreadableWorkout',
        message: `The workout of ann for 2026-12-02 cannot be read: version ${version} of the generator made it, and this release knows versions 1 to ${GENERATOR_VERSION}. Deploy a release that knows it, the monolith before the coach.`,
      });
    });

  test('an unknown movement and an unknown format, and names them', () => {
    const movements = [{ id: 'moonwalk', amount: 10 }];
    assert.throws(() => expandWorkout({ ...stored, movements }, key), {
      name: 'UnreadableWorkout',
      message: /the movement 'moonwalk' is unknown\. Restore it/,
    });
    const format = 'marathon' as CompactWorkout['format'];
    assert.throws(() => expandWorkout({ ...stored, format }, key), {
      name: 'UnreadableWorkout',
      message: /the format 'marathon' is unknown\. Restore it/,
    });
  });
});

/** Everything that a reader gets by an id. */
function textsById(): Record<string, unknown> {
  const texts: Record<string, unknown> = {};
  for (const { id, name, cue, unit, perSide = false, pattern } of MOVEMENT_BY_ID.values())
    texts[`movement ${id}`] = { name, cue, unit, perSide, pattern };
  for (const { id, name, scoreType, targetUnit, amountUnit = null, accepts, intent } of FORMATS)
    texts[`format ${id}`] = { name, scoreType, targetUnit, amountUnit, accepts, intent };
  for (const pattern of PATTERNS)
    texts[`pattern ${pattern}`] = { warmUp: warmUp([pattern]), coolDown: coolDown([pattern]) };
  return texts;
}
