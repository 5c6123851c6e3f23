/** Where a check has its clone, its daemon's data and its stand-ins' sources; nothing of it stays. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'fit-compose-check-';
const CGROUPS = '/sys/fs/cgroup';

/** The name of this run: of its folder, its cgroups, its Compose project. */
export const runName = (pid: number): string => `${PREFIX}${pid}`;

/** @returns a new folder, its owner's alone. */
export async function makeWorkFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), `${runName(process.pid)}-`));
}

/** Removes what checks that were killed left behind. */
export async function sweepWorkFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^fit-compose-check-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
    await removeCgroups(Number(pid));
  }
}

/** A daemon that is killed leaves its empty cgroups: folders of each hierarchy, removed from the leaves on. */
export async function removeCgroups(pid: number): Promise<void> {
  if (!existsSync(CGROUPS)) return;
  const hierarchies = [CGROUPS, ...(await readdir(CGROUPS)).map((name) => join(CGROUPS, name))];
  for (const hierarchy of hierarchies) await removeFolders(join(hierarchy, runName(pid)));
}

async function removeFolders(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries)
    if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  // The kernel removes its last process a moment later; an empty cgroup that stays costs nothing.
  await rmdir(folder).catch(() => undefined);
}
