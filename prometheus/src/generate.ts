/**
 * `node prometheus/src/generate.ts [--check] [folder]`: writes the compose renditions, the dashboards, ALERTS.md and METRICS.md, by
 * default to prometheus/generated, prometheus/grafana/dashboards and prometheus. With `--check` it writes nothing, names what is stale and exits 1.
 * Only a folder of one's own gets the receivers and the addresses of the environment (ALERT_…, FIT_CONSOLE_URL,
 * FIT_RUNBOOK_BASE): what is committed tells nobody's.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_PAGES, readPages } from './config/pages.ts';
import { readReceivers, secretFiles } from './config/receivers.ts';
import { renderDashboards } from './dashboards/renderDashboards.ts';
import { renderAlertDocument } from './document/renderAlertDocument.ts';
import { COMPOSE_RENDITIONS } from './generate/composeRenditions.ts';
import { copySecrets, openToContainers } from './generate/copySecrets.ts';
import { findStaleFiles } from './generate/findStaleFiles.ts';
import { renderMetrics } from './generate/renderMetrics.ts';
import { renderMonitoringConfig } from './generate/renderMonitoringConfig.ts';
import { writeFiles } from './generate/writeFiles.ts';

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
const pages = folder === undefined ? DEFAULT_PAGES : readPages(process.env);
const outputs: readonly Output[] = [
  ...COMPOSE_RENDITIONS.map(({ profile, options }) => ({
    folder: join(folder ?? join(PACKAGE, 'generated'), profile),
    texts: renderMonitoringConfig({ ...options, receivers, runbookBase: pages.runbookBase }),
  })),
  {
    folder: join(folder ?? join(PACKAGE, 'grafana'), 'dashboards'),
    texts: renderDashboards(pages),
  },
  { folder: folder ?? PACKAGE, texts: new Map([['ALERTS.md', renderAlertDocument()]]) },
  { folder: folder ?? PACKAGE, texts: renderMetrics() },
];

for (const output of outputs)
  if (values.check) await check(output);
  else await writeFiles(output.folder, output.texts);
if (folder !== undefined && !values.check && secretFiles(receivers).length > 0) {
  const profiles = COMPOSE_RENDITIONS.map(({ profile }) => profile);
  for (const profile of profiles) await copySecrets(join(folder, profile), receivers);
  await openToContainers(folder, profiles);
  console.log(
    `${folder} has copies of secrets: it is closed to everybody but its owner (mode 0700), and what is below it is readable, ` +
      'since Alertmanager runs as another user',
  );
}
if (process.exitCode === 1) console.error('Remedy: node prometheus/src/generate.ts');

async function check({ folder, texts }: Output): Promise<void> {
  for (const { path, lineNumber, found, expected } of await findStaleFiles(folder, texts)) {
    console.error(`${join(folder, path)}:${lineNumber} is stale`);
    console.error(`  - ${found ?? '(end of file)'}\n  + ${expected ?? '(end of file)'}`);
    process.exitCode = 1;
  }
}
