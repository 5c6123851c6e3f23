/** `topology diff`: how the broker differs from the plan. */
import { readLive } from '@fit/topology/management';
import { planFor } from '../apply/applyTopology.ts';
import { diffTopology, type TopologyDifference } from '../apply/diffTopology.ts';
import {
  type Command,
  EXIT_DIFFERENT,
  refusePositionals,
  requireManagementApi,
} from '../command.ts';

export const diff: Command = {
  name: 'diff',
  summary: 'how the broker differs from the plan',
  usage: `topology diff [--no-management]: compares exchanges, queues, bindings and policies with the plan; changes nothing

  Each difference says what removes it: topology apply, topology drain, or an operator, and how.

  --no-management        compares with what processes without managementUrl declare: limits are arguments of the queues

  Exit code 2: there are differences.`,
  options: { 'no-management': { type: 'boolean' } },
  run: async (context) => {
    refusePositionals(context);
    const api = requireManagementApi(context, 'diff');
    const version = await api.version();
    const hasManagement = context.options['no-management'] !== true;
    const plan = planFor(context.declaration, version, hasManagement);
    const differences = diffTopology(plan, await readLive(api));
    if (context.isJson) context.print(JSON.stringify({ version, differences }));
    else if (differences.length === 0) context.print(`same as planned for RabbitMQ ${version}`);
    else for (const line of differences.flatMap(differenceLines)) context.print(line);
    return differences.length === 0 ? 0 : EXIT_DIFFERENT;
  },
};

/** @returns code and subject; the planned and the live value if there are any; the remedy. */
export function differenceLines(difference: TopologyDifference): string[] {
  const { code, subject, planned, live, advice = [], fixedBy, remedy } = difference;
  return [
    `${code} ${subject}`,
    ...(planned === undefined ? [] : [`    planned  ${JSON.stringify(planned)}`]),
    ...(live === undefined ? [] : [`    live     ${JSON.stringify(live)}`]),
    ...advice.map(
      ({ name, effect, declare }) =>
        `    ${name}: ${effect}; ${declare === undefined ? 'it cannot be adopted' : `to adopt it declare ${declare}`}`,
    ),
    `    ${fixedBy.padEnd(8)} ${remedy}`,
  ];
}
