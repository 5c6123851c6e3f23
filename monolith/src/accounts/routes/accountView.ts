/** An account as the API shows it: without its password, secrets and stamp. */
import { UserId } from '@fit/contract';
import { ROLES } from '@fit/service';
import Type, { type Static } from 'typebox';
import type { Account } from '../store/accountStore.ts';

export const AccountView = Type.Object({
  id: Type.String(),
  /** Absent on the account of a service. */
  email: Type.Optional(Type.String()),
  name: Type.String(),
  role: Type.Enum([...ROLES]),
  /** The user whose profile and workouts belong to a member. */
  userId: Type.Optional(UserId),
  isDisabled: Type.Boolean(),
  createdAt: Type.String(),
});
export type AccountView = Static<typeof AccountView>;

export function accountView(account: Account): AccountView {
  const { _id, email, name, role, userId, isDisabled, createdAt } = account;
  return {
    id: _id,
    ...(email === undefined ? {} : { email }),
    name,
    role,
    ...(userId === undefined ? {} : { userId }),
    isDisabled,
    createdAt: createdAt.toISOString(),
  };
}
