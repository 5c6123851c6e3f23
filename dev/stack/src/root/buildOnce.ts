/**
 * Builds a folder of the cache once: one process builds at a time, under another name, and renames the folder when it is
 * complete, so that a half-built folder is never used.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { holdLock, type Lock } from '../process/holdLock.ts';
import { makeFolder } from '../process/makeFolder.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { messageOf, StackError } from '../stackError.ts';

/** Bounds the wait for another process that builds the same folder; a slow mirror takes minutes. */
const OTHER_BUILDER_DEADLINE_MS = 15 * 60_000;

export interface Build extends StepOptions {
  readonly title: string;
  /** Name of the folder in the cache, ending in the hash of the recipe. */
  readonly key: string;
  /** Fills the folder, which exists and is empty. */
  readonly fill: (folder: string) => Promise<void>;
}

/**
 * The cached folder, built first when it is missing.
 * @throws StackError `BUILD_FAILED`, `FOLDER_UNUSABLE`; the reason of the signal if it was aborted. The next attempt
 * starts from nothing.
 */
export async function buildOnce(build: Build): Promise<string> {
  const folder = join(cacheFolder(), build.key);
  if (existsSync(folder)) return folder;
  makeFolder(cacheFolder(), 'FIT_STACK_CACHE=<folder> chooses another cache folder.');
  const lock = await lockFor(build, folder);
  try {
    // Another builder may have finished while this one waited for the lock.
    if (!existsSync(folder)) await buildFolder(build, folder);
    return folder;
  } finally {
    lock.release();
  }
}

async function lockFor(build: Build, folder: string): Promise<Lock> {
  const name = `build:${folder}`;
  const first = await holdLock(name);
  if (first !== undefined) return first;
  build.onProgress?.(`${build.title}: waiting for another process that builds it`);
  let lock: Lock | undefined;
  const deadlineMs = OTHER_BUILDER_DEADLINE_MS;
  const { signal } = build;
  await waitUntil(async () => (lock = await holdLock(name)) !== undefined, { deadlineMs, signal });
  if (lock !== undefined) return lock;
  signal?.throwIfAborted();
  throw new StackError(
    'BUILD_FAILED',
    `${build.title}: another process has been building it for 15 minutes`,
  );
}

async function buildFolder(build: Build, folder: string): Promise<void> {
  const startedAt = performance.now();
  build.onProgress?.(`${build.title}: building, once`);
  await removeLeftovers(build.key);
  const temporary = `${folder}.building-${process.pid}`;
  await mkdir(temporary, { recursive: true });
  try {
    await build.fill(temporary);
    await rename(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    if (existsSync(folder)) return;
    build.signal?.throwIfAborted();
    throw new StackError('BUILD_FAILED', `${build.title}: ${messageOf(cause)}`, cause);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  build.onProgress?.(`${build.title}: built in ${seconds} s`);
}

/** Removes folders of builders that were killed; the caller holds the lock, so none of them is alive. */
async function removeLeftovers(key: string): Promise<void> {
  const names = await readdir(cacheFolder());
  const leftovers = names.filter((name) => name.startsWith(`${key}.building-`));
  for (const name of leftovers) {
    await rm(join(cacheFolder(), name), { recursive: true, force: true });
  }
}

/**
 * @returns the folder of the cache: `FIT_STACK_CACHE`, else `.cache/fit-stack` in `HOME`, else the same in the home
 * folder of the user's account. Empty variables count as unset.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { FIT_STACK_CACHE: chosen = '', HOME: home = '' } = environment;
  if (chosen !== '') return resolve(chosen);
  return resolve(home === '' ? userInfo().homedir : home, '.cache', 'fit-stack');
}
