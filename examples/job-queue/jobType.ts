/** A type of job is one file in `types/`; its name is that of the type. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';

export interface JobType<Payload = unknown> {
  /** Checked when a job is posted, and before it runs. */
  readonly payload: z.ZodType<Payload>;
  /**
   * @returns the result, as JSON has it. A throw is tried again; after the last attempt the job is FAILED with its message. It
   * may run twice for one job, where a worker is killed.
   */
  readonly run: (payload: Payload, signal: AbortSignal) => unknown;
}

/** Types `run` by the schema. */
export function defineType<Payload>(type: JobType<Payload>): JobType {
  return type as JobType;
}

/**
 * @param folders beside `types/`, separated by commas.
 * @throws Error where a file defines no type.
 */
export async function loadTypes(folders: string): Promise<ReadonlyMap<string, JobType>> {
  const types = new Map<string, JobType>();
  const all = [join(import.meta.dirname, 'types'), ...folders.split(',')];
  for (const folder of all.filter((one) => one !== ''))
    for (const file of await readdir(folder)) {
      if (!file.endsWith('.ts')) continue;
      const path = join(folder, file);
      const { default: type } = (await import(pathToFileURL(path).href)) as { default?: JobType };
      if (type === undefined) throw new Error(`${path} must export a type as its default`);
      types.set(basename(file, '.ts'), type);
    }
  return types;
}
