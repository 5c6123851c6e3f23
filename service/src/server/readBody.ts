/**
 * The JSON body of a request, read within a limit and a budget that all requests share.
 *
 * Body parsers of npm bound the bytes of one body and not of all: raw-body, which most of them stand on, keeps every
 * chunk as an object of its own, so that a body of 100 kB in chunks of one byte holds some 30 MB. Here the chunks are
 * copied into one buffer, and the size of that buffer is what the budget counts.
 */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, unzip, type ZlibOptions } from 'node:zlib';
import { parse } from 'secure-json-parse';
import { Problem } from '../route/problem.ts';
import type { BudgetShare } from './byteBudget.ts';

/** Of one body, after decompression, unless the schema of its route allows longer ones. */
export const BODY_LIMIT_BYTES = 100 * 1024;

const FIRST_BYTES = 4 * 1024;

type Decompress = (body: Buffer, options: ZlibOptions) => Promise<Buffer>;

const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map([
  ['gzip', promisify<Buffer, ZlibOptions, Buffer>(unzip)],
  ['deflate', promisify<Buffer, ZlibOptions, Buffer>(unzip)],
  ['br', promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress)],
]);

export interface ReadBodyOptions {
  /** Of this request; it keeps its bytes after the return, because the caller still holds the body. */
  readonly share: BudgetShare;
  /** Default `BODY_LIMIT_BYTES`. */
  readonly limitBytes?: number;
}

/**
 * @returns the parsed body; an empty object where the body is empty.
 * @throws Problem 400 `invalid_json`, `body_incomplete`; 413 `body_too_large`; 415 `unsupported_encoding`; 503 `busy`
 * where the budget is spent. What still arrives of a refused body is discarded.
 */
export async function readJsonBody(
  request: IncomingMessage,
  { share, limitBytes = BODY_LIMIT_BYTES }: ReadBodyOptions,
): Promise<unknown> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const decompress = DECOMPRESSORS.get(encoding);
  if (decompress === undefined && encoding !== 'identity')
    throw new Problem({
      status: 415,
      code: 'unsupported_encoding',
      title: 'Send the body as it is, or with content-encoding gzip, deflate or br',
    });
  const sent = await readBytes(request, { share, limitBytes });
  if (decompress === undefined) return parseJson(sent);
  // The result and the decompressor's own buffers are no larger than this.
  if (!share.tryReserve(sent.length + 2 * limitBytes)) throw busy();
  const body = await decompressed(sent, decompress, limitBytes);
  share.tryReserve(body.length);
  return parseJson(body);
}

interface Bounds {
  readonly share: BudgetShare;
  readonly limitBytes: number;
}

async function readBytes(request: IncomingMessage, { share, limitBytes }: Bounds): Promise<Buffer> {
  const declaredBytes = Number(request.headers['content-length'] ?? 0);
  if (declaredBytes > limitBytes) throw tooLarge(limitBytes);
  let buffer = Buffer.alloc(0);
  let usedBytes = 0;
  const add = (chunk: Buffer): void => {
    const neededBytes = usedBytes + chunk.length;
    if (neededBytes > limitBytes) throw tooLarge(limitBytes);
    if (neededBytes > buffer.length) {
      // Doubled, so that small chunks are not copied over and over; a declared length alone reserves nothing.
      const grownBytes = Math.max(neededBytes, 2 * buffer.length, FIRST_BYTES);
      const size = Math.min(grownBytes, limitBytes);
      if (!share.tryReserve(size)) throw busy();
      const larger = Buffer.allocUnsafeSlow(size);
      buffer.copy(larger, 0, 0, usedBytes);
      buffer = larger;
    }
    chunk.copy(buffer, usedBytes);
    usedBytes = neededBytes;
  };
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      request.off('data', onData).off('end', settle).off('error', onGone).off('close', onGone);
      // Without a listener for data the rest is discarded; paused, it would be kept in the buffers of the stream.
      request.resume();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      try {
        add(chunk);
      } catch (error) {
        settle(error as Problem);
      }
    };
    const onGone = (): void => {
      settle(incomplete());
    };
    request.on('data', onData).once('end', settle).once('error', onGone).once('close', onGone);
  });
  return buffer.subarray(0, usedBytes);
}

async function decompressed(
  sent: Buffer,
  decompress: Decompress,
  limitBytes: number,
): Promise<Buffer> {
  if (sent.length === 0) return sent;
  try {
    return await decompress(sent, { maxOutputLength: limitBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(limitBytes);
    throw notJson();
  }
}

function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8');
  if (text.trim() === '') return {};
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' }) as unknown;
  } catch {
    throw notJson();
  }
}

function tooLarge(limitBytes: number): Problem {
  const title = `The body exceeds ${limitBytes} bytes`;
  return new Problem({ status: 413, code: 'body_too_large', title });
}

function busy(): Problem {
  const title = 'This process is reading as many request bodies as it can hold; come again';
  return new Problem({ status: 503, code: 'busy', title, retryAfterSeconds: 1 });
}

/** Its sender is gone, so that nobody reads this; it is what the log says of the request. */
function incomplete(): Problem {
  return new Problem({ status: 400, code: 'body_incomplete', title: 'The body ended too early' });
}

function notJson(): Problem {
  return new Problem({ status: 400, code: 'invalid_json', title: 'The body is not valid JSON' });
}
