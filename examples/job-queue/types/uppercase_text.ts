import { z } from 'zod';
import { defineType } from '../jobType.ts';

export default defineType({
  payload: z.strictObject({ text: z.string().max(10_000) }),
  run: ({ text }) => text.toUpperCase(),
});
