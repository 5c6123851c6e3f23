/** Sample users: the same ones at each call, with every combination of level and equipment of a small gym. */
const LEVELS = ['beginner', 'intermediate', 'rx'] as const;
const GYMS: readonly (readonly string[])[] = [
  [],
  ['jump rope', 'pull-up bar'],
  ['dumbbell', 'kettlebell', 'box'],
  ['barbell', 'bench', 'box', 'pull-up bar', 'rings', 'rower', 'wall ball'],
];

export interface SampleUser {
  readonly id: string;
  readonly level: string;
  readonly equipment: readonly string[];
}

export function sampleUsers(count: number, prefix = 'sample'): SampleUser[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${String(index + 1).padStart(5, '0')}`,
    level: LEVELS[index % LEVELS.length] ?? 'beginner',
    equipment: GYMS[index % GYMS.length] ?? [],
  }));
}
