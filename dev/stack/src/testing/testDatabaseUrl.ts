/** A database of its own for one test. */
import { randomUUID } from 'node:crypto';
import { testServerUrl } from './testServer.ts';

/**
 * @returns the URL of a database that does not exist yet; the caller drops it, since only a driver can.
 * @throws Error where FIT_TEST_MONGODB_URL is missing.
 */
export function testDatabaseUrl(): string {
  const url = testServerUrl('FIT_TEST_MONGODB_URL');
  url.pathname = `/test-${randomUUID().slice(0, 13)}`;
  return url.href;
}
