/**
 * `node prometheus/src/generate.ts [--check] [folder]`: writes the compose renditions and the dashboards, by default to
 * prometheus/generated and prometheus/grafana/dashboards. With `--check` it writes nothing, names what is stale and exits 1.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderDashboards } from './dashboards/renderDashboards.ts';
import { COMPOSE_RENDITIONS } from './generate/composeRenditions.ts';
import { findStaleFiles } from './generate/findStaleFiles.ts';
import { renderMonitoringConfig } from './generate/renderMonitoringConfig.ts';
import { writeFiles } from './generate/writeFiles.ts';

interface Output {
  readonly folder: string;
  readonly texts: ReadonlyMap<string, string>;
}

const RUNBOOK_BASE =
  process.env['FIT_RUNBOOK_BASE'] ?? 'https://github.com/fit/fit/blob/main/prometheus/runbooks';
const PACKAGE = join(import.meta.dirname, '..');

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [folder] = positionals;
const outputs: readonly Output[] = [
  ...COMPOSE_RENDITIONS.map(({ profile, options }) => ({
    folder: join(folder ?? join(PACKAGE, 'generated'), profile),
    texts: renderMonitoringConfig(options),
  })),
  {
    folder: join(folder ?? join(PACKAGE, 'grafana'), 'dashboards'),
    texts: renderDashboards(RUNBOOK_BASE),
  },
];

for (const output of outputs)
  if (values.check) await check(output);
  else await writeFiles(output.folder, output.texts);
if (process.exitCode === 1) console.error('Remedy: node prometheus/src/generate.ts');

async function check({ folder, texts }: Output): Promise<void> {
  for (const { path, lineNumber, found, expected } of await findStaleFiles(folder, texts)) {
    console.error(`${join(folder, path)}:${lineNumber} is stale`);
    console.error(`  - ${found ?? '(end of file)'}\n  + ${expected ?? '(end of file)'}`);
    process.exitCode = 1;
  }
}
