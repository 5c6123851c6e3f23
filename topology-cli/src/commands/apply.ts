/** `topology apply`: brings the broker to the plan. */
import { openTopologyAdmin } from '@fit/topology/amqp';
import { readLive } from '@fit/topology/management';
import type { Command, Context } from '../command.ts';
import { type ApplyReport, applyTopology, planFor } from '../live/applyTopology.ts';
import { planSteps } from '../live/planSteps.ts';
import { describeStep } from '../live/step.ts';
import { liveApi, refuseWords } from '../liveApi.ts';
import { differenceLines } from './diff.ts';

const NOT_WHOLLY = 2;

export const apply: Command = {
  name: 'apply',
  summary: 'brings the broker to the plan; deletes no queue',
  usage: `topology apply [--dry-run]: adds what is missing, sets policies, removes bindings that double or
misroute; other tiers are switched while workers run, without a message doubled or parked too early.
Safe to run again after a kill. Old wait queues stay until topology drain.

  --dry-run              prints the steps, does none; exit code 2 where there are any
                         Exit code 2 as well where differences are left: for topology drain, or for a person.`,
  options: { 'dry-run': { type: 'boolean' } },
  run: async (context) => {
    refuseWords(context);
    return context.values['dry-run'] === true ? await dryRun(context) : await carryOut(context);
  },
};

async function dryRun(context: Context): Promise<number> {
  const api = liveApi(context, 'apply');
  const plan = planFor(context.declaration, await api.version());
  const steps = planSteps(plan, await readLive(api)).map(describeStep);
  if (context.isJson) context.print(JSON.stringify({ isDryRun: true, steps }));
  else if (steps.length === 0) context.print('nothing to do');
  else for (const step of steps) context.print(step);
  return steps.length === 0 ? 0 : NOT_WHOLLY;
}

async function carryOut(context: Context): Promise<number> {
  const api = liveApi(context, 'apply');
  const hand = await openTopologyAdmin(context.amqpUrl, 'topology apply');
  try {
    const report = await applyTopology({
      hand,
      api,
      declaration: context.declaration,
      onStep: (step, index, count) => {
        context.say(`${index + 1}/${count} ${describeStep(step)}`);
      },
    });
    tell(context, report);
    return report.remaining.length === 0 ? 0 : NOT_WHOLLY;
  } finally {
    await hand.close();
  }
}

function tell({ isJson, print }: Context, { steps, remaining }: ApplyReport): void {
  if (isJson) {
    print(JSON.stringify({ isDryRun: false, steps: steps.map(describeStep), remaining }));
    return;
  }
  const left = remaining.length === 0 ? 'same as planned' : `${remaining.length} differences left`;
  print(`${steps.length} steps done; ${left}`);
  for (const line of remaining.flatMap(differenceLines)) print(line);
  if (remaining.some(({ fixedBy }) => fixedBy === 'drain')) print('next: topology drain');
}
