/**
 * Goal: a secret file is never empty, weak or made twice, however processes start and disks fill up. Method: real files,
 * real processes that start together, a real limit on the size of files, and a file system without folders.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { loadSecretFile } from '@fit/service/secret-file';

const MODULE = resolve(import.meta.dirname, '../../src/process/secretFile.ts');
const PROCESS_COUNT = 20;
/** Prints the token once its standard input ends, so that many of these can start at the same moment. */
const PROGRAM = `
  const { loadSecretFile } = await import(${JSON.stringify(MODULE)});
  process.stdout.write('ready ');
  for await (const _ of process.stdin);
  process.stdout.write(await loadSecretFile(process.argv[1], () => undefined));
`;
const NODE_ARGS = ['--input-type=module', '--eval', PROGRAM];

const ROUND_COUNT = 50;
const OBSERVER = `
  const { readFileSync } = require('node:fs');
  process.stdout.write('ready ');
  const deadline = Date.now() + 60_000;
  const readWhenThere = (path) => {
    while (Date.now() < deadline)
      try {
        return readFileSync(path, 'utf8').trim();
      } catch {}
    return 'never there';
  };
  process.stdout.write(process.argv.slice(1).map(readWhenThere).join(' '));
`;

function noWarning(line: string): never {
  throw new Error(`unexpected warning: ${line}`);
}

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-token-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('the first start makes a secret that only its owner can read; the next start reads the same', async (t) => {
  const path = join(await emptyFolder(t), 'new/folder/a-secret');
  const token = await loadSecretFile(path, noWarning);
  assert.match(token, /^[\w-]{43}$/);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(resolve(path, '..'))).mode & 0o777, 0o700);
  assert.equal(await loadSecretFile(path, noWarning), token);
  assert.deepEqual(await readdir(resolve(path, '..')), ['a-secret']);
});

test('a secret that is empty, short or easy to guess is refused, and the error names its file', async (t) => {
  const path = join(await emptyFolder(t), 'a-secret');
  for (const [content, reason] of [
    ['', /is empty/],
    [' \n', /is empty/],
    ['x', /has 1 characters and needs at least 32/],
    ['0123456789abcdef0123456789abcde\n', /has 31 characters/],
    ['x'.repeat(32), /can be guessed/],
    ['password'.repeat(4), /can be guessed/],
    ['12345678901234567890123456789012', /can be guessed/],
    ['pässwörd-0123456789-abcdefghijklm', /outside ASCII/],
    ['0123456789abcdef'.repeat(300), /has 4800 bytes; a secret has at most 4096/],
    ['two words of more than 32 characters', /space/],
  ] as const) {
    await writeFile(path, content, { mode: 0o600 });
    await assert.rejects(
      () => loadSecretFile(path, noWarning),
      (error: Error) => {
        assert.match(error.message, reason);
        assert.ok(error.message.includes(path), error.message);
        if (content.length > 1) assert.ok(!error.message.includes(content.trim() || 'x\n'));
        return true;
      },
      `'${content}'`,
    );
  }
});

test('a folder and a pipe are refused at once', async (t) => {
  const folder = await emptyFolder(t);
  const pipe = join(folder, 'pipe');
  await once(spawn('mkfifo', [pipe]), 'exit');
  for (const path of [folder, pipe])
    await assert.rejects(
      () => loadSecretFile(path, noWarning),
      ({ message }: Error) => message.includes(`${path} is no regular file`),
    );
});

test('a file that others may read is used with a warning; one that others may write is refused', async (t) => {
  const path = join(await emptyFolder(t), 'a-secret');
  const token = await loadSecretFile(path, noWarning);
  const warnings: string[] = [];
  const warn = (line: string) => warnings.push(line);
  await chmod(path, 0o640);
  assert.equal(await loadSecretFile(path, warn), token);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /others may read.*mode 0640; run chmod 600/);
  assert.ok(!(warnings[0] ?? '').includes(token));
  await chmod(path, 0o620);
  await assert.rejects(() => loadSecretFile(path, warn), /others may change.*chmod 600/);
});

test('calls at once in one process get one secret', async (t) => {
  const path = join(await emptyFolder(t), 'a-secret');
  const calls = Array.from({ length: PROCESS_COUNT }, () => loadSecretFile(path, noWarning));
  const tokens = new Set(await Promise.all(calls));
  assert.deepEqual([...tokens], [(await readFile(path, 'utf8')).trim()]);
});

test('processes that start at once on an empty folder get one secret', async (t) => {
  const folder = await emptyFolder(t);
  const path = join(folder, 'a-secret');
  const children = Array.from({ length: PROCESS_COUNT }, () => {
    const child = spawn(process.execPath, [...NODE_ARGS, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, isReady: once(child.stdout, 'readable'), output: text(child.stdout) };
  });
  await Promise.all(children.map(({ isReady }) => isReady));
  for (const { child } of children) child.stdin.end();
  const tokens = new Set(await Promise.all(children.map(({ output }) => output)));
  assert.deepEqual([...tokens], [`ready ${(await readFile(path, 'utf8')).trim()}`]);
  assert.deepEqual(await readdir(folder), ['a-secret']);
});

test('a reader of the file always sees the whole secret', async (t) => {
  const folder = await emptyFolder(t);
  const paths = Array.from({ length: ROUND_COUNT }, (_, index) => join(folder, String(index)));
  // Reads each file as soon as it exists, faster than any process that starts could.
  const observer = spawn(process.execPath, ['--eval', OBSERVER, ...paths], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = text(observer.stdout);
  await once(observer.stdout, 'readable');
  const tokens: string[] = [];
  for (const path of paths) tokens.push(await loadSecretFile(path, noWarning));
  assert.equal(await output, `ready ${tokens.join(' ')}`);
});

test('a disk that is full at the first start leaves no file, and the next start makes the secret', async (t) => {
  const folder = await emptyFolder(t);
  const path = join(folder, 'a-secret');
  // A limit of zero bytes refuses each write to a file as a full disk does, after the file was made.
  const child = spawn(
    'bash',
    ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, ...NODE_ARGS, path],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  child.stdin.end();
  const [errors] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(child.exitCode, 1, errors);
  assert.match(errors, /EFBIG/);
  assert.deepEqual(await readdir(folder), []);
  assert.match(await loadSecretFile(path, noWarning), /^[\w-]{43}$/);
});

test('a path in /proc is refused, where a recursive mkdir of Node would never end', async () => {
  await assert.rejects(loadSecretFile('/proc/fit/token', noWarning), {
    name: 'SecretError',
    message: /^the secret file \/proc\/fit\/token cannot be written: ENOENT/,
  });
});
