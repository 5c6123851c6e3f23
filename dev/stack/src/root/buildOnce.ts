/** One builder per cached folder, and never a half-built folder: built aside, then renamed. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { holdLock } from '../process/holdLock.ts';
import { makeFolder } from '../process/makeFolder.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { StackError } from '../stackError.ts';
import { cacheFolder } from './recipe.ts';

/**
 * A cold mirror on a slow line takes minutes; nobody waits longer than this for another builder.
 */
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
 * @throws StackError `BUILD_FAILED`, `FOLDER_UNUSABLE`; the reason of the signal where it was aborted. The next attempt
 * starts from nothing.
 */
export async function buildOnce(build: Build): Promise<string> {
  const folder = join(cacheFolder(), build.key);
  if (existsSync(folder)) return folder;
  makeFolder(cacheFolder(), 'FIT_STACK_CACHE=<folder> chooses another place for what is built.');
  const lock = await lockFor(build, folder);
  try {
    // Another builder may have finished while this one waited for the lock.
    if (!existsSync(folder)) await buildAside(build, folder);
    return folder;
  } finally {
    lock.release();
  }
}

async function lockFor(build: Build, folder: string): Promise<{ release(): void }> {
  const name = `build:${folder}`;
  const first = await holdLock(name);
  if (first !== undefined) return first;
  build.onProgress?.(`${build.title}: waiting for another process that builds it`);
  let lock: { release(): void } | undefined;
  const deadlineMs = OTHER_BUILDER_DEADLINE_MS;
  const { signal } = build;
  await waitUntil(async () => (lock = await holdLock(name)) !== undefined, { deadlineMs, signal });
  if (lock !== undefined) return lock;
  signal?.throwIfAborted();
  throw new StackError('BUILD_FAILED', `${build.title}: another process builds it without end`);
}

async function buildAside(build: Build, folder: string): Promise<void> {
  const startedAt = performance.now();
  build.onProgress?.(`${build.title}: building, once`);
  await removeLeftovers(build.key);
  const aside = `${folder}.building-${process.pid}`;
  await mkdir(aside, { recursive: true });
  try {
    await build.fill(aside);
    await rename(aside, folder);
  } catch (cause) {
    await rm(aside, { recursive: true, force: true });
    if (existsSync(folder)) return;
    build.signal?.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StackError('BUILD_FAILED', `${build.title}: ${reason}`, cause);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  build.onProgress?.(`${build.title}: built in ${seconds} s`);
}

/** What builders that were killed left behind; the lock says that none of them is alive. */
async function removeLeftovers(key: string): Promise<void> {
  const names = await readdir(cacheFolder());
  const leftovers = names.filter((name) => name.startsWith(`${key}.building-`));
  for (const name of leftovers) {
    await rm(join(cacheFolder(), name), { recursive: true, force: true });
  }
}
