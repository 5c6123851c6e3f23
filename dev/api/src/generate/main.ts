/**
 * `npm run bruno [-- --check]`: writes the Bruno collection in bruno/ and the tables of routes in docs/api.md from the routes. With
 * `--check` it writes nothing, and exits with 1 if a file differs.
 */
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { declaredDocuments } from '../declaredRoutes.ts';
import { brunoCollection } from './brunoCollection.ts';
import { routeTables } from './routeTable.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const COLLECTION = join(ROOT, 'bruno');
const DOCUMENT = join(ROOT, 'docs/api.md');
const SECTION = /(?<=<!-- routes -->\n).*?(?=<!-- \/routes -->)/s;

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const differing = await differences();
if (values.check) {
  for (const path of differing.keys()) console.error(`${path} is not current; run: npm run bruno`);
  process.exitCode = differing.size === 0 ? 0 : 1;
} else
  for (const [path, text] of differing) {
    if (text === undefined) rmSync(path);
    else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

/** @returns what each file that differs should be; undefined: it should not exist. */
async function differences(): Promise<Map<string, string | undefined>> {
  const documents = await declaredDocuments();
  const wanted = new Map<string, string | undefined>(
    [...brunoCollection(documents)].map(([path, text]) => [join(COLLECTION, path), text]),
  );
  const document = readFileSync(DOCUMENT, 'utf8');
  if (!SECTION.test(document)) throw new Error(`${DOCUMENT} has no section for the routes`);
  const tables = routeTables(documents.monolith, documents.coach);
  wanted.set(
    DOCUMENT,
    document.replace(SECTION, () => `\n${tables}\n`),
  );
  for (const path of globSync('**/*', { cwd: COLLECTION })) {
    const file = join(COLLECTION, path);
    if (!wanted.has(file) && statSync(file).isFile()) wanted.set(file, undefined);
  }
  for (const [path, text] of wanted)
    if (text !== undefined && existsSync(path) && readFileSync(path, 'utf8') === text)
      wanted.delete(path);
  return wanted;
}
