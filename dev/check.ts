/** `npm run check`: runs every static check, also after one has failed. Exit code 0: all passed; 1: not. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { workspaces } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'),
) as { workspaces: readonly string[] };

/** Sources that the import rules apply to. */
const SOURCES = [...workspaces, 'dev', 'start.ts', 'cron_job.ts'];

const CHECKS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['format', 'biome', ['check', '--error-on-warnings', '.']],
  ['types', 'tsc', ['-p', '.']],
  // Pages run in a browser, so they are compiled with a browser's types instead of Node's.
  ['page types', 'tsc', ['-p', 'console/src/page']],
  ['docs page types', 'tsc', ['-p', 'service/src/openapi/page']],
  ['page test types', 'tsc', ['-p', 'console/test']],
  ['browser test types', 'tsc', ['-p', 'monolith/test/browser']],
  ['lint', 'eslint', ['.']],
  ['import rules', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...SOURCES]],
  // Built files exist only while a package is packed, so knip cannot find them.
  ['dead code', 'knip', ['--no-config-hints']],
  [
    'docstrings',
    'node',
    ['node_modules/typedoc/bin/typedoc', '--options', 'topology/typedoc.json', '--emit', 'none'],
  ],
  ['configuration table', 'node', ['dev/configurationTable.ts', '--check']],
  ['access table', 'node', ['--conditions=@fit/source', 'dev/accessTable.ts', '--check']],
  [
    'Bruno collection, table of routes',
    'node',
    ['--conditions=@fit/source', 'dev/api/src/generate/main.ts', '--check'],
  ],
  ['generated files', 'node', ['prometheus/src/generate.ts', '--check']],
  // promtool and amtool are part of the stack's root folder, which the first run builds.
  ['promtool, amtool', 'node', ['prometheus/src/checkTools.ts']],
];

const failed = CHECKS.filter(([name, command, args]) => {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const hasFailed = status !== 0;
  console.log(`${hasFailed ? 'FAILED' : 'ok    '} ${name} (${seconds} s)`);
  if (hasFailed) console.log(`${stdout}${stderr}\n`);
  return hasFailed;
});
process.exitCode = failed.length === 0 ? 0 : 1;
