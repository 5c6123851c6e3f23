/**
 * `npm run reference`: the docstrings of every public item → `topology/API.md`. With `--check` nothing is written, and a
 * stale file is exit code 1. An item without a docstring, a function that throws and does not say so, a number without
 * a unit: each is an error that names it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const FOLDER = import.meta.dirname;
const PATH = join(FOLDER, 'API.md');
/** How a public number tells its unit. */
const UNITS =
  /(?:Ms|[Cc]ount|[Ll]imit|Length|Bytes|Seconds|perSecond|Ratio|number|tier|line|priority|timestamp)$/;

interface Item {
  readonly name: string;
  readonly sort: string;
  readonly doc: string;
  readonly tags: readonly string[];
  readonly members: readonly string[];
}

const { exports: subpaths } = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as {
  exports: Record<string, string>;
};
const program = ts.createProgram(
  Object.values(subpaths).map((file) => join(FOLDER, file)),
  { ...readConfig(), noEmit: true },
);
const checker = program.getTypeChecker();
const faults: string[] = [];

const text = [
  '# API of `@fit/topology`',
  '',
  'Made from the docstrings by `npm run reference`, and compared by `npm run check`. Durations are milliseconds where a name',
  'ends in `Ms`; a `Count` or `Limit` counts messages unless said otherwise.',
  ...Object.entries(subpaths).flatMap(([subpath, file]) => renderSubpath(subpath, file)),
  '',
].join('\n');

if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
} else if (!process.argv.includes('--check')) writeFileSync(PATH, text);
else if (!existsSync(PATH) || readFileSync(PATH, 'utf8') !== text) {
  console.error('topology/API.md is stale\nRemedy: npm run reference');
  process.exitCode = 1;
}

function renderSubpath(subpath: string, file: string): string[] {
  const source = program.getSourceFile(join(FOLDER, file));
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (source === undefined || module === undefined) return [];
  const items = checker.getExportsOfModule(module).map(readItem);
  const intro = /^\/\*\*([^]*?)\*\//.exec(source.text)?.[1] ?? '';
  return [
    '',
    `## \`${join('@fit/topology', subpath)}\``,
    intro.replaceAll(/\s*\n \* ?/g, ' ').trim(),
    ...items.sort((a, b) => a.name.localeCompare(b.name, 'en')).flatMap(renderItem),
  ];
}

function renderItem({ name, sort, doc, tags, members }: Item): string[] {
  return [
    '',
    `### \`${name}\` (${sort})`,
    ...(doc === '' ? [] : [doc]),
    ...(tags.length + members.length === 0 ? [] : ['']),
    ...tags.map((tag) => `- ${tag}`),
    ...members.map((member) => `- ${member}`),
  ];
}

function readItem(exported: ts.Symbol): Item {
  const symbol =
    (exported.flags & ts.SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported);
  const declaration = symbol.declarations?.[0];
  const doc = docOf(symbol);
  const name = exported.getName();
  const where = declaration?.getSourceFile().fileName.slice(FOLDER.length + 1) ?? '';
  const isSaid = doc !== '' || tagsOf(symbol).some((tag) => tag.startsWith('@returns'));
  if (!isSaid) faults.push(`${where}: '${name}' has no docstring`);
  if (declaration !== undefined && throwsUnsaid(declaration, symbol))
    faults.push(`${where}: '${name}' throws, and has no @throws`);
  return {
    ...{ name, doc, sort: sortOf(declaration), tags: tagsOf(symbol) },
    members: declaration === undefined ? [] : membersOf(declaration, `${where}: '${name}'`),
  };
}

/** Members of an interface, and what is public of a class. */
function membersOf(declaration: ts.Declaration, owner: string): string[] {
  if (!ts.isInterfaceDeclaration(declaration) && !ts.isClassDeclaration(declaration)) return [];
  return declaration.members.flatMap((member) => {
    const symbol = member.name === undefined ? undefined : checker.getSymbolAtLocation(member.name);
    if (symbol === undefined || member.name === undefined || ts.isPrivateIdentifier(member.name))
      return [];
    const type = checker.typeToString(checker.getTypeOfSymbol(symbol), member);
    const doc = docOf(symbol);
    const name = symbol.getName();
    if (/\bnumber\b(?!\[)/.test(type) && !type.includes('=>') && doc === '' && !UNITS.test(name))
      faults.push(`${owner}: '${name}' is a number without a unit`);
    const said = [doc, ...tagsOf(symbol)].filter((part) => part !== '').join(' ');
    return [`\`${name}: ${type}\`${said === '' ? '' : `: ${said}`}`];
  });
}

function docOf(symbol: ts.Symbol): string {
  const doc = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  return doc.replaceAll(/\s+/g, ' ').trim();
}

function tagsOf(symbol: ts.Symbol): string[] {
  return symbol
    .getJsDocTags(checker)
    .map(({ name, text: parts }) => `@${name} ${ts.displayPartsToString(parts)}`.trim())
    .map((tag) => tag.replaceAll(/\s+/g, ' '));
}

/** Only what it throws itself; what it calls says so of itself. */
function throwsUnsaid(declaration: ts.Declaration, symbol: ts.Symbol): boolean {
  if (!ts.isFunctionDeclaration(declaration) || declaration.body === undefined) return false;
  const isSaid = symbol.getJsDocTags(checker).some(({ name }) => name === 'throws');
  return !isSaid && hasThrow(declaration.body);
}

function hasThrow(node: ts.Node): boolean {
  if (ts.isThrowStatement(node)) return true;
  if (ts.isFunctionLike(node)) return false;
  return ts.forEachChild(node, (child) => hasThrow(child) || undefined) === true;
}

function sortOf(declaration: ts.Declaration | undefined): string {
  if (declaration === undefined) return 'item';
  if (ts.isFunctionDeclaration(declaration)) return 'function';
  if (ts.isClassDeclaration(declaration)) return 'class';
  if (ts.isInterfaceDeclaration(declaration)) return 'interface';
  return ts.isTypeAliasDeclaration(declaration) ? 'type' : 'constant';
}

function readConfig(): ts.CompilerOptions {
  const path = join(FOLDER, '../tsconfig.json');
  const { config } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as {
    config: unknown;
  };
  return ts.parseJsonConfigFileContent(config, ts.sys, join(FOLDER, '..')).options;
}
