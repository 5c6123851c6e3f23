/** All subcommands, in the order of the overview. */
import type { Command } from './command.ts';
import { apply } from './commands/applyCommand.ts';
import { diff } from './commands/diffCommand.ts';
import { dlq } from './commands/dlqCommand.ts';
import { docs } from './commands/docsCommand.ts';
import { drain } from './commands/drainCommand.ts';
import { explain } from './commands/explainCommand.ts';
import { graph } from './commands/graphCommand.ts';
import { plan } from './commands/planCommand.ts';
import { verify } from './commands/verifyCommand.ts';

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
