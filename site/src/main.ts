/** `npm run docs`: builds the documentation of the packages as a static site, and serves it. */
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Topology } from '@fit/topology';
import { build, serve } from 'vitepress';
import { pagePrograms } from './codeBlocks.ts';
import { drawEverything, drawRetries } from './drawPlan.ts';
import { expandPage } from './expandPage.ts';
import { BUILD, REPOSITORY, readPages, readRepositoryFile } from './repository.ts';
import { writeReference } from './writeReference.ts';

const USAGE = `npm run docs [-- options]

  --build      builds the site into site/build/dist, and ends
  --port N     port to serve it on (default 12180)`;

const { values } = parseArgs({
  options: {
    build: { type: 'boolean', default: false },
    port: { type: 'string', default: '12180' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) console.log(USAGE);
else {
  await buildSite();
  if (!values.build) await serveSite(Number(values.port));
}

async function buildSite(): Promise<void> {
  const pages = readPages();
  await rm(BUILD, { recursive: true, force: true });
  await writeReference(join(BUILD, 'pages/api'));
  const charts = await drawCharts(pages.get('start.md') ?? '');
  for (const [page, text] of pages) {
    const path = join(BUILD, 'pages', page);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, expandPage(page, text, { read: readRepositoryFile, charts }));
  }
  await build(join(REPOSITORY, 'site'));
  console.log('built: site/build/dist');
}

/** The charts show the topology of the start page: its file is written and imported, as the reader does. */
async function drawCharts(startPage: string): Promise<ReadonlyMap<string, string>> {
  const file = pagePrograms('start.md', startPage).find(({ fileName }) => fileName === 'mail.ts');
  if (file === undefined) throw new Error('start.md has no block [mail.ts]');
  const path = join(BUILD, 'start/mail.ts');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, file.code);
  const { default: topology } = (await import(pathToFileURL(path).href)) as { default: Topology };
  return new Map([
    ['retries', await drawRetries(topology, 'outbox')],
    ['everything', await drawEverything(topology)],
  ]);
}

async function serveSite(port: number): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    console.error(`--port '${values.port}' must be a whole number from 1 to 65535`);
    process.exitCode = 2;
    return;
  }
  if (await isTaken(port)) {
    console.error(`port ${port} is taken: give another one by --port`);
    process.exitCode = 1;
    return;
  }
  await serve({ root: join(REPOSITORY, 'site'), port });
}

/** The server of VitePress would end with an error that names neither. */
async function isTaken(port: number): Promise<boolean> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return false;
  } catch {
    return true;
  } finally {
    server.close();
  }
}
