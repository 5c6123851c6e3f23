/**
 * Runs a TypeScript file of this repository on a fresh machine: `node dev/stack/launch.mjs <file> [arguments]`.
 * This is plain JavaScript for any Node from 18 on, because it runs before anything is installed. It installs the
 * packages once per lock file, then runs the file with the pinned Node 24, which needs no build.
 *
 * A stop signal, and the end of this process's parent, stop the program that it runs. Standard output is the program's
 * alone; the lines of this file go to standard error.
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
const compileCache = join(repository, 'node_modules/.cache/node-compile');
const endWithParent = join(repository, 'dev/stack/endWithParent.mjs');

const SOURCE_CONDITION = '--conditions=@fit/source';
const PARENT_POLL_MS = 250;
/** Time from the stop signal to SIGKILL for an npm that is installing. */
const INSTALL_STOP_MS = 3_000;
const GROUP_POLL_MS = 10;
/** Bound of the wait for killed processes; it is reached only if their parent does not collect them. */
const GROUP_END_MS = 1_000;

/** Sends a stop signal to the program that runs now, if any. */
let forward = () => {};
/** The first stop signal; undefined while there was none. */
let stopSignal;

watchSignals();
watchParent(process.ppid);
await installOnce();
process.exit(await runProgram(process.argv.slice(2)));

function watchSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
  // A closed terminal fails every write; without a listener that error would end this process before its program.
  process.stderr.on('error', () => {});
}

/** The npm scripts begin with `exec`, so the parent is npm itself and not a shell that outlives npm. */
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
  // `npm ci` refuses a lock file that lacks the optional binaries of other platforms, as a registry mirror with only
  // some platforms makes it. This command installs the locked versions and does not change the lock file.
  const command = ['npm', 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, error } = await run(command, { stdio: ['ignore', 2, 2] }, (npm, signal) => {
    console.error(`${signal}: stopping the installation; the next start begins it again`);
    killGroup(npm, signal);
    setTimeout(() => killGroup(npm, 'SIGKILL'), INSTALL_STOP_MS).unref();
  });
  if (stopSignal !== undefined) process.exit(exitCodeOf(stopSignal));
  if (error !== undefined) fail(`npm could not be started: ${error.message}`);
  if (code !== 0) fail('npm install failed; see its message above');
  if (!existsSync(pinnedNode))
    fail(
      'npm did not install Node 24, which takes install scripts: run `npm config set ignore-scripts false`, then try again',
    );
  writeFileSync(stampPath, hash);
}

/** @returns the exit code of the program. */
async function runProgram(args) {
  const command = [pinnedNode, '--import', pathToFileURL(endWithParent).href, ...args];
  // The IPC channel carries no messages: it closes when this process is killed, and endWithParent.mjs reacts to that.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  const options = { stdio, env: environment() };
  const { code, error } = await run(command, options, (program, signal) => program.kill(signal));
  if (error !== undefined) fail(`${pinnedNode} could not be started: ${error.message}`);
  return code;
}

/**
 * Runs a program as the leader of a process group of its own. Ctrl-C in the terminal then reaches only this process,
 * which forwards it, and processes that the program leaves in its group are killed after it.
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

/** Kills what is left of the group, so that nothing runs any more when npm ends. */
async function endGroup(leader) {
  const end = Date.now() + GROUP_END_MS;
  while (killGroup(leader, 'SIGKILL') && Date.now() < end) await delay(GROUP_POLL_MS);
}

/** @returns false if no process of the group is left. */
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

/**
 * @returns the environment with the pinned Node first on PATH, for tools that start `node` themselves, with the export
 * condition by which every Node below this process loads the libraries from their sources instead of their built files,
 * and with a folder where Node keeps compiled sources: with it a service starts in half the processor time.
 */
function environment() {
  const bin = join(repository, 'node_modules/.bin');
  const nodeOptions = (process.env.NODE_OPTIONS ?? '').split(' ').filter((word) => word !== '');
  if (!nodeOptions.includes(SOURCE_CONDITION)) nodeOptions.push(SOURCE_CONDITION);
  return {
    ...process.env,
    PATH: `${bin}:${process.env.PATH ?? ''}`,
    NODE_OPTIONS: nodeOptions.join(' '),
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? compileCache,
  };
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
