/** The status page: static files that any server can serve unchanged. There is no build step. */
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface PageFile {
  /** The path that the file is served under. */
  readonly path: string;
  /** Media type with character set. */
  readonly type: string;
  readonly content: Buffer;
}

const FOLDER = join(import.meta.dirname, 'page');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** Files by path. A file that is not listed is not served. */
const FILES: Readonly<Record<string, string>> = {
  '/': 'index.html',
  '/console/console.css': 'console.css',
  '/console/icon.svg': 'icon.svg',
  '/console/main.js': 'main.js',
  '/console/announcement.js': 'announcement.js',
  '/console/connection.js': 'connection.js',
  '/console/connectionState.js': 'connectionState.js',
  '/console/eventParser.js': 'eventParser.js',
  '/console/todayView.js': 'todayView.js',
  '/console/alertsView.js': 'alertsView.js',
  '/console/queuesView.js': 'queuesView.js',
  '/console/staleView.js': 'staleView.js',
  '/console/element.js': 'element.js',
  '/console/text.js': 'text.js',
};

/** @throws Error where a file is missing, so the server that calls this at its start does not start. */
export function pageFiles(): readonly PageFile[] {
  return Object.entries(FILES).map(([path, name]) => ({
    path,
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    content: readFileSync(join(FOLDER, name)),
  }));
}
