/**
 * Watches the statements that stores send, and asks the native database how it runs each of them. `docs/queries.md` has one row
 * for each kind of statement, so a new one cannot be forgotten.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Db, type Document, MongoClient } from 'mongodb';

/** A database sorts the matches of every sort, so more than a page of them would cost more than the answer is worth. */
const PAGE_LIMIT = 1_000;
const DOCUMENT = resolve(import.meta.dirname, '../../../docs/queries.md');
/** Commands that are no statements on documents. */
const IGNORED = new Set([
  'createIndexes',
  'listCollections',
  'ping',
  'hello',
  'endSessions',
  'dropDatabase',
  'killCursors',
]);

/** One statement as it was sent. */
export interface Statement {
  readonly command: string;
  readonly collection: string;
  readonly filter: Document;
  readonly sort: Document | undefined;
  readonly limit: number | undefined;
  /** Stages of an aggregation after its first filter. */
  readonly stages: readonly Document[];
}

/**
 * Collects the statements that stores send over the client that `open` makes first, which is that of `connectStore`.
 * @param open makes the client.
 */
export async function watchStatements<Answer>(
  open: () => Promise<Answer>,
): Promise<{ opened: Answer; statements: Statement[] }> {
  const statements: Statement[] = [];
  const prototype = MongoClient.prototype;
  const original = Object.getOwnPropertyDescriptor(prototype, 'db');
  let watched: MongoClient | undefined;
  const watch = (client: MongoClient) => {
    if (watched !== undefined) return;
    watched = client;
    // The stores leave these events off, because they cost too much. The types of the driver hide the switch.
    (client as unknown as { monitorCommands: boolean }).monitorCommands = true;
    client.on('commandStarted', ({ commandName, command }) => {
      if (!IGNORED.has(commandName)) statements.push(...statementsOf(commandName, command));
    });
  };
  // `connectStore` makes its client itself, and asks it for its database at once.
  prototype.db = function db(this: MongoClient, ...parts) {
    watch(this);
    return (original?.value as MongoClient['db']).apply(this, parts);
  };
  try {
    return { opened: await open(), statements };
  } finally {
    Object.defineProperty(prototype, 'db', original ?? {});
  }
}

/** The fields of the commands that stores send. */
interface SentCommand {
  readonly [command: string]: unknown;
  readonly filter?: Document;
  readonly sort?: Document;
  readonly limit?: number;
  readonly query?: Document;
  readonly pipeline?: readonly Document[];
  readonly updates?: readonly { readonly q: Document }[];
  readonly deletes?: readonly { readonly q: Document }[];
}

function statementsOf(command: string, sent: SentCommand): Statement[] {
  const base = {
    command,
    collection: String(sent[command]),
    sort: undefined,
    limit: undefined,
    stages: [],
  };
  switch (command) {
    case 'find':
      return [{ ...base, filter: sent.filter ?? {}, sort: sortOf(sent), limit: sent.limit }];
    case 'aggregate': {
      const [first = {}, ...rest] = sent.pipeline ?? [];
      const match = first['$match'] as Document | undefined;
      const stages = match === undefined ? [first, ...rest] : rest;
      return [{ ...base, filter: match ?? {}, stages }];
    }
    case 'count':
    case 'findAndModify':
      return [{ ...base, filter: sent.query ?? {} }];
    case 'update':
      return (sent.updates ?? []).map(({ q: filter }) => ({ ...base, filter }));
    case 'delete':
      return (sent.deletes ?? []).map(({ q: filter }) => ({ ...base, filter }));
    case 'insert':
      return [{ ...base, filter: {} }];
    default:
      // A second batch of a cursor would be a statement without a time limit.
      throw new Error(`${command}: the stores send no such command`);
  }
}

/** The driver keeps the order of the fields in a map. */
function sortOf({ sort }: SentCommand): Document | undefined {
  return sort instanceof Map ? (Object.fromEntries(sort) as Document) : sort;
}

/** @returns the kind of a statement as the table names it: collection, command, fields of the filter with their operators, order. */
export function shapeOf({ command, collection, filter, sort }: Statement): string {
  const fields = Object.entries(filter).map(([field, condition]) => {
    const operators = field === '$expr' ? [] : operatorsOf(condition);
    return operators.length === 0 ? field : `${field} ${operators.join(' ')}`;
  });
  const conditions = command === 'insert' ? '' : ` {${fields.sort().join(', ')}}`;
  const order =
    sort === undefined
      ? ''
      : ` sort ${Object.entries(sort)
          .map(([field, direction]) => `${field} ${String(direction)}`)
          .join(', ')}`;
  return `${collection} ${command}${conditions}${order}`;
}

function operatorsOf(condition: unknown): string[] {
  if (typeof condition !== 'object' || condition === null || condition instanceof Date) return [];
  return Object.keys(condition).filter((key) => key.startsWith('$'));
}

/** One row of the table in `docs/queries.md`. */
export interface TableRow {
  readonly shape: string;
  /** Why the statement may read a whole collection or sort more than a page; undefined: it may not. */
  readonly exception: string | undefined;
}

/** @returns the rows about these collections. */
export function tableRows(collections: readonly string[]): TableRow[] {
  const rows = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)];
  assert.ok(rows.length > 20, `${DOCUMENT} has no table`);
  return rows
    .map(([, shape = '', rest = '']) => ({
      shape,
      exception: /\*\*([^*]+)\*\*/.exec(rest)?.[1],
    }))
    .filter(({ shape }) => shape.includes(' ') && collections.includes(shape.split(' ')[0] ?? ''));
}

/**
 * Checks that each statement has its row in the table and reads by an index.
 * @param isComplete true: also that each row of the collections was sent, except those whose shape has one of `elsewhere`,
 * because another package sends them.
 */
export async function checkStatements(
  database: Db,
  statements: readonly Statement[],
  {
    collections,
    isComplete,
    elsewhere = [],
  }: {
    readonly collections: readonly string[];
    readonly isComplete: boolean;
    readonly elsewhere?: readonly string[];
  },
): Promise<void> {
  const byShape = new Map(statements.map((statement) => [shapeOf(statement), statement]));
  const rows = tableRows(collections);
  const faults: string[] = [];
  for (const shape of byShape.keys())
    if (!rows.some((row) => row.shape === shape))
      faults.push(`no row in docs/queries.md: | \`${shape}\` |`);
  for (const { shape, exception } of rows) {
    const statement = byShape.get(shape);
    if (statement === undefined) {
      const isElsewhere = elsewhere.some((part) => shape.includes(part));
      if (isComplete && !isElsewhere)
        faults.push(`nobody sends what docs/queries.md lists: ${shape}`);
      continue;
    }
    const fault = await faultOf(database, statement);
    if (fault !== undefined && exception === undefined) faults.push(`${shape}: ${fault}`);
    if (fault === undefined && exception !== undefined)
      faults.push(`${shape}: needs no exception (${exception})`);
  }
  assert.deepEqual(faults, []);
}

/** @returns what is wrong with the plan of a statement; undefined: nothing. */
async function faultOf(database: Db, statement: Statement): Promise<string | undefined> {
  const { command, collection, filter, sort, limit, stages } = statement;
  if (command === 'insert') return undefined;
  if (command === 'find' && limit === undefined && !isByKey(filter))
    return 'a find without a limit';
  // The statistics of the table answer a count without a filter.
  if (command === 'count' && Object.keys(filter).length === 0) return undefined;
  // Updates and deletions cannot be explained; they search as a find does.
  const explained =
    command === 'aggregate'
      ? { aggregate: collection, pipeline: [{ $match: filter }, ...stages], cursor: {} }
      : {
          find: collection,
          filter,
          ...(sort === undefined ? {} : { sort }),
          ...(limit === undefined ? {} : { limit }),
        };
  const plan = await database.command({ explain: explained, verbosity: 'queryPlanner' });
  const { Plan: root } = plan['queryPlanner'] as { Plan?: Document };
  const nodes = nodesOf(root);
  if (nodes.length === 0) return `no plan: ${JSON.stringify(plan).slice(0, 300)}`;
  // The planner reads a small table as a whole, although the key would find the document.
  if (nodes.some(isScan) && !isByKey(filter))
    return `reads the whole collection (${outline(nodes)})`;
  const isSorted = command === 'find' && nodes.some((node) => node['Node Type'] === 'Sort');
  if (!isSorted) return undefined;
  const matchCount = await database.collection(collection).countDocuments(filter);
  return matchCount > PAGE_LIMIT ? `sorts ${matchCount} documents` : undefined;
}

/** @returns whether the filter names ids, or a range of them that has two ends. */
function isByKey(filter: Document): boolean {
  const id: unknown = filter['_id'];
  const operators = operatorsOf(id);
  return typeof id === 'string' || operators.includes('$in') || operators.includes('$eq');
}

function nodesOf(plan: Document | undefined): Document[] {
  if (plan === undefined) return [];
  return [plan, ...((plan['Plans'] ?? []) as Document[]).flatMap(nodesOf)];
}

/**
 * The primary key without a condition on the id delivers every document. Whether it does so in order, and stops at the limit,
 * or as a bitmap that is sorted afterwards, depends on the table's statistics.
 */
function isScan(node: Document): boolean {
  if (node['Node Type'] === 'Seq Scan') return true;
  if (node['Index Name'] !== '_id_') return false;
  const condition = String(node['Index Cond']);
  if (!condition.includes('object_id')) return true;
  const hasEnd = /object_id OPERATOR\(documentdb_core\.(?:<|=|<=)\)|ANY/.test(condition);
  return node['Node Type'] === 'Bitmap Index Scan' && !hasEnd;
}

function outline(nodes: readonly Document[]): string {
  return nodes
    .map((node) => [node['Node Type'], node['Index Name']].filter(Boolean).join(' '))
    .join(' > ');
}
