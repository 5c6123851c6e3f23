/**
 * `node prometheus/src/generate.ts [--check] [folder]`: writes the compose renditions, by default to
 * prometheus/generated. With `--check` it writes nothing, names what is stale and exits 1.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { COMPOSE_RENDITIONS } from './generate/composeRenditions.ts';
import { findStaleFiles } from './generate/findStaleFiles.ts';
import { renderMonitoringConfig } from './generate/renderMonitoringConfig.ts';
import { writeMonitoringConfig } from './generate/writeMonitoringConfig.ts';

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const target = positionals[0] ?? join(import.meta.dirname, '..', 'generated');

if (values.check) await check(target);
else await write(target);

async function write(folder: string): Promise<void> {
  for (const { profile, options } of COMPOSE_RENDITIONS) {
    await writeMonitoringConfig(join(folder, profile), options);
  }
}

async function check(folder: string): Promise<void> {
  for (const { profile, options } of COMPOSE_RENDITIONS) {
    const stale = await findStaleFiles(join(folder, profile), renderMonitoringConfig(options));
    for (const { path, lineNumber, found, expected } of stale) {
      console.error(`${join(profile, path)}:${lineNumber} is stale`);
      console.error(`  - ${found ?? '(end of file)'}\n  + ${expected ?? '(end of file)'}`);
      process.exitCode = 1;
    }
  }
  if (process.exitCode === 1) console.error('Remedy: node prometheus/src/generate.ts');
}
