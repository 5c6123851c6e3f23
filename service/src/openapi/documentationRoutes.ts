/**
 * `/openapi.json` and `/docs` of a service. The page is Swagger UI, whose files come from its npm package: it needs no inline script or
 * style, so that the Content-Security-Policy of every answer stays as it is.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import Type from 'typebox';
import { defineRoute, type Route } from '../route/defineRoute.ts';
import { fileRoutes, type ServedFile } from '../route/fileRoutes.ts';
import { type DocumentOptions, openApiDocument } from './openApiDocument.ts';

const DOCUMENTATION = 'Documentation';

/**
 * @param routes every other route of the service.
 * @returns the routes together with those of the documentation, which need no token and are documented, too.
 * @throws Error as `openApiDocument` does.
 */
export function withDocumentation(routes: readonly Route[], options: DocumentOptions): Route[] {
  const holder: { text?: Buffer } = {};
  const all = [
    ...routes,
    defineRoute({
      method: 'get',
      paths: ['/openapi.json'],
      access: 'open',
      summary: 'Read this document',
      tag: DOCUMENTATION,
      reply: Type.Unknown(),
      handle: () =>
        Promise.resolve({
          headers: { 'content-type': 'application/json; charset=utf-8' },
          body: holder.text,
        }),
    }),
    ...fileRoutes(pageFiles(), DOCUMENTATION),
  ];
  const tags = [...options.tags, { name: DOCUMENTATION, description: 'This page and its data.' }];
  holder.text = Buffer.from(JSON.stringify(openApiDocument(all, { ...options, tags })));
  return all;
}

const CSS = 'text/css; charset=utf-8';
const FOLDER = join(import.meta.dirname, 'page');
const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

function pageFiles(): ServedFile[] {
  const html = 'text/html; charset=utf-8';
  const script = 'text/javascript; charset=utf-8';
  return [
    { path: '/docs', type: html, content: readFileSync(join(FOLDER, 'index.html')) },
    { path: '/docs/start.js', type: script, content: readFileSync(join(FOLDER, 'start.js')) },
    { path: '/docs/page.css', type: CSS, content: readFileSync(join(FOLDER, 'page.css')) },
    {
      path: '/docs/swagger-ui-bundle.js',
      type: script,
      content: readFileSync(join(SWAGGER_UI, 'swagger-ui-bundle.js')),
    },
    ...styleFiles(readFileSync(join(SWAGGER_UI, 'swagger-ui.css'), 'utf8')),
  ];
}

/** An image in a style sheet: an SVG in quotes with escaped quotes, or base64 with quotes or without. */
const DATA_IMAGE =
  /url\((?:"data:image\/svg\+xml;charset=utf-8,(?<svg>(?:[^"\\]|\\.)+)"|"?data:(?<type>image\/\w+);base64,(?<base64>[^")]+)"?)\)/g;

/** The policy allows no `data:` images, so each image in the style sheet of Swagger UI becomes a file of its own. */
function styleFiles(style: string): ServedFile[] {
  const images: ServedFile[] = [];
  const content = style.replaceAll(DATA_IMAGE, (...match) => {
    const { svg, type, base64 } = match.at(-1) as Readonly<Record<string, string | undefined>>;
    const path = `/docs/image-${images.length}`;
    images.push(
      svg === undefined
        ? { path, type: type ?? '', content: Buffer.from(base64 ?? '', 'base64') }
        : {
            path,
            type: 'image/svg+xml',
            content: Buffer.from(decodeURIComponent(svg.replaceAll(/\\(.)/g, '$1'))),
          },
    );
    return `url(${path})`;
  });
  const css = { path: '/docs/swagger-ui.css', type: CSS, content: Buffer.from(content) };
  return [css, ...images];
}
