/** The routes of both services as they are documented. They cannot answer: their declaration uses no method of their parts. */
import { COACH_DOCUMENT } from '@fit/coach/document';
import { storedWodRoutes } from '@fit/coach/routes';
import { connectStore } from '@fit/jobs/store';
import { MONOLITH_DOCUMENT } from '@fit/monolith/document';
import { type MonolithRouteParts, monolithRoutes } from '@fit/monolith/routes';
import { Health, healthRoutes, type Route, withDocumentation } from '@fit/service';

export function declaredMonolithRoutes(): Route[] {
  const parts = {
    store: connectStore('mongodb://127.0.0.1:1/none'),
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
