/** The settings that administrators change while everything runs: read them, and change or reset some. */
import {
  RUNTIME_SETTINGS,
  type RuntimeSettings,
  retentionFault,
  SETTING_NAMES,
  type SettingName,
} from '@fit/contract';
import type { JobStores, ListedWorker } from '@fit/jobs/store';
import {
  ADMINS,
  defineRoute,
  invalidInput,
  Problem,
  READERS,
  type Route,
  type Settings,
} from '@fit/service';
import Type, { type Static, type TSchema } from 'typebox';
import { required } from '../accounts/routes/signInRoutes.ts';
import { Reason } from '../queues/queueRoutes.ts';
import type { MonolithSetting } from '../readMonolithConfig.ts';
import { isGone } from '../workers/workerRoutes.ts';

export interface SettingRouteParts {
  readonly settings: Settings<MonolithSetting>;
  readonly stores: Pick<JobStores, 'workers' | 'clock'>;
}

const Value = Type.Union([Type.Number(), Type.String()]);

const Setting = Type.Object(
  {
    name: Type.Enum([...SETTING_NAMES]),
    /** In force. Null of a setting of the coaches that nobody changed, while no coach runs or they were started with different values. */
    value: Type.Union([Value, Type.Null()]),
    /** changed: at run time. environment: the variable of this name, or its default. */
    source: Type.Enum(['environment', 'changed']),
    /** Who changed it, when and why; null where the environment counts. */
    changed: Type.Union([
      Type.Object({ at: Type.String(), by: Type.String(), reason: Type.String() }),
      Type.Null(),
    ]),
    default: Value,
    description: Type.String(),
    unit: Type.Optional(Type.String()),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    oneOf: Type.Optional(Type.Array(Type.String())),
    appliedBy: Type.Enum(['monolith', 'coach']),
    /** Of a setting of the coaches: the values that living workers report, each with the number of workers. */
    inForce: Type.Optional(Type.Array(Type.Object({ value: Value, workers: Type.Integer() }))),
  },
  { title: 'Setting' },
);

const SettingList = Type.Object({
  /** When the changes were read from the database. */
  asOf: Type.Union([Type.String(), Type.Null()]),
  settings: Type.Array(Setting),
});

/** A setting's schema as JSON. */
interface SettingSchema {
  readonly type?: string;
  readonly default: number | string;
  readonly description: string;
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
}

function schemaOf(name: SettingName): SettingSchema {
  return RUNTIME_SETTINGS[name] as unknown as SettingSchema;
}

/** Without the default of the variable, because what the body leaves out stays as it is. */
function changeSchema(name: SettingName): TSchema {
  const { type, minimum = 0, maximum = 0, description, enum: words } = schemaOf(name);
  if (words !== undefined) return Type.Enum([...words], { description });
  const bounds = { minimum, maximum, description };
  return type === 'integer' ? Type.Integer(bounds) : Type.Number(bounds);
}

const Changes = Type.Object(
  {
    ...Object.fromEntries(SETTING_NAMES.map((name) => [name, Type.Optional(changeSchema(name))])),
    /** Settings that shall have the value of the environment again. */
    reset: Type.Optional(Type.Array(Type.Enum([...SETTING_NAMES]), { maxItems: 20 })),
    reason: Reason,
  },
  {
    additionalProperties: false,
    minProperties: 2,
    examples: [{ reset: ['COACH_FAILURE_RATE'], reason: 'The exercise is over' }],
  },
);

const SETTINGS_CHANGED = {
  status: 409,
  code: 'settings_changed',
  when: 'others changed settings at the same time, again and again',
  remedy: 'Read the settings and send the request again.',
} as const;

const CHANGE_TRIES = 5;
const WORKERS_READ = 500;

export function settingRoutes({ settings, stores }: SettingRouteParts): Route[] {
  const list = async () => {
    const workers = await stores.workers.list('', WORKERS_READ);
    const alive = workers.filter((worker) => !isGone(worker, stores.clock.now()));
    return {
      asOf: settings.readAt?.toISOString() ?? null,
      settings: SETTING_NAMES.map((name) => settingView(name, settings, alive)),
    };
  };
  return [
    defineRoute({
      method: 'get',
      paths: ['/settings'],
      access: READERS,
      summary: 'List the settings that can be changed at run time',
      tag: 'Settings',
      reply: SettingList,
      handle: async () => ({ body: await list() }),
    }),
    defineRoute({
      method: 'patch',
      paths: ['/settings'],
      access: ADMINS,
      summary: 'Change settings at run time',
      description:
        'Every process applies them within three seconds, and they survive restarts. A setting in `reset` has the value of the environment again.',
      tag: 'Settings',
      body: Changes,
      reply: SettingList,
      problems: [SETTINGS_CHANGED],
      audit: {
        action: 'setting.change',
        target: ({ body }) => {
          const { reset = [], reason: _, ...values } = body as ChangeRequest;
          return { ...values, reset: reset.join(' ') };
        },
      },
      handle: async ({ body, caller }) => {
        const { reset = [], reason, ...values } = body as ChangeRequest;
        const change: Partial<Record<SettingName, unknown>> = { ...values };
        for (const name of reset) {
          if (name in change)
            throw invalidInput('body.reset', `names ${name}, which the body also changes`);
          change[name] = undefined;
        }
        const by = required(caller).accountId;
        for (let tryCount = 0; tryCount < CHANGE_TRIES; tryCount += 1) {
          await settings.read();
          requireRetention(settings, change);
          if (await settings.store.change(settings.revision, change, { by, reason })) {
            await settings.read();
            return { body: await list() };
          }
        }
        throw new Problem({
          ...SETTINGS_CHANGED,
          title: 'Others changed settings at the same time',
        });
      },
    }),
  ];
}

type ChangeRequest = Partial<RuntimeSettings> & {
  readonly reset?: readonly SettingName[];
  readonly reason: string;
};

/** @throws Problem 400 where a job would be kept for longer than its workout. */
function requireRetention(
  settings: Settings<MonolithSetting>,
  change: Readonly<Partial<Record<SettingName, unknown>>>,
): void {
  const after = (name: 'FIT_JOB_RETENTION_DAYS' | 'FIT_WORKOUT_RETENTION_DAYS'): number => {
    if (!(name in change)) return settings.valueOf(name);
    return (change[name] as number | undefined) ?? settings.environment[name];
  };
  const workoutDays = after('FIT_WORKOUT_RETENTION_DAYS');
  const fault = retentionFault({
    FIT_JOB_RETENTION_DAYS: after('FIT_JOB_RETENTION_DAYS'),
    FIT_WORKOUT_RETENTION_DAYS: workoutDays,
  });
  if (fault !== undefined)
    throw invalidInput('body.FIT_WORKOUT_RETENTION_DAYS', `is ${workoutDays} and ${fault}`);
}

function settingView(
  name: SettingName,
  settings: Settings<MonolithSetting>,
  workers: readonly ListedWorker[],
): Static<typeof Setting> {
  const schema = schemaOf(name);
  const { unit, minimum, maximum } = schema;
  const changed = settings.changeOf(name);
  const inForce = name === 'COACH_FAILURE_RATE' ? valuesInForce(name, workers) : undefined;
  const ofEnvironment =
    name === 'COACH_FAILURE_RATE'
      ? inForce?.length === 1
        ? (inForce[0]?.value ?? null)
        : null
      : settings.environment[name];
  return {
    name,
    value: changed === undefined ? ofEnvironment : (changed.value as number | string),
    source: changed === undefined ? 'environment' : 'changed',
    changed:
      changed === undefined
        ? null
        : { at: changed.at.toISOString(), by: changed.by, reason: changed.reason },
    default: schema.default,
    description: schema.description,
    ...(unit === undefined ? {} : { unit }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(schema.enum === undefined ? {} : { oneOf: [...schema.enum] }),
    appliedBy: inForce === undefined ? 'monolith' : 'coach',
    ...(inForce === undefined ? {} : { inForce }),
  };
}

function valuesInForce(name: SettingName, workers: readonly ListedWorker[]) {
  const values = workers.flatMap(({ settings }) => settings[name] ?? []);
  return [...Map.groupBy(values, (value) => value)].map(([value, same]) => ({
    value,
    workers: same.length,
  }));
}
