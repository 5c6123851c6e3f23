/**
 * `npm run configuration [-- --check]`: writes the table of variables in docs/configuration.md from the schemas by which
 * the processes read them. With `--check` it writes nothing, and exits with 1 if the table differs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { COACH_VARIABLES } from '@fit/coach/config';
import { CRON_VARIABLES } from '@fit/contract';
import { MONOLITH_VARIABLES } from '@fit/monolith/config';

const DOCUMENT = resolve(import.meta.dirname, '../docs/configuration.md');
const SECTION = /(?<=<!-- configuration -->\n).*?(?=<!-- \/configuration -->)/s;

const PROCESSES = {
  monolith: MONOLITH_VARIABLES,
  coach: COACH_VARIABLES,
  cron: CRON_VARIABLES,
};

interface Variable {
  readonly description?: string;
  readonly unit?: string;
  readonly default?: string | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
}

interface Row {
  readonly variable: Variable;
  /** Defaults of the processes that read it. */
  readonly defaults: Map<string, string>;
}

function renderTable(): string {
  const rows = new Map<string, Row>();
  for (const [process, schema] of Object.entries(PROCESSES))
    for (const [name, property] of Object.entries(schema.properties)) {
      const variable = property as Variable;
      if (variable.description === undefined) throw new Error(`${name} has no description`);
      const row = rows.get(name) ?? { variable, defaults: new Map<string, string>() };
      row.defaults.set(
        process,
        variable.default === undefined ? 'unset' : textOf(variable.default),
      );
      rows.set(name, row);
    }
  const lines = [...rows].map(
    ([name, { variable, defaults }]) =>
      `| \`${name}\` | ${[...defaults.keys()].join(', ')} | ${formOf(variable)} | ${defaultOf(defaults)} | ${variable.description} |`,
  );
  return [
    '| variable | read by | unit, bound | default | effect |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function formOf({ unit, minimum, maximum, enum: words }: Variable): string {
  if (words !== undefined) return words.join(', ');
  const bounds =
    minimum === undefined
      ? []
      : [maximum === undefined ? `≥ ${minimum}` : `${textOf(minimum)} to ${textOf(maximum)}`];
  return [...bounds, ...(unit === undefined ? [] : [unit])].join(' ') || 'text';
}

function defaultOf(defaults: ReadonlyMap<string, string>): string {
  const different = new Set(defaults.values());
  if (different.size === 1) return [...different].join('');
  return [...defaults].map(([process, value]) => `${value} (${process})`).join(', ');
}

/** Numbers without separators, as they are written into the environment. */
function textOf(value: string | number): string {
  return typeof value === 'number' ? String(value) : `\`${value}\``;
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const found = readFileSync(DOCUMENT, 'utf8');
if (!SECTION.test(found)) throw new Error(`${DOCUMENT} has no section <!-- configuration -->`);
const expected = found.replace(SECTION, () => renderTable());
if (!values.check) writeFileSync(DOCUMENT, expected);
else if (found !== expected) {
  console.error(
    'docs/configuration.md does not have the variables as declared: npm run configuration',
  );
  process.exitCode = 1;
}
