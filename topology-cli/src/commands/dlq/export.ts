/** `dlq export FILE|-`. */

import { type Context, UsageError } from '../../command.ts';
import { deskBroker } from '../../dead-letters/deskBroker.ts';
import { type ExportReport, exportLetters } from '../../dead-letters/exportLetters.ts';
import { fileSink, type LetterSink, streamSink } from '../../dead-letters/letterSink.ts';
import { filterOf, holdLimitOf, kindsOf, limitOf, wordOf } from './options.ts';

export async function runExport(context: Context): Promise<number> {
  const path = wordOf(context, 'a FILE, or - for standard output,');
  const isTaking = context.values['take'] === true;
  if (path === '-') refuseStream(context, isTaking);
  const options = { filter: filterOf(context), kinds: kindsOf(context), limit: limitOf(context) };
  const sink = path === '-' ? streamSink(process.stdout) : await openFile(context, path);
  const reports: ExportReport[] = [];
  try {
    for (const kind of options.kinds) {
      const count = reports.reduce((sum, { exportedCount }) => sum + exportedCount, 0);
      if (count >= options.limit) break;
      const report = await exportLetters({
        broker: deskBroker(context.amqpUrl),
        kind,
        filter: options.filter,
        sink,
        isTaking,
        limit: options.limit - count,
        holdLimit: holdLimitOf(context),
        say: context.say,
      });
      reports.push(report);
    }
  } finally {
    await sink.close();
  }
  if (context.isJson)
    context.print(JSON.stringify({ file: path, taken: isTaking, kinds: reports }));
  else for (const report of reports) tell(context, report, isTaking);
  const isWhole = reports.every(
    ({ skippedCount, isBroken, hasMore }) => skippedCount === 0 && !isBroken && !hasMore,
  );
  return isWhole ? 0 : 2;
}

function refuseStream(context: Context, isTaking: boolean): void {
  if (isTaking)
    throw new UsageError(
      '--take needs a FILE: nobody can tell whether what goes through a pipe is safe, and taken letters are gone',
    );
  if (context.isJson)
    throw new UsageError(
      '--json and - both want standard output: give a FILE, or leave out --json',
    );
  if (context.values['append'] === true) throw new UsageError('--append needs a FILE');
}

async function openFile(context: Context, path: string): Promise<LetterSink> {
  try {
    return await fileSink(path, context.values['append'] === true);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    throw new UsageError(`'${path}' exists: give another FILE, or --append to add to it`);
  }
}

/** On standard error: standard output may be the letters. */
function tell(context: Context, report: ExportReport, isTaking: boolean): void {
  const { kind, exportedCount, otherCount, problems, hasMore } = report;
  const what = isTaking ? 'taken out of the queue' : 'copied';
  context.say(`${kind}: ${exportedCount} letters ${what}, ${otherCount} do not match`);
  for (const problem of problems) context.say(`  ${problem}`);
  if (hasMore) context.say(`${kind}: more letters lie behind those looked at: --look N`);
}
