/**
 * The JSON body of a request, read within a limit of its own and a budget that all requests share.
 *
 * Body parsers of npm bound the bytes of one body but not of all bodies together. raw-body, on which most of them are built, also
 * keeps each chunk as an object of its own, so that a body of 100 kB in chunks of one byte holds some 30 MB. Here the chunks are
 * copied into one buffer, and the budget counts the size of that buffer.
 */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, unzip, type ZlibOptions } from 'node:zlib';
import { parse } from 'secure-json-parse';
import { Problem } from '../route/problem.ts';
import {
  BODY_INCOMPLETE,
  BODY_TOO_LARGE,
  BUSY,
  INVALID_ENCODING,
  INVALID_JSON,
  UNSUPPORTED_ENCODING,
} from '../route/sharedProblems.ts';

/** Upper bound of one body after decompression; a route whose schema allows longer bodies has its own limit. */
export const BODY_LIMIT_BYTES = 100 * 1024;

/** Upper bound of all bodies that a process holds; a small part of its heap of 96 MiB (dev/stack/src/system/startSystem.ts). */
export const BODY_BUDGET_BYTES = 8 * 1024 * 1024;

/** A number of bytes that many holders share, so that the memory of the process is bounded whatever the number of holders. */
export class ByteBudget {
  readonly #limitBytes: number;
  #heldBytes = 0;

  /** @param limitBytes upper bound of all shares together. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The sum of all shares now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @returns a share of 0 bytes. Its holder must release it also after a failure. */
  open(): BudgetShare {
    let shareBytes = 0;
    return {
      tryReserve: (bytes) => {
        if (this.#heldBytes - shareBytes + bytes > this.#limitBytes) return false;
        this.#heldBytes += bytes - shareBytes;
        shareBytes = bytes;
        return true;
      },
      release: () => {
        this.#heldBytes -= shareBytes;
        shareBytes = 0;
      },
    };
  }
}

/** The part of a budget that one holder has. */
export interface BudgetShare {
  /**
   * Sets the size of the share, in bytes; larger or smaller than before.
   * @returns false if the budget has not enough left; the share is then unchanged.
   */
  tryReserve(bytes: number): boolean;
  /** Sets the share to 0; a second call does nothing. */
  release(): void;
}

/** One budget for all ports of the process, because budgets of single ports would add up. */
export const bodyBudget = new ByteBudget(BODY_BUDGET_BYTES);

const INITIAL_BUFFER_BYTES = 4 * 1024;

type Decompress = (body: Buffer, options: ZlibOptions) => Promise<Buffer>;

const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map([
  ['gzip', promisify<Buffer, ZlibOptions, Buffer>(unzip)],
  ['deflate', promisify<Buffer, ZlibOptions, Buffer>(unzip)],
  ['br', promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress)],
]);

export interface ReadBodyOptions {
  /** The share of this request. It keeps its bytes after the return, because the caller still holds the body. */
  readonly share: BudgetShare;
  /** Default `BODY_LIMIT_BYTES`. */
  readonly limitBytes?: number;
}

/**
 * @returns the parsed body; an empty object if the body is empty.
 * @throws Problem 400 `invalid_json`, and those of `readBody`.
 */
export async function readJsonBody(
  request: IncomingMessage,
  options: ReadBodyOptions,
): Promise<unknown> {
  return parseJson(await readBody(request, options));
}

/**
 * @returns the body after decompression.
 * @throws Problem 400 `invalid_encoding`, `body_incomplete`; 413 `body_too_large`; 415 `unsupported_encoding`; 503 `busy`
 * where the budget is spent. The rest of a refused body is discarded as it arrives.
 */
export async function readBody(
  request: IncomingMessage,
  { share, limitBytes = BODY_LIMIT_BYTES }: ReadBodyOptions,
): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const decompress = DECOMPRESSORS.get(encoding);
  if (decompress === undefined && encoding !== 'identity')
    throw new Problem({
      ...UNSUPPORTED_ENCODING,
      title: `The content-encoding ${encoding.slice(0, 100)} is not known`,
    });
  const sent = await readBytes(request, { share, limitBytes });
  if (decompress === undefined) return sent;
  // The result and the internal buffers of the decompressor together need no more than this.
  if (!share.tryReserve(sent.length + 2 * limitBytes)) throw busy();
  const body = await decompressed(sent, decompress, limitBytes);
  share.tryReserve(body.length);
  return body;
}

async function readBytes(
  request: IncomingMessage,
  { share, limitBytes }: Required<ReadBodyOptions>,
): Promise<Buffer> {
  const declaredBytes = Number(request.headers['content-length'] ?? 0);
  if (declaredBytes > limitBytes) throw tooLarge(limitBytes);
  let buffer = Buffer.alloc(0);
  let usedBytes = 0;
  const add = (chunk: Buffer): void => {
    const neededBytes = usedBytes + chunk.length;
    if (neededBytes > limitBytes) throw tooLarge(limitBytes);
    if (neededBytes > buffer.length) {
      // The buffer doubles, so that small chunks are not copied again and again. A declared length alone reserves nothing.
      const grownBytes = Math.max(neededBytes, 2 * buffer.length, INITIAL_BUFFER_BYTES);
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
      request.off('data', onData).off('end', settle).off('error', onClosed).off('close', onClosed);
      // Without a data listener the rest is discarded; a paused request would keep it in the buffers of the stream.
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
    const onClosed = (): void => {
      settle(incomplete());
    };
    request.on('data', onData).once('end', settle).once('error', onClosed).once('close', onClosed);
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
    throw new Problem({
      ...INVALID_ENCODING,
      title: 'The body is not what its content-encoding says',
    });
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
  return new Problem({ ...BODY_TOO_LARGE, title });
}

function busy(): Problem {
  const title = 'This process is reading as many request bodies as it can hold';
  return new Problem({ ...BUSY, title, retryAfterSeconds: 1 });
}

/** The sender has closed the connection, so this answer appears only in the log. */
function incomplete(): Problem {
  return new Problem({ ...BODY_INCOMPLETE, title: 'The body ended too early' });
}

function notJson(): Problem {
  return new Problem({ ...INVALID_JSON, title: 'The body is not valid JSON' });
}
