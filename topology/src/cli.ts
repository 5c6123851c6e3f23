/** The topology's command line: what is planned, what is there, and the way from one to the other. */
import { type Command, UsageError } from './cli/command.ts';
import { COMMANDS } from './cli/commands.ts';
import { type Call, GLOBAL_USAGE, loadDeclaration, readCall } from './cli/readCall.ts';
import { TopologyError } from './errors.ts';

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`topology: ${describe(error)}\n`);
  process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<number> {
  const call = readCall(args, COMMANDS, process.env);
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
      amqpUrl: call.amqpUrl ?? module.amqpUrl,
      // Somebody else's broker has somebody else's management API.
      managementUrl:
        call.managementUrl ?? (call.amqpUrl === undefined ? module.managementUrl : undefined),
      print: (text) => process.stdout.write(`${text}\n`),
      say: (line) => process.stderr.write(`${line}\n`),
    });
  } catch (error) {
    if (error instanceof UsageError) error.message += `\n\n${usageOf(command)}`;
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
