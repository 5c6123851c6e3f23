/** Whether a server answers MongoDB's wire protocol, and a database stands behind it. */
import { exchange } from './exchange.ts';

const OP_MSG = 2013;
const HEADER_BYTES = 16;
const FLAG_BYTES = 4;
const SECTION_KIND_BYTES = 1;

const BSON_DOUBLE = 0x01;
const BSON_STRING = 0x02;
const BSON_INT32 = 0x10;

/**
 * Asks `hello`, which the gateway answers by itself, and `listDatabases`, which takes a query in
 * PostgreSQL. The messages are made by hand: a driver would be a dependency, and would retry where
 * we want to know.
 * @throws Error when nobody listens or nothing comes back.
 */
export async function answersMongo(port: number): Promise<boolean> {
  return (await succeeds(port, 'hello')) && (await succeeds(port, 'listDatabases'));
}

async function succeeds(port: number, command: string): Promise<boolean> {
  const answer = await exchange(port, commandMessage(command), (bytes) => {
    return bytes.length >= HEADER_BYTES && bytes.length >= bytes.readInt32LE(0);
  });
  return isSuccess(answer.subarray(HEADER_BYTES + FLAG_BYTES + SECTION_KIND_BYTES));
}

/** An OP_MSG that carries `{<command>: 1, $db: 'admin'}`. */
export function commandMessage(command: string): Buffer {
  const database = Buffer.from('admin\0');
  const fields = Buffer.concat([
    Buffer.from([BSON_INT32]),
    Buffer.from(`${command}\0`),
    int32(1),
    Buffer.from([BSON_STRING]),
    Buffer.from('$db\0'),
    int32(database.length),
    database,
    Buffer.from([0]),
  ]);
  const section = Buffer.concat([Buffer.from([0]), int32(fields.length + 4), fields]);
  const length = HEADER_BYTES + FLAG_BYTES + section.length;
  const header = Buffer.concat([int32(length), int32(1), int32(0), int32(OP_MSG)]);
  return Buffer.concat([header, int32(0), section]);
}

/** Whether a BSON answer holds `ok: 1`, which servers write as a double. */
export function isSuccess(document: Buffer): boolean {
  const field = Buffer.concat([Buffer.from([BSON_DOUBLE]), Buffer.from('ok\0')]);
  const at = document.indexOf(field);
  return at >= 0 && document.length >= at + field.length + 8
    ? document.readDoubleLE(at + field.length) === 1
    : false;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
