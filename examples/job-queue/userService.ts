/** Accounts: registers users and logs them in. */
import { randomUUID } from 'node:crypto';
import Router from '@koa/router';
import { MongoClient, MongoServerError } from 'mongodb';
import { z } from 'zod';
import { checked, jsonBody, Refusal, serve } from './http.ts';
import { hashPassword, isPassword } from './password.ts';
import { setting } from './process.ts';
import { LIFETIME_SECONDS, signToken } from './token.ts';

interface User {
  readonly _id: string;
  /** In lower case; unique. */
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly createdAt: Date;
}

const DUPLICATE_KEY = 11_000;

const email = z.string().trim().toLowerCase().max(254).pipe(z.email());
const registration = z.strictObject({
  email,
  password: z.string().min(8).max(200),
  name: z.string().trim().min(1).max(100),
});
const credentials = z.strictObject({ email: z.string(), password: z.string().max(200) });

const client = new MongoClient(setting('MONGODB_URL'), {
  serverSelectionTimeoutMS: 10_000,
  socketTimeoutMS: 10_000,
  writeConcern: { w: 'majority', journal: true },
});
const users = client.db().collection<User>('users');
await users.createIndex({ email: 1 }, { unique: true }, {});

const router = new Router();

router.post('/auth/register', async (context) => {
  const given = checked(registration, await jsonBody(context), 'body');
  // Hashing costs much, so it is not done in vain; the index decides between two registrations at the same time.
  if ((await users.findOne({ email: given.email })) !== null)
    throw new Refusal(409, 'email', 'is registered already');
  const user: User = {
    _id: randomUUID(),
    email: given.email,
    name: given.name,
    passwordHash: await hashPassword(given.password),
    createdAt: new Date(),
  };
  try {
    await users.insertOne(user);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === DUPLICATE_KEY)
      throw new Refusal(409, 'email', 'is registered already');
    throw error;
  }
  context.status = 201;
  context.body = {
    id: user._id,
    email: user.email,
    name: user.name,
    created_at: user.createdAt.toISOString(),
  };
});

router.post('/auth/login', async (context) => {
  const given = checked(credentials, await jsonBody(context), 'body');
  const user = await users.findOne({ email: given.email.trim().toLowerCase() });
  const isRight = await isPassword(given.password, user?.passwordHash);
  if (user === null || !isRight) throw new Refusal(401, 'password', 'e-mail or password is wrong');
  context.body = {
    token: await signToken(user._id),
    token_type: 'Bearer',
    expires_in: LIFETIME_SECONDS,
  };
});

await serve('user service', {
  router,
  port: setting('USER_PORT', '5001'),
  health: async () => ({
    database: await client
      .db()
      .command({ ping: 1 })
      .then(() => true)
      .catch(() => false),
  }),
});
await client.close();
process.exit();
