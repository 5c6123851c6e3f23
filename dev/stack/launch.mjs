/**
 * Runs a TypeScript file of this repository on a fresh machine: `node dev/stack/launch.mjs <file> [arguments]`.
 * Plain JavaScript for any Node from 18 on, because it runs before anything is installed. It installs the packages
 * once per lock file, then hands over to the pinned Node 24, which runs the sources as they are.
 *
 * It stops what it runs at a stop signal and when its own parent ends. Standard output belongs to the program that it
 * runs; its own lines go to standard error.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const repository = resolve(fileURLToPath(import.meta.url), '../../..');
const pinnedNode = join(repository, 'node_modules/node/bin/node');
const stampPath = join(repository, 'node_modules/.fit-lock-hash');
const endWithParent = join(repository, 'dev/stack/endWithParent.mjs');

const PARENT_POLL_MS = 250;
/** Bound of the time that npm takes to stop in the middle of an installation. */
const INSTALL_STOP_MS = 3_000;
const GROUP_POLL_MS = 10;
/** Bound of the time that killed processes take to be gone; longer only where nobody collects them. */
const GROUP_END_MS = 1_000;

/** Passes a stop signal to the program that runs; before the first program there is none. */
let forward = () => {};
/** The first signal that asked to stop; undefined while nobody did. */
let stopSignal;

watchSignals();
watchParent(process.ppid);
await installOnce();
process.exit(await handOver(process.argv.slice(2)));

function watchSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
  // A closed terminal fails every write; stopping in order matters more than what cannot be read any more.
  process.stderr.on('error', () => {});
}

/** The npm scripts begin with `exec`, so the parent is npm itself and not a shell that would outlive it. */
function watchParent(parent) {
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop('SIGTERM');
  }, PARENT_POLL_MS);
  timer.unref();
}

function stop(signal) {
  stopSignal ??= signal;
  forward(signal);
}

async function installOnce() {
  const lock = readFileSync(join(repository, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const isInstalled = existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash;
  if (isInstalled && existsSync(pinnedNode)) return;
  console.error('installing packages (npm install), about half a minute …');
  // Not `npm ci`: it refuses a lock file that lacks the optional binaries of other platforms, and registry mirrors
  // that carry only some platforms make such lock files. This installs the locked versions and writes nothing back.
  const command = ['npm', 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, error } = await run(command, { stdio: ['ignore', 2, 2] }, (npm, signal) => {
    console.error(`${signal}: stopping the installation; the next start begins it again`);
    killGroup(npm, signal);
    setTimeout(() => killGroup(npm, 'SIGKILL'), INSTALL_STOP_MS).unref();
  });
  if (stopSignal !== undefined) process.exit(exitCodeOf(stopSignal));
  if (error !== undefined) fail(`npm could not be started: ${error.message}`);
  if (code !== 0) fail('npm install failed; its own message stands above');
  if (!existsSync(pinnedNode))
    fail('there is no Node 24: allow install scripts (npm config get ignore-scripts), then again');
  writeFileSync(stampPath, hash);
}

/** @returns the exit code of the program. */
async function handOver(args) {
  const command = [pinnedNode, '--import', pathToFileURL(endWithParent).href, ...args];
  // The IPC channel carries nothing: it closes when this process is killed, and so tells the program.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  const options = { stdio, env: environment() };
  const { code, error } = await run(command, options, (program, signal) => program.kill(signal));
  if (error !== undefined) fail(`${pinnedNode} could not be started: ${error.message}`);
  return code;
}

/**
 * Runs a program as the leader of a process group of its own. Ctrl-C in the terminal then reaches only this process,
 * which passes it on, and whatever the program leaves in its group is killed after it.
 */
function run([program, ...args], options, onStop) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: repository, detached: true, ...options });
    child.once('error', (error) => resolve({ code: 1, error }));
    child.once('exit', async (code, signal) => {
      forward = () => {};
      await endGroup(child);
      resolve({ code: code ?? exitCodeOf(signal) });
    });
    forward = (signal) => onStop(child, signal);
    if (stopSignal !== undefined) forward(stopSignal);
  });
}

/** Kills what is left of the group; whoever waits for npm finds nothing running afterwards. */
async function endGroup(leader) {
  const end = Date.now() + GROUP_END_MS;
  while (killGroup(leader, 'SIGKILL') && Date.now() < end) await delay(GROUP_POLL_MS);
}

/** @returns false where nothing of the group is left. */
function killGroup({ pid }, signal) {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

function exitCodeOf(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/** The pinned Node first on PATH, for tools that start `node` themselves. */
function environment() {
  const bin = join(repository, 'node_modules/.bin');
  return { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` };
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
