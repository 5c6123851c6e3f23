/** Whether a server on loopback answers. Every probe throws where it does not, which callers count as not ready yet. */
import { basicAuthorization, type Credentials } from './credentials.ts';

const ANSWER_DEADLINE_MS = 2_000;
const NOT_FOUND = 404;

/** RabbitMQ makes this user by itself where no other one is configured. */
const GUEST: Credentials = { name: 'guest', password: 'guest' };

/**
 * Opens an AMQP connection. An open port alone is no proof: the broker opens it while it still boots.
 * @param user undefined: guest; a broker whose data have no guest any more refuses it, and that counts as an answer.
 */
export async function answersAmqp(port: number, user: Credentials | undefined): Promise<boolean> {
  const { connect } = await import('amqplib');
  const { name, password } = user ?? GUEST;
  try {
    const connection = await connect(
      { hostname: '127.0.0.1', port, username: name, password },
      { timeout: ANSWER_DEADLINE_MS },
    );
    await connection.close();
    return true;
  } catch (error) {
    if (user === undefined && String(error).includes('ACCESS-REFUSED')) return true;
    throw error;
  }
}

/** Asks the gateway a command that takes a query in PostgreSQL: the gateway answers `hello` without a database. */
export async function answersMongo(port: number): Promise<boolean> {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: ANSWER_DEADLINE_MS,
    connectTimeoutMS: ANSWER_DEADLINE_MS,
    socketTimeoutMS: ANSWER_DEADLINE_MS,
    retryReads: false,
  });
  try {
    await client.db('admin').command({ listDatabases: 1, nameOnly: true });
    return true;
  } finally {
    await client.close();
  }
}

/** @returns whether the status is from 200 to 299. */
export async function answersHttp(url: string, user?: Credentials): Promise<boolean> {
  return (await request(url, { headers: basicAuthorization(user) })).ok;
}

/**
 * Asks the management API of RabbitMQ for its overview: its pages answer before its statistics do (500, seen on 4.3.6).
 * @param user as in `answersAmqp`.
 */
export async function answersManagement(
  port: number,
  user: Credentials | undefined,
): Promise<boolean> {
  const { ok, status } = await request(`http://127.0.0.1:${port}/api/overview`, {
    headers: basicAuthorization(user ?? GUEST),
  });
  return ok || (user === undefined && status < 500);
}

/** Deletes guest, which also closes its connections. @returns whether guest does not exist any more. */
export async function deletesGuest(port: number, user: Credentials): Promise<boolean> {
  const { ok, status } = await request(`http://127.0.0.1:${port}/api/users/${GUEST.name}`, {
    method: 'DELETE',
    headers: basicAuthorization(user),
  });
  return ok || status === NOT_FOUND;
}

async function request(url: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, {
    ...options,
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  await response.body?.cancel();
  return response;
}
