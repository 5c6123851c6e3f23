/** Header values ↔ JSON, without loss: AMQP knows bytes, times, and numbers that JSON does not. */

const DEPTH_LIMIT = 200;
/** What amqplib decodes as `{'!': type, value}`, and encodes again. */
const AMQP_TYPES: readonly unknown[] = ['timestamp', 'decimal', 'double'];

/** A value that cannot be written or read; the message says which. */
export class HeaderJsonError extends Error {
  override readonly name = 'HeaderJsonError';
}

/** @throws HeaderJsonError where it is nested deeper than 200 levels. */
export function headerToJson(value: unknown, depth = 0): unknown {
  if (depth > DEPTH_LIMIT) throw new HeaderJsonError(`nested deeper than ${DEPTH_LIMIT} levels`);
  if (typeof value === 'number') return numberToJson(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value)) return { '!': 'binary', base64: value.toString('base64') };
  if (Array.isArray(value)) return value.map((item) => headerToJson(item, depth + 1));
  const entries = Object.entries(value).map(([name, held]): [string, unknown] => [
    name,
    headerToJson(held, depth + 1),
  ]);
  if (Object.hasOwn(value, '!') && !isAmqpTyped(value)) return { '!': 'table', entries };
  return Object.fromEntries(entries);
}

/** @throws HeaderJsonError where a typed value is malformed. */
export function headerFromJson(value: unknown, depth = 0): unknown {
  if (depth > 2 * DEPTH_LIMIT) throw new HeaderJsonError('nested too deep');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => headerFromJson(item, depth + 1));
  const fields = value as Record<string, unknown>;
  if (Object.hasOwn(fields, '!')) return typedFromJson(fields, depth);
  return Object.fromEntries(
    Object.entries(fields).map(([name, held]) => [name, headerFromJson(held, depth + 1)]),
  );
}

function typedFromJson(fields: Readonly<Record<string, unknown>>, depth: number): unknown {
  const { '!': type, base64, text, entries } = fields;
  if (type === 'binary' && typeof base64 === 'string') return Buffer.from(base64, 'base64');
  if (type === 'number' && typeof text === 'string') return Number(text);
  if (type === 'table' && Array.isArray(entries))
    return Object.fromEntries(
      entries.map((entry: unknown) => {
        if (!Array.isArray(entry) || typeof entry[0] !== 'string')
          throw new HeaderJsonError('a table entry is no pair of name and value');
        return [entry[0], headerFromJson(entry[1], depth + 1)];
      }),
    );
  if (AMQP_TYPES.includes(type)) return fields;
  throw new HeaderJsonError(`'${String(type)}' is no type of header value`);
}

function numberToJson(value: number): unknown {
  return Number.isFinite(value) && !Object.is(value, -0)
    ? value
    : { '!': 'number', text: Object.is(value, -0) ? '-0' : String(value) };
}

/** Exactly what amqplib makes of a timestamp or a decimal; a table of a client's that only looks like one is a table. */
function isAmqpTyped(value: object): boolean {
  const { '!': type, value: held, ...rest } = value as Record<string, unknown>;
  if (Object.keys(rest).length > 0) return false;
  if (type === 'timestamp') return typeof held === 'number';
  return type === 'decimal' && typeof held === 'object' && held !== null;
}
