/** The routes of both services as they are documented. They cannot answer: their declaration uses no method of their parts. */
import { COACH_DOCUMENT } from '@fit/coach/document';
import { storedWodRoutes } from '@fit/coach/routes';
import { connectStore } from '@fit/jobs/store';
import { MONOLITH_DOCUMENT } from '@fit/monolith/document';
import { type MonolithRouteParts, monolithRoutes } from '@fit/monolith/routes';
import {
  Health,
  healthRoutes,
  type OpenApiDocument,
  type Route,
  withDocumentation,
} from '@fit/service';

export function declaredMonolithRoutes(): Route[] {
  const parts = {
    store: connectStore('mongodb://127.0.0.1:1/none'),
    stores: {},
    declaration: { kinds: [] },
    status: {},
  } as unknown as MonolithRouteParts;
  return withDocumentation([...monolithRoutes(parts), ...declaredHealth()], MONOLITH_DOCUMENT);
}

export function declaredCoachRoutes(): Route[] {
  const stored = storedWodRoutes({ find: () => Promise.resolve(undefined) }, 'UTC');
  return withDocumentation([...stored, ...declaredHealth()], COACH_DOCUMENT);
}

function declaredHealth(): Route[] {
  return healthRoutes(new Health({ stopping: new AbortController().signal, ready: {} }));
}

/** @returns the OpenAPI document as the service with these routes serves it. */
export async function servedDocument(routes: readonly Route[]): Promise<OpenApiDocument> {
  const route = routes.find(({ paths }) => paths.includes('/openapi.json'));
  if (route === undefined) throw new Error('no route serves /openapi.json');
  const input = {
    params: {},
    query: {},
    body: {},
    headers: {},
    keyHash: undefined,
    caller: undefined,
    isStillAllowed: () => Promise.resolve(true),
    address: '',
  };
  const { body } = await route.handle(input);
  return JSON.parse(String(body)) as OpenApiDocument;
}

export async function declaredDocuments(): Promise<{
  readonly monolith: OpenApiDocument;
  readonly coach: OpenApiDocument;
}> {
  return {
    monolith: await servedDocument(declaredMonolithRoutes()),
    coach: await servedDocument(declaredCoachRoutes()),
  };
}
