/** For tests of servers without accounts: accepts one fixed text as the bearer token of an administrator. */
import { type Authenticate, bearerOf } from '@fit/service';

export function acceptToken(token: string): Authenticate {
  return (credentials) => {
    const given = bearerOf(credentials.authorization);
    if (given !== token) return Promise.resolve(given === undefined ? 'none' : 'wrong');
    return Promise.resolve({
      accountId: 'admin',
      pseudonym: '~admin',
      role: 'admin',
      via: 'bearer',
      credentialId: 'admin',
    });
  };
}
