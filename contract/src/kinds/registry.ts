/** Every kind of job. To add one, write its file and add its line here: the topology, `POST /jobs` and the coach read this list. */
import { createWod } from './createWod.ts';
import { fibonacciCalc } from './fibonacciCalc.ts';
import type { JobKind } from './jobKind.ts';
import { reverseString } from './reverseString.ts';
import { uppercaseText } from './uppercaseText.ts';

export const JOB_KINDS = [
  createWod,
  reverseString,
  uppercaseText,
  fibonacciCalc,
] as const satisfies readonly JobKind[];

/** Name of a registered kind. */
export type FitKind = (typeof JOB_KINDS)[number]['name'];

/** @returns undefined where no kind has this name. */
export function findKind(name: string): JobKind | undefined {
  return JOB_KINDS.find((kind) => kind.name === name);
}
