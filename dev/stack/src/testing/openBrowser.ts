/** A headless Chromium of its own for one test: Debian's, in a root folder like the servers', gone with the test. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { type Child, startChild } from '../process/startChild.ts';
import { checkHost } from '../root/checkHost.ts';
import { ensureRoot } from '../root/ensureRoot.ts';
import { enterRoot, ROOT_ENVIRONMENT } from '../root/enterRoot.ts';
import { BROWSER_ROOT } from '../root/recipe.ts';
import type { Teardown } from './testServer.ts';

const PROGRAM = '/usr/lib/chromium/chromium-headless-shell';
const READY_MS = 30_000;

const FLAGS = [
  // The program runs as a user without rights, in a folder that holds nothing else; its own sandbox would need more of the
  // kernel than containers allow.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--remote-debugging-address=127.0.0.1',
  '--remote-debugging-port=0',
  '--user-data-dir=/stack',
];

/**
 * Built at the first use (about 20 s, 0.6 GB). Tests open it by the pages' own address on loopback.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `SERVICE_NOT_READY`.
 */
export async function openBrowser(teardown: Teardown): Promise<Browser> {
  const { connect } = await import('puppeteer-core');
  const root = await ensureRoot(BROWSER_ROOT, {
    onProgress: (line) => {
      process.stderr.write(`${line}\n`);
    },
  });
  const profile = await mkdtemp(join(tmpdir(), 'fit-browser-'));
  const open: { child?: Child; browser?: Browser } = {};
  teardown.after(async () => {
    await open.browser?.disconnect();
    await open.child?.kill();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  // It is another user's inside.
  await chmod(profile, 0o777);
  const mode = await checkHost();
  const [command = '', ...args] = enterRoot(
    { root, mode, mounts: { stack: profile }, user: 'service' },
    [PROGRAM, ...FLAGS, 'about:blank'],
  );
  let browserWSEndpoint = '';
  open.child = await startChild({
    name: 'chromium',
    command,
    args,
    env: { ...ROOT_ENVIRONMENT, HOME: '/stack' },
    logPath: join(profile, 'chromium.log'),
    // Written once it listens: the port, then the path.
    ready: async () => {
      const text = await readFile(join(profile, 'DevToolsActivePort'), 'utf8');
      const [port = '', path = ''] = text.split('\n');
      browserWSEndpoint = `ws://127.0.0.1:${port}${path}`;
      return path !== '';
    },
    deadlineMs: READY_MS,
  });
  open.browser = await connect({ browserWSEndpoint });
  return open.browser;
}
