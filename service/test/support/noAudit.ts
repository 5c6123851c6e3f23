/** For tests whose subject is not the audit: an audit that keeps nothing. */
import type { AuditLog } from '@fit/service';

export const NO_AUDIT: AuditLog = {
  begin: () => Promise.resolve('entry'),
  complete: () => Promise.resolve(),
};
