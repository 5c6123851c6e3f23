/** Puts a text in upper case. */
import Type from 'typebox';
import { defineKind } from './jobKind.ts';

export const uppercaseText = defineKind({
  name: 'uppercase_text',
  summary: 'Put a text in upper case',
  payload: Type.Object(
    { text: Type.String({ maxLength: 10_000 }) },
    { additionalProperties: false },
  ),
  result: Type.String(),
  policy: { deadline: '5s' },
  handler:
    () =>
    ({ text }) =>
      text.toUpperCase(),
});
