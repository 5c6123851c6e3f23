/** The topology's command line: what is planned, what is there, and the way from one to the other. */

import { TopologyError } from '@fit/topology';
import { type Command, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { brokerUrls, type Call, GLOBAL_USAGE, loadDeclaration, readCall } from './readCall.ts';

const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  // A script that asked for JSON reads its document from standard output, whatever the end.
  if (args.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: asJson(error) })}\n`);
  else process.stderr.write(`topology: ${describe(error)}\n`);
  process.exitCode = 1;
}

async function main(words: readonly string[]): Promise<number> {
  const call = readCall(words, COMMANDS, process.env);
  if (call.command === undefined || call.isHelp) {
    process.stdout.write(`${call.command === undefined ? overview() : usageOf(call.command)}\n`);
    return 0;
  }
  return await run(call.command, call);
}

async function run(command: Command, call: Call): Promise<number> {
  try {
    const module = await loadDeclaration(call.declarationPath);
    return await command.run({
      ...call,
      declaration: module.declaration,
      ...brokerUrls(call, module),
      print: (text) => process.stdout.write(`${text}\n`),
      say: (line) => process.stderr.write(`${line}\n`),
    });
  } catch (error) {
    // The whole usage would push the message off the screen.
    if (error instanceof UsageError) error.message += `\nsee: topology ${command.name} --help`;
    throw error;
  }
}

function overview(): string {
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)}${summary}`);
  return `topology <command> [options]\n\n${lines.join('\n')}\n\n${GLOBAL_USAGE}`;
}

function usageOf(command: Command): string {
  return `${command.usage}\n\n${GLOBAL_USAGE}`;
}

/** What we raise ourselves says what to do; the cause of anything else helps to repair it. */
function describe(error: unknown): string {
  if (error instanceof UsageError || error instanceof TopologyError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
}

/** `code` is `USAGE` for a wrong call, the code of a TopologyError with its faults, else `FAILED`. */
function asJson(error: unknown): object {
  const message = describe(error);
  if (error instanceof TopologyError) return { code: error.code, message, faults: error.faults };
  return { code: error instanceof UsageError ? 'USAGE' : 'FAILED', message, faults: [] };
}
