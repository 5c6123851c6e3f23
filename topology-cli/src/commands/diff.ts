/** `topology diff`: in what the broker differs from the plan. */

import { readLive } from '@fit/topology/management';
import type { Command } from '../command.ts';
import { planFor } from '../live/applyTopology.ts';
import { type Difference } from '../live/difference.ts';
import { diffTopology } from '../live/diffTopology.ts';
import { liveApi, refuseWords } from '../liveApi.ts';

const DIFFERENT = 2;

export const diff: Command = {
  name: 'diff',
  summary: 'in what the broker differs from the plan',
  usage: `topology diff: compares exchanges, queues, bindings and policies with the plan; changes nothing

  Each difference says who mends it: topology apply, topology drain, or a person, who is told how.
  Exit code 2 where there is any.`,
  options: {},
  run: async (context) => {
    refuseWords(context);
    const api = liveApi(context, 'diff');
    const version = await api.version();
    const plan = planFor(context.declaration, version);
    const differences = diffTopology(plan, await readLive(api));
    if (context.isJson) context.print(JSON.stringify({ version, differences }));
    else if (differences.length === 0) context.print(`same as planned for RabbitMQ ${version}`);
    else for (const line of differences.flatMap(differenceLines)) context.print(line);
    return differences.length === 0 ? 0 : DIFFERENT;
  },
};

/** What and where; both values, where there are two; what to do. */
export function differenceLines({ code, subject, ...one }: Difference): string[] {
  const [planned, live] = [one.planned, one.live].map((value) => JSON.stringify(value));
  return [
    `${code} ${subject}`,
    ...(planned === undefined ? [] : [`    planned  ${planned}`]),
    ...(live === undefined ? [] : [`    live     ${live}`]),
    `    ${one.fixedBy.padEnd(8)} ${one.remedy}`,
  ];
}
