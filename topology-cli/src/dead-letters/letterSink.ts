/** Where exported lines go: a file that is on the disk before anything is acked, or standard output. */
import { type FileHandle, open } from 'node:fs/promises';

/** Takes the lines of a letter file. */
export interface LetterSink {
  /** Resolves once the lines are safe: for a file, on the disk. @throws where the disk is full. */
  write(lines: readonly string[]): Promise<void>;
  /** @returns a place to come back to. */
  mark(): number;
  /** Forgets what was written since. @returns false where that cannot be. */
  rewind(mark: number): Promise<boolean>;
  close(): Promise<void>;
}

const LINE_FEED = 0x0a;

/**
 * A sink that writes to a file.
 * @param isAppending false: the file must not exist, so that no export is ever written over. True: lines are added,
 * after the end of a line that an earlier export did not finish.
 * @throws with the code `EEXIST` where it does.
 */
export async function fileSink(path: string, isAppending: boolean): Promise<LetterSink> {
  const file = await open(path, isAppending ? 'a+' : 'wx');
  let position = (await file.stat()).size;
  const write = async (text: string) => {
    const bytes = Buffer.from(text);
    await file.appendFile(bytes);
    await file.datasync();
    position += bytes.length;
  };
  if (!(await isAtLineStart(file, position))) await write('\n');
  return {
    write: async (lines) => {
      if (lines.length > 0) await write(`${lines.join('\n')}\n`);
    },
    mark: () => position,
    rewind: async (mark) => {
      await file.truncate(mark);
      position = mark;
      return true;
    },
    close: () => file.close(),
  };
}

/** Standard output, as it is given: it cannot be taken back, and nobody knows when it is safe. */
export function streamSink(stream: NodeJS.WritableStream): LetterSink {
  return {
    write: async (lines) => {
      if (lines.length === 0) return;
      await new Promise<void>((resolve, reject) => {
        stream.write(`${lines.join('\n')}\n`, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    },
    mark: () => 0,
    rewind: () => Promise.resolve(false),
    close: () => Promise.resolve(),
  };
}

async function isAtLineStart(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === LINE_FEED;
}
