/** What a running stack leaves in its folder, so that `status`, `logs` and `down` find it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from '../process/processTable.ts';
import type { ServiceName } from '../service/serviceDefinition.ts';

export interface ServiceState {
  readonly name: ServiceName;
  readonly pid: number;
  readonly url: string;
  readonly logPath: string;
}

/** Addresses of a stack; undefined for what it does not run and was not told of. */
export interface StackUrls {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly prometheusUrl: string | undefined;
  readonly alertmanagerUrl: string | undefined;
  readonly brokerMetricsUrl: string | undefined;
}

export interface StackState {
  readonly name: string;
  readonly launcher: ProcessIdentity;
  /** Without passwords. Undefined until every service was ready once. */
  readonly urls: StackUrls | undefined;
  readonly services: readonly ServiceState[];
}

/** Where a stack of that name lives by default: `.stack/<name>` in the repository. */
export function defaultFolder(name: string): string {
  return resolve(import.meta.dirname, '../../../../.stack', name);
}

/** The state in a folder; undefined when no stack ran there or it was stopped in order. */
export function readState(folder: string): StackState | undefined {
  try {
    return JSON.parse(readFileSync(statePath(folder), 'utf8')) as StackState;
  } catch {
    return undefined;
  }
}

/** Writes the state, aside and renamed: a reader never sees half of it. */
export function writeState(folder: string, state: Omit<StackState, 'launcher'>): void {
  const text = JSON.stringify({ ...state, launcher: identify(process.pid) }, undefined, 2);
  writeFileSync(`${statePath(folder)}.new`, `${text}\n`);
  renameSync(`${statePath(folder)}.new`, statePath(folder));
}

/** Removes the state; missing is fine. */
export function removeState(folder: string): void {
  rmSync(statePath(folder), { force: true });
}

/** Whether the process that started the stack still runs. */
export function launcherIsAlive(state: StackState): boolean {
  return isAlive(state.launcher);
}

function statePath(folder: string): string {
  return join(folder, 'stack.json');
}
