/** `topology apply`: makes the broker equal to the plan. */
import { openTopologyAdmin } from '@fit/topology/amqp';
import { readLive } from '@fit/topology/management';
import { applyTopology, planFor } from '../apply/applyTopology.ts';
import { describeStep, planSteps } from '../apply/planSteps.ts';
import {
  type Command,
  type CommandContext,
  EXIT_DIFFERENT,
  refusePositionals,
  requireManagementApi,
} from '../command.ts';
import { differenceLines } from './diffCommand.ts';

export const apply: Command = {
  name: 'apply',
  summary: 'makes the broker equal to the plan; deletes no queue',
  usage: `topology apply [--dry-run] [--no-management]: declares what is missing, sets policies, removes bindings that duplicate or misroute
messages. Other tiers come into use while workers run: no message is duplicated or dead-lettered too early.
It can be run again after a kill. Wait queues of former tiers stay until topology drain.

  --dry-run              prints the steps and does none

  --no-management        declares what processes without managementUrl declare: limits are arguments of the queues

  Exit code 2: with --dry-run, there are steps; without, differences are left for topology drain or for an operator.`,
  options: { 'dry-run': { type: 'boolean' }, 'no-management': { type: 'boolean' } },
  run: async (context) => {
    refusePositionals(context);
    return context.options['dry-run'] === true
      ? await printSteps(context)
      : await performApply(context);
  },
};

function hasManagement({ options }: CommandContext): boolean {
  return options['no-management'] !== true;
}

async function printSteps(context: CommandContext): Promise<number> {
  const api = requireManagementApi(context, 'apply');
  const plan = planFor(context.declaration, await api.version(), hasManagement(context));
  const steps = planSteps(plan, await readLive(api)).map(describeStep);
  if (context.isJson) context.print(JSON.stringify({ isDryRun: true, steps }));
  else context.print(steps.length === 0 ? 'nothing to do' : steps.join('\n'));
  return steps.length === 0 ? 0 : EXIT_DIFFERENT;
}

async function performApply(context: CommandContext): Promise<number> {
  const { declaration, isJson, print, log } = context;
  const api = requireManagementApi(context, 'apply');
  const admin = await openTopologyAdmin(context.amqpUrl, 'topology apply');
  try {
    const { steps, remaining } = await applyTopology({
      admin,
      api,
      declaration,
      hasManagement: hasManagement(context),
      onStep: (step, index, count) => {
        log(`${index + 1}/${count} ${describeStep(step)}`);
      },
    });
    if (isJson)
      print(JSON.stringify({ isDryRun: false, steps: steps.map(describeStep), remaining }));
    else {
      const rest =
        remaining.length === 0 ? 'same as planned' : `${remaining.length} differences left`;
      print(`${steps.length} steps done; ${rest}`);
      for (const line of remaining.flatMap(differenceLines)) print(line);
      if (remaining.some(({ fixedBy }) => fixedBy === 'drain')) print('next: topology drain');
    }
    return remaining.length === 0 ? 0 : EXIT_DIFFERENT;
  } finally {
    await admin.close();
  }
}
