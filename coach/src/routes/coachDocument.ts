/** What the OpenAPI document of the coach says beside its routes. */
import type { DocumentOptions } from '@fit/service';

export const COACH_DOCUMENT: DocumentOptions = {
  title: 'FIT coach',
  version: '0.2.0',
  description:
    'A worker that makes workouts and serves the stored ones. The monolith describes all other routes at its `/openapi.json`.',
  tags: [
    { name: 'Workouts', description: 'The workouts of the users.' },
    { name: 'Health', description: 'For load balancers and for people on call.' },
  ],
};
