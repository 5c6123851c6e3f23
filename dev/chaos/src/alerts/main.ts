/** `npm run alerts`: injects faults one after the other on a system of its own, and reports which alerts fire, when, and for whom. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { withAlertTestEnvironment } from './alertTestEnvironment.ts';
import { FAULTS } from './faults/index.ts';
import { type FaultReport, injectFault } from './injectFault.ts';
import { readRows, readSection, renderMatrix, renderRows, replaceSection } from './renderMatrix.ts';

const DOCUMENT = resolve(import.meta.dirname, '../../../../prometheus/FAULTS.md');
const SECTION = 'alerts:matrix';

const USAGE = `npm run alerts -- [fault …] [--write] [--json] [--help]

${FAULTS.map(({ name, description }) => `  ${JSON.stringify(name).padEnd(34)}${description}`).join('\n')}

Starts a system of its own for them. Without a name it injects all of them, about 40 minutes.
--write puts the rows of the faults that passed into the table of prometheus/FAULTS.md.
Exit code 0: the expected alerts came in time, no other came, and all were resolved after the repair; otherwise 1.`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const unknown = positionals.filter((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`no fault is called ${unknown.join(', ')}\n\n${USAGE}\n`);
    return 1;
  }
  const chosen = FAULTS.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  const reports = await playAll(chosen, values.json);
  const passed = reports.filter(({ failures }) => failures.length === 0);
  if (values.json) process.stdout.write(`${JSON.stringify(reports)}\n`);
  else process.stdout.write(`\n${renderMatrix(chosen, renderRows(reports))}\n`);
  if (values.write) await writeRows(passed);
  return passed.length === reports.length ? 0 : 1;
}

async function writeRows(passed: readonly FaultReport[]): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const rows = new Map([...readRows(readSection(text, SECTION)), ...renderRows(passed)]);
  await writeFile(DOCUMENT, replaceSection(text, SECTION, renderMatrix(FAULTS, rows)));
}

async function playAll(
  chosen: readonly (typeof FAULTS)[number][],
  isQuiet: boolean,
): Promise<FaultReport[]> {
  const startedAt = Date.now();
  const log = (line: string) => {
    const seconds = String(Math.round((Date.now() - startedAt) / 1_000)).padStart(5);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  return await withAlertTestEnvironment(log, async (environment) => {
    const reports: FaultReport[] = [];
    for (const fault of chosen) {
      log(`${fault.name}: ${fault.description}`);
      const report = await injectFault(fault, environment);
      reports.push(report);
      if (isQuiet) continue;
      for (const { alert, receiver, firedSeconds, resolvedSeconds } of report.alerts)
        log(
          `  ${alert} to ${receiver} after ${firedSeconds} s, resolved after ${resolvedSeconds} s`,
        );
      for (const failure of report.failures) log(`  FAIL ${failure}`);
    }
    return reports;
  });
}
