/**
 * Runs a TypeScript file of this repository on a fresh machine: `node stack/launch.mjs <file> [arguments]`.
 * Plain JavaScript for any Node from 18 on, because it runs before anything is installed. It installs the packages
 * once per lock file, then hands over to the pinned Node 24, which runs the sources as they are.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = resolve(fileURLToPath(import.meta.url), '../..');
const pinnedNode = join(repository, 'node_modules/node/bin/node');
const stampPath = join(repository, 'node_modules/.fit-lock-hash');

installOnce();
handOver(process.argv.slice(2));

function installOnce() {
  const lock = readFileSync(join(repository, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const isInstalled = existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash;
  if (isInstalled && existsSync(pinnedNode)) return;
  console.log('installing packages (npm install), about half a minute …');
  // Not `npm ci`: it refuses a lock file that lacks the optional binaries of other platforms, and registry mirrors
  // that carry only some platforms make such lock files. This installs the locked versions and writes nothing back.
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund'], {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) fail('npm install failed; its own message stands above');
  if (!existsSync(pinnedNode))
    fail('there is no Node 24: allow install scripts (npm config get ignore-scripts), then again');
  writeFileSync(stampPath, hash);
}

function handOver(args) {
  const child = spawn(pinnedNode, args, { cwd: repository, stdio: 'inherit', env: environment() });
  // A terminal sends Ctrl-C to the child as well; it stops, and this process ends after it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
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
