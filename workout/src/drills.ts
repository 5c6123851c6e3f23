/** Warm-up and cool-down (rule W6). */
import type { Pattern } from './movement.ts';
import type { Drill } from './workout.ts';

const WHOLE_BODY: Drill = {
  name: 'Easy march, arms swinging',
  amount: 120,
  unit: 'seconds',
  patterns: [],
};

const DRILLS: Readonly<Record<Pattern, Omit<Drill, 'patterns'>>> = {
  carry: { name: 'Shoulder shrug and roll', amount: 10, unit: 'reps' },
  core: { name: 'Cat and cow', amount: 8, unit: 'reps' },
  hinge: { name: 'Hip hinge, hands on hips', amount: 10, unit: 'reps' },
  'horizontal pull': { name: 'Shoulder-blade squeeze', amount: 12, unit: 'reps' },
  'horizontal push': { name: 'Wall push-up', amount: 10, unit: 'reps' },
  jump: { name: 'Calf raise, slow down', amount: 15, unit: 'reps' },
  locomotion: { name: 'Ankle and hip circles', amount: 40, unit: 'seconds' },
  lunge: { name: 'Short split squat', amount: 8, unit: 'reps' },
  squat: { name: 'Slow squat, pause below', amount: 8, unit: 'reps' },
  'vertical pull': { name: 'Elbows from shoulder to ribs', amount: 12, unit: 'reps' },
  'vertical push': { name: 'Arm circles, small to large', amount: 40, unit: 'seconds' },
};

/** @returns a drill for the whole body, then one for each pattern. */
export function warmUp(patterns: readonly Pattern[]): readonly Drill[] {
  return [WHOLE_BODY, ...patterns.map((pattern) => ({ ...DRILLS[pattern], patterns: [pattern] }))];
}

const BREATHING: Drill = {
  name: 'Slow walk, long breaths',
  amount: 120,
  unit: 'seconds',
  patterns: [],
};

const STRETCHES: readonly Readonly<{ name: string; patterns: readonly Pattern[] }>[] = [
  { name: 'Kneeling hip-flexor stretch', patterns: ['squat', 'lunge'] },
  { name: 'Seated forward fold', patterns: ['hinge', 'carry'] },
  { name: 'Calf stretch at the wall', patterns: ['jump', 'locomotion'] },
  { name: 'Chest stretch at a door frame', patterns: ['horizontal push', 'vertical push'] },
  { name: 'Child’s pose, arms long', patterns: ['horizontal pull', 'vertical pull'] },
  { name: 'Lying twist', patterns: ['core'] },
];

/** @returns slow breathing, then the stretches of the used patterns; each stretch lists only the patterns that were used. */
export function coolDown(used: readonly Pattern[]): readonly Drill[] {
  const stretches = STRETCHES.map(({ name, patterns }): Drill => {
    const worked = patterns.filter((pattern) => used.includes(pattern));
    return { name, amount: 45, unit: 'seconds', patterns: worked };
  });
  return [BREATHING, ...stretches.filter(({ patterns }) => patterns.length > 0)];
}
