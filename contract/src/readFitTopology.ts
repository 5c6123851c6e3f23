/** Environment variables → the declaration, alike in every process. */
import { type Duration, type Fault, TopologyError } from '@fit/topology';
import { type FitDeclaration, fitTopology, PROFILES, type Profile } from './fitTopology.ts';

/**
 * Reads `FIT_PROFILE` (default | assignment), `FIT_TIERS` ('5s,30s,120s') and `FIT_MAX_LENGTH`.
 * @throws TopologyError `DECLARATION_INVALID` naming the variable.
 */
export function readFitTopology(env: Readonly<Record<string, string | undefined>>): FitDeclaration {
  const tiers = env['FIT_TIERS'];
  const maxLength = env['FIT_MAX_LENGTH'];
  return fitTopology({
    profile: readProfile(env['FIT_PROFILE']),
    ...(tiers ? { tiers: tiers.split(',').map((tier) => tier.trim() as Duration) } : {}),
    ...(maxLength ? { maxLength: Number(maxLength) } : {}),
  });
}

function readProfile(text: string | undefined): Profile {
  const profile = PROFILES.find((name) => name === (text ?? 'default'));
  if (profile !== undefined) return profile;
  const fault: Fault = {
    code: 'PROFILE_UNKNOWN',
    culprit: 'FIT_PROFILE',
    remedy: `'${text ?? ''}' is none of ${PROFILES.join(', ')}`,
  };
  throw new TopologyError('DECLARATION_INVALID', [fault]);
}
