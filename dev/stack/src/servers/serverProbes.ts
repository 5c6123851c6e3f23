/** Whether a server on loopback answers. Every probe throws if it does not, which callers count as not ready yet. */
import { basicAuthorization, type Credentials } from './credentials.ts';

const ANSWER_DEADLINE_MS = 2_000;

/** RabbitMQ makes this user by itself if no other one is configured. */
const GUEST: Credentials = { name: 'guest', password: 'guest' };

/** Opens an AMQP connection. An open port alone is no proof: the broker opens it while it still boots. */
export async function answersAmqp(port: number, user = GUEST): Promise<boolean> {
  const { connect } = await import('amqplib');
  const { name, password } = user;
  const connection = await connect(
    { hostname: '127.0.0.1', port, username: name, password },
    { timeout: ANSWER_DEADLINE_MS },
  );
  await connection.close();
  return true;
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
  const response = await fetch(url, {
    headers: basicAuthorization(user),
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  await response.body?.cancel();
  return response.ok;
}

/** Asks RabbitMQ's management API for its overview: its pages answer before its statistics do (500, seen on 4.3.6). */
export async function answersManagement(port: number, user = GUEST): Promise<boolean> {
  return await answersHttp(`http://127.0.0.1:${port}/api/overview`, user);
}
