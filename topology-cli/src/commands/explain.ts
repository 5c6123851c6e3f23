/** `topology explain`: the way of one message, with times. */

import type { TopologyPlan } from '@fit/topology';
import { type Command, type Context, textOf, UsageError } from '../command.ts';
import { type Explanation, explain as explainPlan } from '../explain/explain.ts';
import { explanationText } from '../explain/explanationText.ts';
import { PLAN_OPTIONS, PLAN_USAGE, planned } from '../planned.ts';
import { FATE_WORDS, type Fate, readFate } from '../simulate/fate.ts';

export const explain: Command = {
  name: 'explain',
  summary: 'what becomes of a message, step by step with times',
  usage: `topology explain --outcomes reject,crash,done: the way of one message through the plan

  --outcomes A,B,…       what it meets at each delivery:
      done               handled             discard       not wanted any more
      retry, reject      a failed attempt    after:30s     failed, asks for a wait of its own
      fatal              no retry mends it   crash         its worker ends without an answer
      expire             nobody takes it     overflow      the oldest of a full queue
  --kind K               needed where several kinds are declared
${PLAN_USAGE}`,
  options: { ...PLAN_OPTIONS, outcomes: { type: 'string' }, kind: { type: 'string' } },
  run: (context) => {
    const plan = planned(context);
    const explanation = explained(plan, kindOf(context, plan), fatesOf(context));
    context.print(context.isJson ? JSON.stringify(explanation) : explanationText(explanation));
    return Promise.resolve(0);
  },
};

function kindOf(context: Context, { kinds }: TopologyPlan): string {
  const [only, ...others] = kinds;
  const name = textOf(context, 'kind') ?? (others.length === 0 ? only?.kind : undefined);
  if (name !== undefined && kinds.some(({ kind }) => kind === name)) return name;
  const known = kinds.map(({ kind }) => kind).join(', ');
  throw new UsageError(
    name === undefined ? `give --kind: ${known}` : `--kind '${name}' is none of ${known}`,
  );
}

function fatesOf(context: Context): Fate[] {
  const text = textOf(context, 'outcomes');
  if (text === undefined) throw new UsageError('give --outcomes, such as reject,crash,done');
  return text.split(',').map((word) => {
    const fate = readFate(word.trim());
    if (fate !== undefined) return fate;
    throw new UsageError(`outcome '${word}' is none of ${FATE_WORDS.join(', ')}`);
  });
}

/** What the plan makes impossible was asked for in the call. */
function explained(plan: TopologyPlan, kind: string, fates: readonly Fate[]): Explanation {
  try {
    return explainPlan(plan, kind, fates);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}
