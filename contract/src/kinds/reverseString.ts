/** Reverses a text. */
import Type from 'typebox';
import { defineKind } from './jobKind.ts';

export const reverseString = defineKind({
  name: 'reverse_string',
  summary: 'Reverse a text',
  payload: Type.Object(
    { text: Type.String({ maxLength: 10_000 }) },
    { additionalProperties: false },
  ),
  result: Type.String(),
  policy: { deadline: '5s' },
  handler: () => {
    const segmenter = new Intl.Segmenter();
    // By graphemes: a letter keeps its accents, and an emoji its parts.
    return ({ text }) =>
      [...segmenter.segment(text)]
        .map(({ segment }) => segment)
        .reverse()
        .join('');
  },
});
