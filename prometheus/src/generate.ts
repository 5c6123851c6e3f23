/**
 * `npm run rules [-- [--check] [folder]]`: writes the configurations that compose mounts (one per profile), the dashboards, ALERTS.md
 * and METRICS.md; by default into prometheus/generated, prometheus/grafana/dashboards and prometheus. `--check` writes nothing, names
 * each stale file and exits with 1. Only a given folder gets the receivers and links of the environment (ALERT_…, FIT_CONSOLE_URL,
 * FIT_RUNBOOK_BASE), so that committed files contain nobody's addresses.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fitTopology, PROFILES } from '@fit/contract';
import { DEFAULT_LINKS, readLinks } from './config/links.ts';
import { readReceivers } from './config/receivers.ts';
import { COMPOSE_TARGETS } from './config/targets.ts';
import {
  copySecrets,
  openToContainers,
  renderMonitoringConfig,
  secretFiles,
  writeFiles,
} from './config/writeMonitoringConfig.ts';
import { renderDashboards } from './dashboards/renderDashboards.ts';
import { renderAlertDocument } from './documents/renderAlertDocument.ts';
import { renderMetricsDocument } from './documents/renderMetricsDocument.ts';

interface Output {
  readonly folder: string;
  readonly texts: ReadonlyMap<string, string>;
}

const PACKAGE = join(import.meta.dirname, '..');

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [folder] = positionals;
const receivers = folder === undefined ? {} : readReceivers(process.env);
const links = folder === undefined ? DEFAULT_LINKS : readLinks(process.env);
const outputs: readonly Output[] = [
  // One per profile, since the profiles have different limits.
  ...PROFILES.map((profile) => ({
    folder: join(folder ?? join(PACKAGE, 'generated'), profile),
    texts: renderMonitoringConfig({
      declaration: fitTopology({ profile }),
      targets: COMPOSE_TARGETS,
      receivers,
      runbookBase: links.runbookBase,
    }),
  })),
  {
    folder: join(folder ?? join(PACKAGE, 'grafana'), 'dashboards'),
    texts: renderDashboards(links),
  },
  {
    folder: folder ?? PACKAGE,
    texts: new Map([
      ['ALERTS.md', renderAlertDocument()],
      ['METRICS.md', renderMetricsDocument()],
    ]),
  },
];

for (const output of outputs)
  if (values.check) await reportStaleFiles(output);
  else await writeFiles(output.folder, output.texts);
if (folder !== undefined && !values.check && secretFiles(receivers).length > 0) {
  for (const profile of PROFILES) await copySecrets(join(folder, profile), receivers);
  await openToContainers(folder, PROFILES);
  console.log(
    `${folder} contains copies of secrets: only its owner can open it (mode 0700), and the files in it are readable, ` +
      'since Alertmanager runs as another user',
  );
}
if (process.exitCode === 1) console.error('Remedy: npm run rules');

/** Prints each file that differs from what would be generated now, with the first line that differs. */
async function reportStaleFiles({ folder, texts }: Output): Promise<void> {
  for (const [path, expected] of texts) {
    const file = join(folder, path);
    const found = await readOrEmpty(file);
    if (found === expected) continue;
    const [foundLines, expectedLines] = [found.split('\n'), expected.split('\n')];
    let index = 0;
    while (foundLines[index] === expectedLines[index]) index += 1;
    console.error(`${file}:${index + 1} is stale`);
    console.error(`  - ${foundLines[index] ?? '(end of file)'}`);
    console.error(`  + ${expectedLines[index] ?? '(end of file)'}`);
    process.exitCode = 1;
  }
}

/** A missing file differs from its first line on. */
async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
