/** The words by which a history tells how an attempt ended. */
import type { NextStep } from '../retry/nextStep.ts';
import { errorClass, errorMessage, type Outcome } from '../retry/outcome.ts';

/** @returns such as 'done', 'fails: Error: busy' or 'fails, the last attempt'. */
export function settlementWords(step: NextStep, outcome: Outcome): string {
  const error =
    'error' in outcome && outcome.error !== undefined
      ? `: ${errorClass(outcome.error)}: ${errorMessage(outcome.error)}`
      : '';
  switch (step.type) {
    case 'ack':
      return 'done';
    case 'drop':
      return outcome.type === 'discard' ? `discarded: ${outcome.reason}` : 'discarded';
    case 'wait':
      return `fails${error}`;
    case 'exhaust':
      return `fails, the last attempt${error}`;
    case 'deadLetter':
      return `fails for good${error}`;
    case 'skip':
      return `fails, asks for tier ${step.tier}${error}`;
  }
}
