/** `npm run check`: every static check, in one go; all failures are told, not only the first. */
import { spawnSync } from 'node:child_process';

const FOLDERS = [
  'topology',
  'topology-cli',
  'jobs',
  'contract',
  'service',
  'client',
  'console',
  'monolith',
  'coach',
  'prometheus',
  'examples',
  'dev',
];

const CHECKS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['format', 'biome', ['check', '--error-on-warnings', '.']],
  ['types', 'tsc', ['-p', '.']],
  // Another world: a browser's names instead of Node's.
  ['page types', 'tsc', ['-p', 'console/src/page']],
  ['page test types', 'tsc', ['-p', 'console/test']],
  ['browser test types', 'tsc', ['-p', 'monolith/test/browser']],
  ['lint', 'eslint', ['.']],
  [
    'layers',
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', ...FOLDERS, 'start.ts', 'cron_job.ts'],
  ],
  ['dead code', 'knip', []],
  [
    'docstrings',
    'node',
    ['node_modules/typedoc/bin/typedoc', '--options', 'topology/typedoc.json', '--emit', 'none'],
  ],
  ['rules', 'node', ['prometheus/src/generate.ts', '--check']],
  // Their programs come with the stack's root folder, which the first run builds.
  ['promtool, amtool', 'node', ['prometheus/src/checkTools.ts']],
];

const failed = CHECKS.filter(([name, command, args]) => {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  if (status !== 0) process.stdout.write(`${stdout}${stderr}\n`);
  return status !== 0;
});
process.exitCode = failed.length === 0 ? 0 : 1;
