/** Checks of a tarball that need neither its installation nor a server. */
import { join } from 'node:path';
import { runCommand, StackError, type StepOptions } from '@fit/stack';
import { REPOSITORY } from './packageNames.ts';
import type { Tarball } from './packPackages.ts';

/** ES modules only: the profile leaves out what concerns a resolution as CommonJS. */
const AUDITS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['publint', ['--strict']],
  ['attw', ['--profile', 'esm-only', '--no-color', '--no-emoji']],
];

/** @throws StackError `COMMAND_FAILED` with everything that the audits found. */
export async function auditPackage({ path }: Tarball, options: StepOptions = {}): Promise<void> {
  const findings: string[] = [];
  for (const [name, args] of AUDITS) {
    const program = join(REPOSITORY, 'node_modules/.bin', name);
    const { code, output } = await runCommand([program, path, ...args], options);
    if (code !== 0) findings.push(`${name} found:\n${output.trim()}`);
  }
  if (findings.length > 0) throw new StackError('COMMAND_FAILED', findings.join('\n'));
}
