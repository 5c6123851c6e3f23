/** What the OpenAPI document of the monolith says beside its routes. */
import type { DocumentOptions } from '@fit/service';

export const MONOLITH_DOCUMENT: DocumentOptions = {
  title: 'FIT',
  version: '0.2.0',
  description: [
    'A workout of the day for every user. Bodies are JSON. An error is a problem document (RFC 9457): `code` is stable, `title` says what is wrong with which value, `detail` what the caller can do.',
    'Lists are read in pages: `next` of a reply is `after` of the next request. The coach describes its own routes at its `/openapi.json`.',
  ].join('\n\n'),
  tags: [
    { name: 'Accounts', description: 'Who may call the API: registering, signing in, roles.' },
    { name: 'Users', description: 'Who gets workouts.' },
    { name: 'Workouts', description: 'The workouts of the users.' },
    { name: 'Runs', description: 'A run is one request for workouts, such as the daily one.' },
    {
      name: 'Jobs',
      description: 'A job is one piece of work of a kind, such as the workout of one user and day.',
    },
    { name: 'Audit', description: 'Who changed what, when and why.' },
    { name: 'Failures', description: 'Dead jobs in groups of equal failures.' },
    { name: 'Operations', description: 'An operation replays many dead jobs in the background.' },
    { name: 'Queues', description: 'The queues of the broker; a main queue can be paused.' },
    { name: 'Workers', description: 'Who makes the workouts; one worker can be drained.' },
    { name: 'Settings', description: 'What can be changed while everything runs.' },
    { name: 'Status', description: 'How the system is.' },
    { name: 'Health', description: 'For load balancers and for people on call.' },
    { name: 'Page', description: 'The status page and its files.' },
  ],
};
