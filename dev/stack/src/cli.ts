#!/usr/bin/env node
/** The stack's command line: `up`, `down`, `status`, `logs`. Exit code 0; 1 with a message; 130 for a signal while it starts. */
import { down, logs, status } from './cli/inspect.ts';
import { parseArguments, USAGE } from './cli/parseArguments.ts';
import { up } from './cli/up.ts';
import { StackError } from './stackError.ts';

try {
  const command = parseArguments(process.argv.slice(2));
  switch (command.verb) {
    case 'help':
      console.log(USAGE);
      break;
    case 'up':
      await up(command);
      break;
    case 'down':
      await down(command);
      break;
    case 'status':
      status(command);
      break;
    case 'logs':
      await logs(command);
      break;
  }
} catch (error) {
  // What we raise ourselves says what to do; the stack trace of anything else helps to repair it.
  console.error(error instanceof StackError ? error.message : error);
  process.exitCode = error instanceof StackError && error.code === 'STOPPED' ? 130 : 1;
}
