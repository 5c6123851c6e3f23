/** Every subcommand, in the order of the overview. */
import type { Command } from './command.ts';
import { dlq } from './dlq.ts';
import { docs } from './docs.ts';
import { explain } from './explain.ts';
import { graph } from './graph.ts';

export const COMMANDS: readonly Command[] = [dlq, graph, explain, docs];
