#!/usr/bin/env node
/** `topology`: the command line for operators of a declared topology. */
import { TopologyError } from '@fit/topology';
import { UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { brokerUrls, GLOBAL_USAGE, loadDeclaration, parseCommandLine } from './parseCommandLine.ts';

const args = process.argv.slice(2);
try {
  process.exitCode = await main();
} catch (error) {
  // A script that asked for JSON reads its document from standard output, whatever happens.
  if (args.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: errorDocument(error) })}\n`);
  else process.stderr.write(`topology: ${describe(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { command, ...call } = parseCommandLine(args, COMMANDS, process.env);
  if (command === undefined || call.isHelp) {
    process.stdout.write(`${command?.usage ?? overview()}\n\n${GLOBAL_USAGE}\n`);
    return 0;
  }
  try {
    const module = await loadDeclaration(call.declarationPath);
    return await command.run({
      declaration: module.declaration,
      ...brokerUrls(call, module),
      isJson: call.isJson,
      options: call.options,
      positionals: call.positionals,
      print: (text) => process.stdout.write(`${text}\n`),
      log: (line) => process.stderr.write(`${line}\n`),
    });
  } catch (error) {
    // The usage is named and not shown: it is long and would push the message off the screen.
    if (error instanceof UsageError) error.message += `\nsee: topology ${command.name} --help`;
    throw error;
  }
}

function overview(): string {
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)}${summary}`);
  return `topology <command> [options]\n\n${lines.join('\n')}`;
}

/** Our own errors say what to do; of any other error the cause is shown, too. */
function describe(error: unknown): string {
  if (error instanceof UsageError || error instanceof TopologyError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
}

/** `code` is `USAGE` for a wrong command line, the code of a TopologyError with its faults, else `FAILED`. */
function errorDocument(error: unknown): object {
  const message = describe(error);
  if (error instanceof TopologyError) return { code: error.code, message, faults: error.faults };
  return { code: error instanceof UsageError ? 'USAGE' : 'FAILED', message, faults: [] };
}
