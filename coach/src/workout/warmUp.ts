/** What to do before: something for the whole body, then one drill for each pattern (rule W6). */
import type { Pattern } from './pattern.ts';
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

export function warmUp(patterns: readonly Pattern[]): readonly Drill[] {
  return [WHOLE_BODY, ...patterns.map((pattern) => ({ ...DRILLS[pattern], patterns: [pattern] }))];
}
