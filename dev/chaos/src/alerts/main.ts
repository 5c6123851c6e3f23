/** `npm run alerts`: faults one after the other on a system of its own; which alert told it, after how long, and to whom. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { playInAlertWorld } from './alertWorld.ts';
import { FAULTS } from './faults/index.ts';
import { type FaultReport, observe } from './observe.ts';
import { renderMatrix, rowsIn, rowsOf } from './renderMatrix.ts';
import { replaceSection, sectionOf } from './replaceSection.ts';

const DOCUMENT = resolve(import.meta.dirname, '../../../../prometheus/FAULTS.md');
const SECTION = 'alerts:matrix';

const USAGE = `npm run alerts -- [fault …] [--write] [--json] [--help]

${FAULTS.map(({ name, about }) => `  ${JSON.stringify(name).padEnd(34)}${about}`).join('\n')}

On a system that is started for them, whatever else runs here. Without a name all of them, about three quarters of an hour.
--write puts the lines of those that passed into the table of prometheus/FAULTS.md.
Exit code 0: each was told in time, nothing else was, and each was over in the end; 1: not so.`;

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
  else process.stdout.write(`\n${renderMatrix(chosen, rowsOf(reports))}\n`);
  if (values.write) await write(passed);
  return passed.length === reports.length ? 0 : 1;
}

async function write(passed: readonly FaultReport[]): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const rows = new Map([...rowsIn(sectionOf(text, SECTION)), ...rowsOf(passed)]);
  await writeFile(DOCUMENT, replaceSection(text, SECTION, renderMatrix(FAULTS, rows)));
}

async function playAll(
  chosen: readonly (typeof FAULTS)[number][],
  isQuiet: boolean,
): Promise<FaultReport[]> {
  const startedAt = Date.now();
  const say = (line: string) => {
    const seconds = String(Math.round((Date.now() - startedAt) / 1_000)).padStart(5);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  return await playInAlertWorld(say, async (world) => {
    const reports: FaultReport[] = [];
    for (const fault of chosen) {
      say(`${fault.name}: ${fault.about}`);
      const report = await observe(fault, world);
      reports.push(report);
      if (isQuiet) continue;
      for (const { alert, receiver, firedSeconds, resolvedSeconds } of report.told)
        say(`  ${alert} to ${receiver} after ${firedSeconds} s, over after ${resolvedSeconds} s`);
      for (const failure of report.failures) say(`  FAIL ${failure}`);
    }
    return reports;
  });
}
