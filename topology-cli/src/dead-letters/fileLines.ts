/** Lines of a file or of standard input, one by one. */
import { createReadStream } from 'node:fs';

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Undefined where the line is longer than 64 MiB. */
  readonly text: string | undefined;
}

/** No message of a broker makes a longer line, and a file without line ends must not fill the memory. */
const LINE_LIMIT_BYTES = 64 * 1024 * 1024;
const LINE_END = 0x0a;

/**
 * Ends a line at its line feed only: Node's own reader also ends it at U+2028, which JSON allows inside a text.
 * Empty lines are counted, and left out.
 * @throws where the file cannot be read.
 */
export async function* fileLines(path: string): AsyncGenerator<Line> {
  const stream = path === '-' ? process.stdin : createReadStream(path);
  let number = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const end = (): Line => ({
    number: number++,
    text: length > LINE_LIMIT_BYTES ? undefined : Buffer.concat(parts).toString().trim(),
  });
  for await (const piece of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const stop = piece.indexOf(LINE_END, start);
      const part = piece.subarray(start, stop === -1 ? undefined : stop);
      length += part.length;
      if (length <= LINE_LIMIT_BYTES) parts.push(part);
      if (stop === -1) break;
      const line = end();
      parts = [];
      length = 0;
      start = stop + 1;
      if (line.text !== '') yield line;
    }
  }
  const last = end();
  if (last.text !== '') yield last;
}
