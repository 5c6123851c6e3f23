/** Every subcommand, in the order of the overview. */
import { apply } from './apply.ts';
import type { Command } from './command.ts';
import { diff } from './diff.ts';
import { dlq } from './dlq.ts';
import { docs } from './docs.ts';
import { drain } from './drain.ts';
import { explain } from './explain.ts';
import { graph } from './graph.ts';
import { plan } from './plan.ts';
import { verify } from './verify.ts';

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
