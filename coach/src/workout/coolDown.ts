/** What to do after: slow breathing, then one stretch for each group of patterns (rule W6). */
import type { Pattern } from './pattern.ts';
import type { Drill } from './workout.ts';

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

/** A stretch lists only the patterns that were used. */
export function coolDown(used: readonly Pattern[]): readonly Drill[] {
  const stretches = STRETCHES.map(({ name, patterns }): Drill => {
    const worked = patterns.filter((pattern) => used.includes(pattern));
    return { name, amount: 45, unit: 'seconds', patterns: worked };
  });
  return [BREATHING, ...stretches.filter(({ patterns }) => patterns.length > 0)];
}
