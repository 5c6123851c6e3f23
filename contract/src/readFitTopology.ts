/** Environment variables → the declaration, alike in every process. */
import { type Duration, TopologyError } from '@fit/topology';
import Type, { type Static } from 'typebox';
import {
  ConfigError,
  checkedText,
  type Environment,
  oneOf,
  parseEnvironment,
} from './environment.ts';
import { type FitDeclaration, fitTopology, PROFILES } from './fitTopology.ts';

export const TOPOLOGY_VARIABLES = {
  FIT_PROFILE: oneOf(PROFILES),
  FIT_TIERS: Type.Optional(checkedText(problemOfTiers)),
  FIT_MAX_LENGTH: Type.Optional(
    Type.Integer({ minimum: 1, expects: 'must be a whole number of messages, at least 1' }),
  ),
};

const SCHEMA = Type.Object(TOPOLOGY_VARIABLES);

/**
 * Reads `FIT_PROFILE` (default | assignment), `FIT_TIERS` ('5s,30s,120s') and `FIT_MAX_LENGTH`; empty counts as unset.
 * @throws ConfigError naming every variable at fault.
 */
export function readFitTopology(env: Environment): FitDeclaration {
  const value = parseEnvironment(SCHEMA, env);
  try {
    return declare(value);
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    // Each variable is good, and together they are not.
    throw new ConfigError([
      `FIT_PROFILE, FIT_TIERS and FIT_MAX_LENGTH do not fit together: ${faultsOf(error)}`,
    ]);
  }
}

function declare({ FIT_PROFILE, FIT_TIERS, FIT_MAX_LENGTH }: Static<typeof SCHEMA>) {
  return fitTopology({
    profile: FIT_PROFILE,
    ...(FIT_TIERS === undefined ? {} : { tiers: tiersIn(FIT_TIERS) }),
    ...(FIT_MAX_LENGTH === undefined ? {} : { maxLength: FIT_MAX_LENGTH }),
  });
}

function tiersIn(text: string): Duration[] {
  return text.split(',').map((tier) => tier.trim() as Duration);
}

function problemOfTiers(text: string): string | undefined {
  try {
    fitTopology({ profile: 'default', tiers: tiersIn(text) });
    return undefined;
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    return `must be rising waits such as 5s,30s,2m (${faultsOf(error)})`;
  }
}

function faultsOf(error: TopologyError): string {
  return error.faults.map(({ subject, remedy }) => `${subject}: ${remedy}`).join('; ');
}
