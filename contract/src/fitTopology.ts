/** The one declaration that FIT runs: built from options, or read from the environment. */
import {
  type Declaration,
  type Duration,
  declareTopology,
  type KindOptions,
  TopologyError,
} from '@fit/topology';
import Type, { type Static } from 'typebox';
import {
  ConfigError,
  checkedText,
  type Environment,
  oneOf,
  parseEnvironment,
} from './environment.ts';
import { type FitTopologyOptions, type JobKind, PROFILES } from './kinds/jobKind.ts';
import { type FitKind, JOB_KINDS } from './kinds/registry.ts';

export type FitDeclaration = Declaration<Readonly<Record<FitKind, KindOptions>>>;

const TIERS: readonly Duration[] = ['5s', '30s', '120s'];

/** Of every kind that declares no others, from lowest to highest. A job without one has the lower. */
export const PRIORITIES = ['normal', 'high'] as const;

/**
 * Declares the topology of FIT: each registered kind is a queue. The profile `assignment` has the two causes of loss in the
 * assignment's text: messages of `createWod` expire after 60 s in the queue, and a full queue of 100 drops its oldest message. Both
 * kinds of message go to the dead-letter queue, each with its own cause.
 * @throws TopologyError `DECLARATION_INVALID`, for instance for tiers that do not rise.
 */
export function fitTopology(options: FitTopologyOptions): FitDeclaration {
  const kinds = JOB_KINDS.map((kind) => [kind.name, optionsOfKind(kind, options)] as const);
  return declareTopology({
    exchange: 'jobs',
    kinds: Object.fromEntries(kinds) as Record<FitKind, KindOptions>,
  });
}

function optionsOfKind({ name, policy }: JobKind, options: FitTopologyOptions): KindOptions {
  return {
    key: `job.${name}`,
    queue: `${name}Queue`,
    tiers: options.tiers ?? TIERS,
    priorities: PRIORITIES,
    ...(typeof policy === 'function' ? policy(options) : policy),
  };
}

export const TOPOLOGY_VARIABLES = {
  FIT_PROFILE: oneOf(PROFILES, {
    description:
      '`assignment`: TTL 60 s, limit 100, a full queue drops its oldest; it needs a fresh virtual host',
  }),
  FIT_TIERS: Type.Optional(
    checkedText(problemOfTiers, {
      unit: 'rising durations (unset: 5s,30s,120s)',
      description: 'waits between attempts; the same in all processes',
    }),
  ),
  FIT_MAX_LENGTH: Type.Optional(
    Type.Integer({
      minimum: 1,
      expects: 'must be a whole number of messages, at least 1',
      unit: 'messages (unset: 10,000, with `assignment` 100)',
      description: 'limit of the main queue of createWod; the same in all processes',
    }),
  ),
};

const TOPOLOGY_SCHEMA = Type.Object(TOPOLOGY_VARIABLES);

/**
 * Reads `FIT_PROFILE`, `FIT_TIERS` and `FIT_MAX_LENGTH`.
 * @throws ConfigError with every finding.
 */
export function readFitTopology(env: Environment): FitDeclaration {
  const value = parseEnvironment(TOPOLOGY_SCHEMA, env);
  try {
    return fitTopology(optionsOf(value));
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    // Each variable is valid alone; the combination is not.
    throw new ConfigError([
      `FIT_PROFILE, FIT_TIERS and FIT_MAX_LENGTH do not fit together: ${faultsOf(error)}`,
    ]);
  }
}

function optionsOf(value: Static<typeof TOPOLOGY_SCHEMA>): FitTopologyOptions {
  const { FIT_PROFILE: profile, FIT_TIERS: tiers, FIT_MAX_LENGTH: maxLength } = value;
  return {
    profile,
    ...(tiers === undefined ? {} : { tiers: tiersIn(tiers) }),
    ...(maxLength === undefined ? {} : { maxLength }),
  };
}

function tiersIn(list: string): Duration[] {
  return list.split(',').map((tier) => tier.trim() as Duration);
}

function problemOfTiers(list: string): string | undefined {
  try {
    fitTopology({ profile: 'default', tiers: tiersIn(list) });
    return undefined;
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    return `must be rising waits such as 5s,30s,2m (${faultsOf(error)})`;
  }
}

function faultsOf(error: TopologyError): string {
  return error.faults.map(({ subject, remedy }) => `${subject}: ${remedy}`).join('; ');
}
