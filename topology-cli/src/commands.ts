/** Every subcommand, in the order of the overview. */

import type { Command } from './command.ts';
import { apply } from './commands/apply.ts';
import { diff } from './commands/diff.ts';
import { dlq } from './commands/dlq.ts';
import { docs } from './commands/docs.ts';
import { drain } from './commands/drain.ts';
import { explain } from './commands/explain.ts';
import { graph } from './commands/graph.ts';
import { plan } from './commands/plan.ts';
import { verify } from './commands/verify.ts';

export const COMMANDS: readonly Command[] = [
  plan,
  diff,
  apply,
  drain,
  verify,
  dlq,
  graph,
  explain,
  docs,
];
