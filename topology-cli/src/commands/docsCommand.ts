/** `topology docs`: writes or compares the generated sections of documents. */
import { readFile, writeFile } from 'node:fs/promises';
import {
  type Command,
  EXIT_DIFFERENT,
  OFFLINE_PLAN_OPTIONS,
  OFFLINE_PLAN_USAGE,
  planOffline,
  UsageError,
} from '../command.ts';
import { firstDifference, renderSections, SECTIONS } from '../drawing/documentSections.ts';

export const docs: Command = {
  name: 'docs',
  summary: 'writes the generated sections of documents, or compares them',
  usage: `topology docs --file README.md [--check]: generates the lines between <!-- topology:NAME --> and
<!-- /topology:NAME --> from the plan; NAME is one of ${SECTIONS.join(', ')}

  --file F               document; repeatable
  --check                writes nothing and prints the first line of each file that is not up to date
${OFFLINE_PLAN_USAGE}

  Exit code 2: with --check, a file is not up to date.`,
  options: {
    ...OFFLINE_PLAN_OPTIONS,
    file: { type: 'string', multiple: true },
    check: { type: 'boolean' },
  },
  run: async (context) => {
    const isCheck = context.options['check'] === true;
    const files = Array.isArray(context.options['file']) ? context.options['file'].map(String) : [];
    if (files.length === 0) throw new UsageError('give --file, such as --file README.md');
    const plan = planOffline(context);
    // All files are rendered before the first is written, so a mistake in one leaves the others unchanged.
    const documents = await Promise.all(
      files.map(async (file) => {
        const actual = await readFile(file, 'utf8');
        return { file, actual, expected: render(file, () => renderSections(actual, plan)) };
      }),
    );
    const outdated = documents.filter(({ actual, expected }) => actual !== expected);
    if (!isCheck) for (const { file, expected } of outdated) await writeFile(file, expected);
    if (context.isJson) {
      const differences = outdated.map(({ file, actual, expected }) => ({
        file,
        ...firstDifference(actual, expected),
      }));
      context.print(JSON.stringify({ isCheck, outdated: differences }));
    } else
      for (const { file, ...texts } of outdated) {
        const { line = 0, actual, expected } = firstDifference(texts.actual, texts.expected) ?? {};
        context.print(
          isCheck
            ? `${file}:${line} is not up to date\n- ${actual ?? ''}\n+ ${expected ?? ''}`
            : `${file} written`,
        );
      }
    return isCheck && outdated.length > 0 ? EXIT_DIFFERENT : 0;
  },
};

/** A marker that is missing or wrong is a mistake in the file that the command line names. */
function render(file: string, renderDocument: () => string): string {
  try {
    return renderDocument();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}
