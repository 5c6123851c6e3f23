import { z } from 'zod';
import { defineType } from '../jobType.ts';

export default defineType({
  payload: z.strictObject({ n: z.int().min(0).max(90) }),
  // Text, because numbers of JSON are exact only up to 2^53, which is less than the 79th of the sequence.
  run: ({ n }) => {
    let [current, next] = [0n, 1n];
    for (let index = 0; index < n; index += 1) [current, next] = [next, current + next];
    return current.toString();
  },
});
