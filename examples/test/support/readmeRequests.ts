/** The requests that a README shows with curl, so that tests make the same ones. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLES } from './program.ts';

export interface ReadmeRequest {
  readonly method: string;
  /** As in the README. */
  readonly port: number;
  /** With its query. */
  readonly path: string;
  /** A text of JSON; undefined: none. */
  readonly body: string | undefined;
}

/** @returns the requests of a folder's README in their order: lines that begin with curl, one request each. */
export async function readmeRequests(folder: string): Promise<readonly ReadmeRequest[]> {
  const readme = await readFile(join(EXAMPLES, folder, 'README.md'), 'utf8');
  return [...readme.matchAll(/^curl (.+)$/gm)].map(([, words = '']) => {
    const [, port, path] = /localhost:(\d+)([^ '"]*)/.exec(words) ?? [];
    if (port === undefined || path === undefined) throw new Error(`no address in: ${words}`);
    const body = / -d '([^']*)'/.exec(words)?.[1];
    const method = / -X (\w+)/.exec(` ${words}`)?.[1] ?? (body === undefined ? 'GET' : 'POST');
    return { method, port: Number(port), path, body };
  });
}

/** Sends it to the service that listens on another port here. */
export async function send(request: ReadmeRequest, origin: string): Promise<Response> {
  return await fetch(`${origin}${request.path}`, {
    method: request.method,
    ...(request.body === undefined
      ? {}
      : { body: request.body, headers: { 'content-type': 'application/json' } }),
  });
}
