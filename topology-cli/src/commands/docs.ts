/** `topology docs`: the generated sections of documents, written or compared. */
import { readFile, writeFile } from 'node:fs/promises';
import { type Command, type Context, UsageError } from '../command.ts';
import { firstDifference, renderSections, SECTIONS } from '../drawing/sections.ts';
import { PLAN_OPTIONS, PLAN_USAGE, planned } from '../planned.ts';

const DIFFERENT = 2;

export const docs: Command = {
  name: 'docs',
  summary: 'writes the chart and tables of documents, or compares them',
  usage: `topology docs --file README.md [--check]: what stands between <!-- topology:NAME --> and
<!-- /topology:NAME --> is made from the plan; NAME is one of ${SECTIONS.join(', ')}

  --file F               repeatable
  --check                writes nothing; exit code 2 and the first stale line where a file differs
${PLAN_USAGE}`,
  options: {
    ...PLAN_OPTIONS,
    file: { type: 'string', multiple: true },
    check: { type: 'boolean' },
  },
  run: async (context) => {
    const files = filesOf(context);
    const plan = planned(context);
    // All are read and rendered before the first is written: a mistake in one leaves the others alone.
    const documents = await Promise.all(
      files.map(async (file) => {
        const actual = await readFile(file, 'utf8');
        return { file, actual, expected: rendered(file, () => renderSections(actual, plan)) };
      }),
    );
    const stale = documents.filter(({ actual, expected }) => actual !== expected);
    if (context.values['check'] !== true)
      for (const { file, expected } of stale) await writeFile(file, expected);
    return report(context, stale);
  },
};

interface Stale {
  readonly file: string;
  readonly actual: string;
  readonly expected: string;
}

function report(context: Context, stale: readonly Stale[]): number {
  const isCheck = context.values['check'] === true;
  const found = stale.map(({ file, actual, expected }) => ({
    file,
    ...firstDifference(actual, expected),
  }));
  if (context.isJson) context.print(JSON.stringify({ isCheck, stale: found }));
  else
    for (const { file, line, actual, expected } of found)
      context.print(
        isCheck
          ? `${file}:${line ?? 0} is stale\n- ${actual ?? ''}\n+ ${expected ?? ''}`
          : `${file} written`,
      );
  return isCheck && stale.length > 0 ? DIFFERENT : 0;
}

function filesOf({ values }: Context): string[] {
  const files = Array.isArray(values['file']) ? values['file'].map(String) : [];
  if (files.length === 0) throw new UsageError('give --file, such as --file README.md');
  return files;
}

/** A marker that is missing or wrong is a mistake in the file, not in the program. */
function rendered(file: string, render: () => string): string {
  try {
    return render();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}
