/**
 * The folder of a stack: which launcher owns it, the state file in it by which `status` and `down` find the stack, and
 * how a stack is stopped from another process.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { holdLock, type Lock } from '../process/holdLock.ts';
import { makeFolder } from '../process/makeFolder.ts';
import {
  identify,
  isAlive,
  killProcessesOnFolder,
  type ProcessIdentity,
  sendSignal,
} from '../process/processTable.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { waitUntil } from '../process/waitUntil.ts';
import type { ServerName } from '../servers/serverDefinition.ts';
import { StackError } from '../stackError.ts';

/** Longer than the servers usually take to stop; then the launcher is killed. */
const STOP_DEADLINE_MS = 60_000;

/** The lock of a process that was killed is free once the kernel has closed its sockets. */
const LOCK_FREE_DEADLINE_MS = 5_000;

const MAKE_FOLDER_REMEDY = 'Data is kept in .stack of the checkout: make that folder writable.';

export interface ServerState {
  readonly name: ServerName;
  readonly pid: number;
  readonly url: string;
  readonly logPath: string;
}

/** Addresses of a stack; undefined for servers that the stack neither runs nor was given. */
export interface StackUrls {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly prometheusUrl: string | undefined;
  readonly alertmanagerUrl: string | undefined;
  readonly brokerMetricsUrl: string | undefined;
}

/** Content of the state file. */
export interface StackState {
  readonly name: string;
  readonly launcher: ProcessIdentity;
  /** Without passwords. Undefined until every server was ready once. */
  readonly urls: StackUrls | undefined;
  readonly servers: readonly ServerState[];
}

/** @returns the default folder of a stack: `.stack/<name>` in the repository. */
export function defaultFolder(name: string): string {
  return resolve(import.meta.dirname, '../../../../.stack', name);
}

/** The name becomes a folder and part of the broker's node name. */
export function isStackName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,39}$/.test(text);
}

/** @returns undefined when no stack ran in the folder, or the last one was stopped in order. */
export function readState(folder: string): StackState | undefined {
  try {
    return JSON.parse(readFileSync(statePath(folder), 'utf8')) as StackState;
  } catch {
    return undefined;
  }
}

/** Replaces the state file atomically, so that no reader sees half of it. */
export function writeState(folder: string, state: Omit<StackState, 'launcher'>): void {
  const text = JSON.stringify({ ...state, launcher: identify(process.pid) }, undefined, 2);
  writeFileSync(`${statePath(folder)}.new`, `${text}\n`);
  renameSync(`${statePath(folder)}.new`, statePath(folder));
}

export function removeState(folder: string): void {
  rmSync(statePath(folder), { force: true });
}

/** @returns whether the process that started the stack still runs. */
export function launcherIsAlive(state: StackState): boolean {
  return isAlive(state.launcher);
}

/** @returns the URL without user and password, so that it may be shown; also of a MongoDB URL with several hosts. */
export function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/?#]*@/, '//');
}

export interface ClaimOptions extends StepOptions {
  /** Name of the stack. */
  readonly name: string;
  /** Deletes the content of the folder once it is claimed. Default false. */
  readonly isFresh?: boolean;
}

/**
 * Makes the folder, takes its lock, kills what a killed launcher left running there, and writes the state file.
 * @throws StackError `STACK_RUNNING` while another launcher holds the folder; nothing was changed then.
 * `FOLDER_UNUSABLE`.
 */
export async function claimFolder(folder: string, options: ClaimOptions): Promise<Lock> {
  const { name, onProgress } = options;
  const lock = await holdLock(lockName(folder));
  if (lock === undefined) throw alreadyRunning(folder);
  try {
    makeFolder(folder, MAKE_FOLDER_REMEDY);
    const killed = await killProcessesOnFolder(folder);
    if (killed > 0) onProgress?.(`killed ${killed} processes that a former launcher left running`);
    if (options.isFresh === true) {
      await rm(folder, { recursive: true, force: true });
      makeFolder(folder, MAKE_FOLDER_REMEDY);
      onProgress?.(`deleted the data of the last start in ${folder}`);
    }
    writeState(folder, { name, urls: undefined, servers: [] });
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Stops the stack in a folder, through its launcher if that still runs, and kills what a killed launcher left.
 * @returns true when anything was running.
 * @throws StackError `STACK_RUNNING` if another launcher starts there at the same moment; its data is not touched.
 */
export async function stopStack(folder: string, options: { purge: boolean }): Promise<boolean> {
  const state = readState(folder);
  let wasRunning = false;
  if (state !== undefined && launcherIsAlive(state)) {
    wasRunning = true;
    sendSignal(state.launcher.pid, 'SIGTERM');
    const hasEnded = await waitUntil(() => !launcherIsAlive(state), {
      deadlineMs: STOP_DEADLINE_MS,
    });
    if (!hasEnded) sendSignal(state.launcher.pid, 'SIGKILL');
  }
  let lock: Lock | undefined;
  const take = async (): Promise<boolean> =>
    (lock = await holdLock(lockName(folder))) !== undefined;
  await waitUntil(take, { deadlineMs: LOCK_FREE_DEADLINE_MS });
  if (lock === undefined) throw alreadyRunning(folder);
  try {
    const killed = await killProcessesOnFolder(folder);
    removeState(folder);
    if (options.purge && existsSync(folder)) await rm(folder, { recursive: true, force: true });
    return wasRunning || killed > 0;
  } finally {
    lock.release();
  }
}

function alreadyRunning(folder: string): StackError {
  const state = readState(folder);
  const launcher =
    state !== undefined && launcherIsAlive(state)
      ? `launcher pid ${state.launcher.pid}`
      : 'a launcher that is starting or ending';
  const remedy = 'Stop it with Ctrl-C or `npm run stack -- down`, or choose another --name.';
  const message = `A stack already runs on ${folder} (${launcher}).\n${remedy}`;
  return new StackError('STACK_RUNNING', message);
}

function lockName(folder: string): string {
  return `run:${folder}`;
}

function statePath(folder: string): string {
  return join(folder, 'stack.json');
}
