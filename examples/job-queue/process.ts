/** What every process of the queue needs: its settings, and to know when to stop. */
import { once } from 'node:events';

/** @throws Error where a setting without a default is missing. */
export function setting(name: string, fallback?: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  if (fallback === undefined) throw new Error(`${name} is not set`);
  return fallback;
}

/** Resolves at a stop signal, and when the process that started this one has ended. */
export async function whenStopped(): Promise<void> {
  await Promise.race(['SIGTERM', 'SIGINT', 'disconnect'].map((event) => once(process, event)));
}
