/** `dlq import FILE|-`. */

import type { Context } from '../../command.ts';
import { deskBroker } from '../../dead-letters/deskBroker.ts';
import { importLetters } from '../../dead-letters/importLetters.ts';
import { filterOf, kindsOf, limitOf, wordOf } from './options.ts';

export async function runImport(context: Context): Promise<number> {
  const path = wordOf(context, 'a FILE, or - for standard input,');
  const [kind] = kindsOf(context);
  const isDryRun = context.values['dry-run'] === true;
  const report = await importLetters({
    broker: deskBroker(context.amqpUrl),
    declaration: context.declaration,
    path,
    isDryRun,
    kind: context.values['kind'] === undefined ? undefined : kind,
    filter: filterOf(context),
    limit: limitOf(context),
    say: context.say,
  });
  if (context.isJson) context.print(JSON.stringify({ file: path, dryRun: isDryRun, ...report }));
  else {
    const { importedCount, otherCount, malformedCount, refusedCount, problems } = report;
    context.print(
      `${importedCount} letters ${isDryRun ? 'would be imported' : 'imported'}, ${otherCount} do not match, ${malformedCount} lines are no letters, ${refusedCount} were not taken`,
    );
    for (const problem of problems) context.print(`  ${problem}`);
  }
  return report.malformedCount + report.refusedCount === 0 ? 0 : 2;
}
