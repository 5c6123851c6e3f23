/** `topology graph`: the plan as a chart. */

import { type Command, textOf, UsageError } from '../command.ts';
import { dot } from '../drawing/dot.ts';
import { type Graph, graphOf } from '../drawing/graph.ts';
import { mermaid } from '../drawing/mermaid.ts';
import { PLAN_OPTIONS, PLAN_USAGE, planned } from '../planned.ts';

const FORMATS: Readonly<Record<string, (graph: Graph) => string>> = { mermaid, dot };

export const graph: Command = {
  name: 'graph',
  summary: 'the plan as a Mermaid or Graphviz chart',
  usage: `topology graph [--format mermaid|dot]: queues, exchanges and bindings of the plan

  --format F             mermaid (default) or dot; --json: nodes and edges
${PLAN_USAGE}`,
  options: { ...PLAN_OPTIONS, format: { type: 'string' } },
  run: (context) => {
    const format = textOf(context, 'format') ?? 'mermaid';
    const render = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
    if (render === undefined)
      throw new UsageError(`--format '${format}' is none of ${Object.keys(FORMATS).join(', ')}`);
    const drawn = graphOf(planned(context));
    context.print(context.isJson ? JSON.stringify(drawn) : render(drawn));
    return Promise.resolve(0);
  },
};
