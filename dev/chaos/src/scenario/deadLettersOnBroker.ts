/** As `exhausted`, with the dead-letter recorder off and a replay that is killed while it takes the dead letters. */
import { executeExhaustion } from './exhausted.ts';
import type { Scenario } from './scenario.ts';

export const deadLetters: Scenario = {
  name: 'dead-letters',
  description:
    'as exhausted, but dead letters stay on the broker, and the first replay is killed half-way',
  execute: async (options) =>
    await executeExhaustion(options, { isRecorderOn: false, isReplayKilled: true }),
};
