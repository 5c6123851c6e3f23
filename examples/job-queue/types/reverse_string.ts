import { z } from 'zod';
import { defineType } from '../jobType.ts';

export default defineType({
  payload: z.strictObject({ text: z.string().max(10_000) }),
  // By graphemes: a letter keeps its accents, and an emoji its parts.
  run: ({ text }) =>
    [...new Intl.Segmenter().segment(text)]
      .map(({ segment }) => segment)
      .reverse()
      .join(''),
});
