/** Goal: the page is complete, and works under a strict Content-Security-Policy. Method: the files as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageFiles } from '@fit/console';

const files = new Map(pageFiles().map(({ path, content }) => [path, content.toString()]));
const page = files.get('/') ?? '';

test('every file that the page or a script names is served', () => {
  const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  assert.ok(named.length >= 3);
  for (const path of named) assert.ok(files.has(path ?? ''), path);
  for (const [path, text] of files)
    for (const [, name = ''] of text.matchAll(/ from '\.\/(.+)';$/gm))
      assert.ok(files.has(`/console/${name}`), `${path} imports ${name}`);
});

test('the page has no inline script, style or handler', () => {
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:/i);
});

test('no script turns text into markup', () => {
  const markup =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment/;
  for (const [path, text] of files)
    if (path.endsWith('.js')) assert.doesNotMatch(text, markup, path);
});
