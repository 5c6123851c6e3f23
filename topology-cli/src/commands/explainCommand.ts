/** `topology explain`: the path of one message, with times. */
import {
  type Command,
  type CommandContext,
  kindOption,
  OFFLINE_PLAN_OPTIONS,
  OFFLINE_PLAN_USAGE,
  planOffline,
  textOption,
  UsageError,
} from '../command.ts';
import { explainPath, explanationText } from '../simulate/explainPath.ts';
import {
  OUTCOME_WORDS,
  parseOutcome,
  type SimulatedOutcome,
} from '../simulate/simulatedOutcome.ts';

export const explain: Command = {
  name: 'explain',
  summary: 'what happens to one message, step by step with times',
  usage: `topology explain --outcomes reject,crash,done: the path of one message through the plan

  --outcomes A,B,…       what happens at each delivery:
      done               handled             discard       not wanted any more
      retry, reject      a failed attempt    after:30s     failed, asks for a wait of its own
      fatal              no retry helps      crash         its worker ends without an answer
      expire             no worker takes it  overflow      the oldest of a full queue
  --kind K               needed where several kinds are declared
${OFFLINE_PLAN_USAGE}`,
  options: {
    ...OFFLINE_PLAN_OPTIONS,
    outcomes: { type: 'string' },
    kind: { type: 'string' },
  },
  run: (context) => {
    const plan = planOffline(context);
    const kind = requireKind(context);
    const outcomes = outcomesOption(context);
    try {
      const explanation = explainPath(plan, kind, outcomes);
      context.print(context.isJson ? JSON.stringify(explanation) : explanationText(explanation));
    } catch (error) {
      // The command line asked for an outcome that the plan makes impossible.
      if (error instanceof RangeError) throw new UsageError(error.message);
      throw error;
    }
    return Promise.resolve(0);
  },
};

function requireKind(context: CommandContext): string {
  const name = kindOption(context);
  if (name !== undefined) return name;
  const [first, ...others] = context.declaration.kinds.map(({ kind }) => kind);
  if (first !== undefined && others.length === 0) return first;
  throw new UsageError(`give --kind: ${[first, ...others].join(', ')}`);
}

function outcomesOption(context: CommandContext): SimulatedOutcome[] {
  const text = textOption(context, 'outcomes');
  if (text === undefined) throw new UsageError('give --outcomes, such as reject,crash,done');
  return text.split(',').map((word) => {
    const outcome = parseOutcome(word.trim());
    if (outcome !== undefined) return outcome;
    throw new UsageError(`outcome '${word}' is none of ${OUTCOME_WORDS.join(', ')}`);
  });
}
