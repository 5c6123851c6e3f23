/** The command line as its own process, and a declaration in a file of its own, as another system would have it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Teardown } from '@fit/stack/testing';

const CLI = resolve(import.meta.dirname, '../../src/main.ts');
/** Outside the workspaces a package is found by its path alone. */
export const TOPOLOGY = resolve(import.meta.dirname, '../../../topology/src/index.ts');

export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Gone with the test. */
export async function cliFolder(teardown: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'topology-'));
  teardown.after(() => rm(folder, { recursive: true }));
  return folder;
}

export interface DeclarationText {
  /** As TypeScript, such as `{ one: { … } }`. */
  readonly kinds: string;
  readonly exchange: string;
  readonly amqpUrl?: string;
  readonly managementUrl?: string | undefined;
}

/** @returns the path of the module. */
export async function writeDeclaration(folder: string, text: DeclarationText): Promise<string> {
  const { kinds, exchange, ...urls } = text;
  const path = join(folder, 'declaration.ts');
  const exported = Object.entries(urls)
    .filter(([, url]) => url !== undefined)
    .map(([name, url]) => `export const ${name} = ${JSON.stringify(url)};`);
  const lines = [
    `import { declareTopology } from ${JSON.stringify(TOPOLOGY)};`,
    `export default declareTopology({ exchange: ${JSON.stringify(exchange)}, kinds: ${kinds} });`,
    ...exported,
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

/** @param variables beside those of this process. */
export function startCli(
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(process.execPath, [CLI, ...words], { env: { ...process.env, ...variables } });
}

/** The command line with the declaration of one folder. */
export class CliProgram {
  readonly folder: string;
  /** Words before those of each call, such as `dlq`. */
  readonly #command: readonly string[];

  constructor(folder: string, command: readonly string[] = []) {
    this.folder = folder;
    this.#command = command;
  }

  start(...words: string[]): ChildProcess {
    const declaration = ['--declaration', join(this.folder, 'declaration.ts')];
    return startCli([...this.#command, ...words, ...declaration]);
  }

  async run(...words: string[]): Promise<CliResult> {
    return await resultOf(this.start(...words));
  }
}

/** Waits until it has ended. */
export async function resultOf(child: ChildProcess): Promise<CliResult> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', (bytes: Buffer) => (out += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (err += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}
