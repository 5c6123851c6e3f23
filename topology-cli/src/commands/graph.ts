/** `topology graph`: the plan as a chart. */

import type { Command } from '../command.ts';
import { graphOf } from '../drawing/graph.ts';
import { mermaid } from '../drawing/mermaid.ts';
import { PLAN_OPTIONS, PLAN_USAGE, planned } from '../planned.ts';

export const graph: Command = {
  name: 'graph',
  summary: 'the plan as a Mermaid chart',
  usage: `topology graph: queues, exchanges and bindings of the plan as a Mermaid flowchart; --json: nodes and edges

${PLAN_USAGE}`,
  options: PLAN_OPTIONS,
  run: (context) => {
    const drawn = graphOf(planned(context));
    context.print(context.isJson ? JSON.stringify(drawn) : mermaid(drawn));
    return Promise.resolve(0);
  },
};
