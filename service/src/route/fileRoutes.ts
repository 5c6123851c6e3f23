/** Static files as routes: held in memory, revalidated by ETag, under a policy that lets a page load nothing foreign. */
import { createHash } from 'node:crypto';
import Type from 'typebox';
import { defineRoute, type Reply, type Route } from './defineRoute.ts';
import { notFound } from './problem.ts';

export interface ServedFile {
  /** Where it is found, such as `/` or `/console/console.css`. */
  readonly path: string;
  /** Its media type, with the character set. */
  readonly type: string;
  readonly content: Buffer;
}

const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/**
 * They hold no secret, so that they need no token; GET and HEAD only. The files of a folder share one route: each route is
 * some thirty series of metrics.
 */
export function fileRoutes(files: readonly ServedFile[]): Route[] {
  const patterns = Map.groupBy(files, ({ path }) => path.replace(/(?<=.\/)[^/]+$/, ':name'));
  return [...patterns].map(([pattern, group]) => {
    const answers = new Map(group.map((file) => [nameIn(file.path), answerer(file)]));
    return defineRoute({
      method: 'get',
      paths: [pattern],
      access: 'anyone',
      params: Type.Object({ name: Type.Optional(Type.String({ maxLength: 200 })) }),
      reply: Type.Unknown(),
      handle: ({ params: { name }, headers }) => {
        const answer = answers.get(name ?? nameIn(pattern));
        if (answer === undefined) throw notFound();
        return Promise.resolve(answer(headers['if-none-match']));
      },
    });
  });
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** @returns what answers a question, by the tag of what the asker has. */
function answerer({ type, content }: ServedFile): (ifNoneMatch?: string) => Reply<unknown> {
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  const headers = {
    ...SECURITY_HEADERS,
    // Kept, and asked for again each time: an old script beside a new page would be worse than a short question.
    'cache-control': 'no-cache',
    etag,
  };
  return (ifNoneMatch) =>
    isKnown(ifNoneMatch, etag)
      ? { status: 304, headers, body: null }
      : { headers: { ...headers, 'content-type': type }, body: content };
}

/** Weak and strong are alike here: a proxy that compressed the file has the same content. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = (ifNoneMatch ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  return known.includes(etag) || known.includes('*');
}
