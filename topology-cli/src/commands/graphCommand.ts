/** `topology graph`: the plan as a chart. */
import { type Command, OFFLINE_PLAN_OPTIONS, OFFLINE_PLAN_USAGE, planOffline } from '../command.ts';
import { mermaidChart } from '../drawing/mermaidChart.ts';
import { topologyGraph } from '../drawing/topologyGraph.ts';

export const graph: Command = {
  name: 'graph',
  summary: 'the plan as a Mermaid chart',
  usage: `topology graph: queues, exchanges and bindings of the plan as a Mermaid flowchart; --json: its nodes and edges

${OFFLINE_PLAN_USAGE}`,
  options: OFFLINE_PLAN_OPTIONS,
  run: (context) => {
    const made = topologyGraph(planOffline(context));
    context.print(context.isJson ? JSON.stringify(made) : mermaidChart(made));
    return Promise.resolve(0);
  },
};
