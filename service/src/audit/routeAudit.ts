/** What a route says of the audit entry of its requests. */

/**
 * What a request changes, as names and short values: one thing (`{ job: id }`), or a filter (`{ kind: 'createWod', state: 'dead' }`).
 * The names `user`, `account` and `job` hold ids, which are stored under pseudonyms. No value is a secret, a payload or a free text.
 */
export type AuditTarget = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a route says of its audit entry. The reason of the entry is the field `reason` of the body, where the route takes one. */
export type RouteAudit<Request, Answer> =
  | {
      /** What is done to what, such as `job.retry`. */
      readonly action: string;
      /** Called before the change without a reply, and after it with the reply; what is known only after it is undefined before. */
      readonly target?: (request: Request, reply: Answer | undefined) => AuditTarget;
    }
  | {
      /** Why the route has no entry, as a sentence. */
      readonly none: string;
    };

export interface AuditedRequest {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}
