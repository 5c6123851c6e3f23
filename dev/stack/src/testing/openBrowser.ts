/** Starts Debian's headless Chromium for one test, in a root folder as the servers; the teardown ends it. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { type Child, startChild } from '../process/startChild.ts';
import { checkHost } from '../root/checkHost.ts';
import { enterRoot, ROOT_ENVIRONMENT } from '../root/enterRoot.ts';
import { BROWSER_ROOT, ensureRoot } from '../root/rootFolders.ts';
import type { Teardown } from './testServers.ts';

const PROGRAM = '/usr/lib/chromium/chromium-headless-shell';
const READY_DEADLINE_MS = 30_000;

const FLAGS = [
  // Chromium's sandbox needs kernel features that containers do not allow. It runs as an unprivileged user in a folder
  // that holds nothing else.
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
 * Starts a browser, which is built at the first use (about 20 s, 0.6 GB). It reaches servers on loopback.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `SERVER_NOT_READY`.
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
  // The browser runs as another user.
  await chmod(profile, 0o777);
  const mode = await checkHost();
  const [command = '', ...args] = enterRoot(
    { root, mode, mounts: { stack: profile }, user: 'server' },
    [PROGRAM, ...FLAGS, 'about:blank'],
  );
  let browserWSEndpoint = '';
  open.child = await startChild({
    name: 'chromium',
    command,
    args,
    env: { ...ROOT_ENVIRONMENT, HOME: '/stack' },
    logPath: join(profile, 'chromium.log'),
    // Chromium writes the file once it listens: the port, then the path.
    ready: async () => {
      const text = await readFile(join(profile, 'DevToolsActivePort'), 'utf8');
      const [port = '', path = ''] = text.split('\n');
      browserWSEndpoint = `ws://127.0.0.1:${port}${path}`;
      return path !== '';
    },
    deadlineMs: READY_DEADLINE_MS,
  });
  open.browser = await connect({ browserWSEndpoint });
  return open.browser;
}
