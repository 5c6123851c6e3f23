/** The OpenAPI document, made from the schemas that check the requests, and a page that shows it. */
import { z } from 'zod';
import {
  categorySchema,
  taskChangeSchema,
  taskFilterSchema,
  taskSchema,
  userSchema,
} from './requests.ts';

const body = (schema: z.ZodType) => ({
  required: true,
  content: { 'application/json': { schema: z.toJSONSchema(schema) } },
});
const answers = (...codes: readonly [code: number, description: string][]) => ({
  responses: Object.fromEntries(codes.map(([code, description]) => [code, { description }])),
});
const WRONG: [number, string] = [400, '{field, reason}'];
const MISSING: [number, string] = [404, '{field, reason}'];
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } };
const FILTERS = Object.entries(z.toJSONSchema(taskFilterSchema).properties ?? {}).map(
  ([name, schema]) => ({ name, in: 'query', required: false, schema }),
);

const paths: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  '/users': {
    post: {
      summary: 'Create a user',
      requestBody: body(userSchema),
      ...answers([201, 'the user'], WRONG),
    },
    get: { summary: 'List users', ...answers([200, 'users']) },
  },
  '/categories': {
    post: {
      summary: 'Create a category',
      requestBody: body(categorySchema),
      ...answers([201, 'the category'], WRONG),
    },
    get: { summary: 'List categories', ...answers([200, 'categories']) },
  },
  '/tasks': {
    post: {
      summary: 'Create a task',
      requestBody: body(taskSchema),
      ...answers([201, 'the task'], WRONG),
    },
    get: { summary: 'List tasks', parameters: FILTERS, ...answers([200, 'tasks'], WRONG) },
  },
  '/tasks/{id}': {
    get: { summary: 'Read a task', parameters: [ID], ...answers([200, 'the task'], MISSING) },
    put: {
      summary: 'Replace the fields of a task',
      parameters: [ID],
      requestBody: body(taskSchema),
      ...answers([200, 'the task'], WRONG, MISSING),
    },
    patch: {
      summary: 'Change some fields of a task',
      parameters: [ID],
      requestBody: body(taskChangeSchema),
      ...answers([200, 'the task'], WRONG, MISSING),
    },
    delete: { summary: 'Delete a task', parameters: [ID], ...answers([204, 'deleted'], MISSING) },
  },
  '/notifications': {
    get: {
      summary: 'List what users were notified of',
      parameters: [{ name: 'taskId', in: 'query', required: false, schema: { type: 'string' } }],
      ...answers([200, 'notifications']),
    },
  },
};

export const openApiDocument = {
  openapi: '3.1.0',
  info: { title: 'task-events', version: '1.0.0' },
  paths,
};

/** @returns a page that needs no script, and nothing from elsewhere. */
export function docsPage(): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        `<details><summary><code>${method.toUpperCase()} ${path}</code></summary><pre>${escaped(
          JSON.stringify(operation, undefined, 2),
        )}</pre></details>`,
    ),
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>task-events API</title>
<h1>task-events API</h1><p>OpenAPI document: <a href="/openapi.json">/openapi.json</a></p>
${operations.join('\n')}</html>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
