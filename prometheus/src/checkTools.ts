/** Part of `npm run check`: promtool and amtool check the committed configurations that compose mounts. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { amtool, promtool, type ToolResult } from '@fit/stack';

const GENERATED = join(import.meta.dirname, '../generated');

type Check = (cwd: string) => Promise<ToolResult>;

const CHECKS: Readonly<Record<string, Check>> = {
  'promtool check rules': (cwd) =>
    promtool(['check', 'rules', '--lint=all', '--lint-fatal', 'rules/fit.yml'], { cwd }),
  'promtool check config': (cwd) => promtool(['check', 'config', 'prometheus.yml'], { cwd }),
  'amtool check-config': (cwd) => amtool(['check-config', 'alertmanager.yml'], { cwd }),
};

for (const profile of await readdir(GENERATED))
  for (const [name, run] of Object.entries(CHECKS)) {
    const { code, output } = await run(join(GENERATED, profile));
    if (code === 0) continue;
    console.error(`${name}, profile ${profile}:\n${output}`);
    process.exitCode = 1;
  }
