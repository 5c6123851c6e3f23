/** The end of a log file: what a person wants to see when a service did not start or died. */
import { open } from 'node:fs/promises';

const TAIL_BYTES = 16 * 1024;
const DEFAULT_LINE_COUNT = 25;

/**
 * Written before each start of a service; what an earlier run logged explains nothing about this
 * one.
 */
export const START_MARK = '--- start ';

/** The last lines since the last start, joined by newlines; empty when the file does not exist. */
export async function logTail(path: string, lineCount = DEFAULT_LINE_COUNT): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const offset = Math.max(0, size - TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(TAIL_BYTES),
        0,
        TAIL_BYTES,
        offset,
      );
      const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n');
      const start = lines.findLastIndex((line) => line.startsWith(START_MARK));
      return lines.slice(Math.max(start + 1, lines.length - lineCount)).join('\n');
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}
