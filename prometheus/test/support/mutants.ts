/** Runs the cases of an alert with a rule that was changed in one place. */
import { globSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promtool } from '@fit/stack';
import { isSeq, parseDocument } from 'yaml';
import { renderYaml } from '../../src/config/renderYaml.ts';
import type { Rule } from '../../src/index.ts';
import { metricNames } from './metricNames.ts';
import { RULES } from './watchedSeries.ts';

export interface Mutation {
  readonly alert: string;
  /** The recording that is changed; default: the alert. */
  readonly record?: string;
  /** Part of the rendered expression. */
  readonly from: string;
  readonly to: string;
}

const TEXTS = await Promise.all(
  globSync(join(import.meta.dirname, '../rules/*.test.yml')).map((file) => readFile(file, 'utf8')),
);

/**
 * Runs one promtool for all mutations, each with the rules and cases of its alert only; otherwise this takes minutes.
 * @param cwd an empty folder for the files.
 * @returns for each mutation whether a case of its alert failed.
 * @throws Error if a mutation changes nothing, or promtool cannot read its rules.
 */
export async function detectMutations(
  cwd: string,
  mutations: readonly Mutation[],
): Promise<readonly boolean[]> {
  const files = await Promise.all(
    mutations.map(async (mutation, index) => {
      const rules = rulesFor(mutation);
      await writeFile(
        join(cwd, `${index}.rules.yml`),
        renderYaml({ groups: [{ name: 'fit', interval: '5s', rules }] }),
      );
      return await writeCases(cwd, mutation.alert, index);
    }),
  );
  const { output } = await promtool(['test', 'rules', '--junit=result.xml', ...files.flat()], {
    cwd,
  });
  const report = await readFile(join(cwd, 'result.xml'), 'utf8');
  return files.map((names) => names.some((name) => hasFailed(report, name, output)));
}

/** @returns the names of the files, one for each original that has cases of the alert. */
async function writeCases(cwd: string, alert: string, index: number): Promise<readonly string[]> {
  const texts = TEXTS.flatMap((text) => ownCases(text, `alertname="${alert}"`));
  const names = texts.map((_, part) => `${index}.${part}.test.yml`);
  for (const [part, text] of texts.entries()) {
    const own = text.replace('rules/fit.yml', `${index}.rules.yml`);
    await writeFile(join(cwd, names[part]!), own);
  }
  return names;
}

/** Works on the nodes of the document: a series of zeros such as 0x80 is a number in YAML and must stay as written. */
function ownCases(text: string, asked: string): readonly string[] {
  if (!text.includes(asked)) return [];
  const document = parseDocument(text);
  const tests = document.get('tests');
  if (!isSeq(tests)) throw new Error('a file of cases has no tests');
  // String(node) is JSON.
  const quoted = JSON.stringify(asked).slice(1, -1);
  tests.items = tests.items.filter((one) => String(one).includes(quoted));
  return [document.toString({ lineWidth: 0 })];
}

function rulesFor({ alert, record = alert, from, to }: Mutation): readonly Rule[] {
  let changes = 0;
  const mutated = RULES.map((rule) => {
    const isMeant = ('alert' in rule ? rule.alert : rule.record) === record;
    if (!isMeant || !rule.expr.includes(from)) return rule;
    changes += 1;
    return { ...rule, expr: rule.expr.replace(from, to) };
  });
  if (changes === 0) throw new Error(`${record} has no '${from}'`);
  const alerts = mutated.filter((rule) => 'alert' in rule && rule.alert === alert);
  const needed = namesBehind(alerts);
  return [...mutated.filter((rule) => 'record' in rule && needed.has(rule.record)), ...alerts];
}

/** The recordings that these rules read, also through other recordings. */
function namesBehind(rules: readonly Rule[]): ReadonlySet<string> {
  const names = new Set<string>();
  const follow = (expr: string): void => {
    for (const name of metricNames(expr)) {
      if (names.has(name)) continue;
      names.add(name);
      for (const rule of RULES) if ('record' in rule && rule.record === name) follow(rule.expr);
    }
  };
  for (const { expr } of rules) follow(expr);
  return names;
}

function hasFailed(report: string, name: string, output: string): boolean {
  const suite = new RegExp(`<testsuite name="${name}"[^>]*>`).exec(report)?.[0] ?? '';
  // A file without cases proves nothing, nor does one that promtool cannot read.
  if (!suite.includes(' errors="0"') || suite.includes(' tests="0"'))
    throw new Error(`${name}: ${output}`);
  return !suite.includes(' failures="0"');
}
