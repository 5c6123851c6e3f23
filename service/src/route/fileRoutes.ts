/**
 * Static files as routes, kept in memory and revalidated by ETag. The security headers of a page are those of every answer
 * (`createApp`). koa-static and @koa/send were not taken: they read the disk at each request, answer no 304, and bypass the routes, so
 * that their requests would have no label in the metrics and no problem document for a missing file.
 */
import { createHash } from 'node:crypto';
import Type from 'typebox';
import { defineRoute, type Reply, type Route } from './defineRoute.ts';
import { NOT_FOUND, notFound } from './problem.ts';

export interface ServedFile {
  /** The path of its URL, such as `/` or `/console/console.css`. */
  readonly path: string;
  /** Its media type with the character set. */
  readonly type: string;
  readonly content: Buffer;
}

/**
 * @param tag the group that the routes are documented in.
 * @returns routes for GET and HEAD that need no token, so the files must hold no secret. The files of a folder share one route, because
 * each route has some thirty series of metrics.
 */
export function fileRoutes(files: readonly ServedFile[], tag = 'Page'): Route[] {
  const patterns = Map.groupBy(files, ({ path }) => path.replace(/(?<=.\/)[^/]+$/, ':name'));
  return [...patterns].map(([pattern, group]) => {
    const replies = new Map(group.map((file) => [nameIn(file.path), toReply(file)]));
    return defineRoute({
      method: 'get',
      paths: [pattern],
      access: 'open',
      summary: pattern.endsWith(':name') ? 'Get a file of the page' : 'Get the page',
      tag,
      params: Type.Object({ name: Type.Optional(Type.String({ maxLength: 200 })) }),
      reply: Type.Unknown(),
      replyTypes: [...new Set(group.map(({ type }) => type.replace(/;.*/, '')))],
      statuses: [200, 304],
      problems: [NOT_FOUND],
      handle: ({ params: { name } }) => {
        const reply = replies.get(name ?? nameIn(pattern));
        if (reply === undefined) throw notFound();
        return Promise.resolve(reply);
      },
    });
  });
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function toReply({ type, content }: ServedFile): Reply<unknown> {
  return {
    headers: {
      'content-type': type,
      // A browser revalidates each file, because an old script beside a new page would not work.
      'cache-control': 'no-cache',
      etag: `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`,
    },
    body: content,
  };
}
