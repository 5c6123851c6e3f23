/** Computes a number of Fibonacci's sequence. */
import Type from 'typebox';
import { defineKind } from './jobKind.ts';

export const fibonacciCalc = defineKind({
  name: 'fibonacci_calc',
  summary: "Compute a number of Fibonacci's sequence",
  payload: Type.Object(
    { n: Type.Integer({ minimum: 0, maximum: 90 }) },
    { additionalProperties: false },
  ),
  // Text, because numbers of JSON are exact only up to 2^53, which is less than the 79th of the sequence.
  result: Type.String(),
  policy: { deadline: '5s' },
  handler:
    () =>
    ({ n }) => {
      let [current, next] = [0n, 1n];
      for (let index = 0; index < n; index += 1) [current, next] = [next, current + next];
      return current.toString();
    },
});
