/** Checks of a declaration; each fault has a code of its own. */
import { type Fault, fault } from '../errors.ts';
import { type Duration, parseDurationMs } from './duration.ts';
import { matchesPattern } from './keyPattern.ts';
import { BACKENDS, type KindOptions, type Load, type QueueNames, UNSAFE } from './kindOptions.ts';
import { MOST_PRIORITIES } from './priorities.ts';

const LIMIT_MS = 2 ** 32;
/** The broker requeues an unsettled message after 30 minutes (RabbitMQ, consumer acknowledgement timeout). */
const ACK_TIMEOUT_MS = 30 * 60_000;
/** Every tier is a quorum queue; a broker should have tens of them, not thousands (RabbitMQ, quorum queues). */
const MAX_TIERS = 10;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const OPTIONS = new Set<string>([
  'key',
  'keys',
  'queue',
  'names',
  'tiers',
  'tierOrder',
  'jitter',
  'maxLength',
  'crashLimit',
  'messageTtl',
  'deadline',
  'nonRetryable',
  'priorities',
  'load',
  'backend',
  'queueType',
  'unsafe',
] satisfies (keyof KindOptions)[]);

export function exchangeFaults(exchange: string | undefined, kindCount: number): Fault[] {
  const none = fault('NO_KIND', 'kinds', 'declare at least one kind');
  return [...nameFaults('exchange', exchange), ...(kindCount === 0 ? [none] : [])];
}

/** Faults of the delays before a first delivery. */
export function delayFaults(delays: readonly Duration[] = []): Fault[] {
  if (!Array.isArray(delays)) return [fault('DURATION_UNREADABLE', 'delays', 'is no list')];
  if (delays.length > MAX_TIERS)
    return [fault('TOO_MANY_TIERS', 'delays', `${delays.length} queues; at most ${MAX_TIERS}`)];
  const inMs = delays.map((delay: Duration) => parseDurationMs(delay));
  return delays.flatMap((delay: Duration, index) => {
    const subject = `delays[${index}]`;
    const isRepeated = inMs.indexOf(inMs[index]) !== index;
    return isRepeated
      ? [fault('DELAY_REPEATED', subject, `'${delay}' is there already; leave one of them`)]
      : durationFaults(subject, delay);
  });
}

/** @returns every fault of one kind; a subject is `<kind>.<option>`. */
export function kindFaults(kind: string, options: KindOptions | undefined): Fault[] {
  // A program in JavaScript may pass null as well.
  if (typeof options !== 'object' || (options as unknown) === null) {
    const remedy = 'is no object; give its options, at least { key, queue, tiers }';
    return [fault('OPTIONS_MISSING', kind, remedy)];
  }
  return [
    ...unknownOptions(kind, options),
    ...nameFaults(`${kind}.key`, options.key),
    ...keysFaults(kind, options),
    ...nameFaults(`${kind}.queue`, options.queue),
    ...queueNameFaults(kind, options),
    ...tierFaults(kind, options),
    ...jitterFaults(kind, options),
    ...countFaults(`${kind}.maxLength`, options.maxLength),
    ...countFaults(`${kind}.crashLimit`, options.crashLimit),
    ...durationFaults(`${kind}.messageTtl`, options.messageTtl),
    ...deadlineFaults(kind, options.deadline),
    ...errorClassFaults(kind, options.nonRetryable ?? []),
    ...loadFaults(kind, options.load),
    ...priorityFaults(kind, options),
    ...safetyFaults(kind, options),
  ];
}

/** The compiler does not see options from JavaScript or a file, if a misspelt one would silently be its default. */
function unknownOptions(kind: string, options: KindOptions): Fault[] {
  return Object.keys(options)
    .filter((name) => !OPTIONS.has(name))
    .map((name) =>
      fault('OPTION_UNKNOWN', `${kind}.${name}`, `is none of ${[...OPTIONS].join(', ')}`),
    );
}

/** Words of letters, digits, `_` and `-` between dots; `*` and `#` stand for whole words. */
const PATTERN = /^(?:[A-Za-z0-9_-]+|[*#])(?:[.](?:[A-Za-z0-9_-]+|[*#]))*$/;
const LONGEST_KEY = 100;

function keysFaults(kind: string, { key, keys }: KindOptions): Fault[] {
  if (keys === undefined) return [];
  const subject = `${kind}.keys`;
  if (!Array.isArray(keys) || keys.length === 0)
    return [fault('NO_KEY', subject, "give at least one public key or pattern, such as 'order.*'")];
  const faults = keys.flatMap((one: unknown, index) =>
    typeof one === 'string' && PATTERN.test(one) && one.length <= LONGEST_KEY
      ? []
      : [
          fault(
            'NAME_INVALID',
            `${subject}[${index}]`,
            `'${String(one)}' must be words of letters, digits, '_', '-' between dots, at most ${LONGEST_KEY}; * and # stand for whole words`,
          ),
        ],
  );
  const isCovered = keys.some((one: unknown) => matchesPattern(String(one), key));
  return isCovered || faults.length > 0
    ? faults
    : [fault('KEY_UNCOVERED', `${kind}.key`, `'${key}' matches none of keys; add it to them`)];
}

function nameFaults(subject: string, name: string | undefined): Fault[] {
  if (typeof name !== 'string' || !NAME.test(name)) {
    const remedy = `'${name}' must be letters, digits, '.', '_', '-', at most 100, no wildcard`;
    return [fault('NAME_INVALID', subject, remedy)];
  }
  return name.startsWith('amq.')
    ? [fault('NAME_RESERVED', subject, `'${name}': names with amq. belong to the broker`)]
    : [];
}

const NAME_OPTIONS: readonly string[] = ['wait', 'dead'] satisfies (keyof QueueNames)[];

/** That two queues have one name is found in the plan, which has all names. */
function queueNameFaults(kind: string, { names = {}, tiers }: KindOptions): Fault[] {
  const { wait, dead } = Object(names) as QueueNames;
  const subject = `${kind}.names`;
  const unknown = Object.keys(Object(names) as object)
    .filter((name) => !NAME_OPTIONS.includes(name))
    .map((name) =>
      fault('OPTION_UNKNOWN', `${subject}.${name}`, `is none of ${NAME_OPTIONS.join(', ')}`),
    );
  const isSame = Array.isArray(tiers) && tiers.length > 1 && wait?.includes('{n}') === false;
  return [
    ...unknown,
    ...(dead === undefined ? [] : nameFaults(`${subject}.dead`, dead)),
    ...(wait === undefined
      ? []
      : nameFaults(
          `${subject}.wait`,
          typeof wait === 'string' ? wait.replaceAll(/[{](?:n|delay)[}]/g, '1') : wait,
        )),
    ...(isSame
      ? [fault('NAME_INVALID', `${subject}.wait`, `'${wait}' needs {n}: there are several tiers`)]
      : []),
  ];
}

function tierFaults(kind: string, { tiers, tierOrder }: KindOptions): Fault[] {
  const subject = `${kind}.tiers`;
  if (!Array.isArray(tiers) || tiers.length === 0)
    return [fault('NO_TIER', subject, "give at least one wait, such as '5s'")];
  if (tiers.length > MAX_TIERS)
    return [fault('TOO_MANY_TIERS', subject, `${tiers.length} queues; at most ${MAX_TIERS}`)];
  const faults = tiers.flatMap((tier: Duration, index) =>
    durationFaults(`${subject}[${index}]`, tier),
  );
  return faults.length > 0 || tierOrder === 'any' ? faults : orderFaults(subject, tiers);
}

/** A wait queue keeps a message for at least a millisecond, so the parts of a short delay would be equal. */
const SHORTEST_JITTER_MS = 2;

function jitterFaults(kind: string, { jitter, tiers, backend }: KindOptions): Fault[] {
  if (jitter === undefined || jitter === 0) return [];
  const subject = `${kind}.jitter`;
  if (!(jitter > 0 && jitter <= 1))
    return [
      fault('JITTER_OUT_OF_RANGE', subject, `${jitter} must be a share of each delay, 0 to 1`),
    ];
  if (backend === 'native') {
    const remedy = "the broker's own retry has no jitter; take backend 'tiers'";
    return [fault('BACKEND_CONFLICT', subject, remedy)];
  }
  const delaysMs = (Array.isArray(tiers) ? tiers : []).map(
    (tier: Duration) => parseDurationMs(tier) ?? Infinity,
  );
  return delaysMs
    .filter((delayMs) => delayMs !== Infinity)
    .filter((delayMs) => delayMs * jitter < SHORTEST_JITTER_MS || delayMs * jitter >= LIMIT_MS)
    .map((delayMs) =>
      fault(
        'JITTER_OUT_OF_RANGE',
        subject,
        `${jitter} of ${delayMs} ms must be at least ${SHORTEST_JITTER_MS} ms and below 2^32`,
      ),
    );
}

function orderFaults(subject: string, tiers: readonly Duration[]): Fault[] {
  const delaysMs = tiers.map((tier) => parseDurationMs(tier) ?? 0);
  return delaysMs.flatMap((delayMs, index) => {
    const isRising = index === 0 || delayMs > (delaysMs[index - 1] ?? 0);
    const remedy = `${delayMs} ms must exceed the tier before it, or declare tierOrder: 'any'`;
    return isRising ? [] : [fault('TIERS_NOT_RISING', `${subject}[${index}]`, remedy)];
  });
}

function durationFaults(subject: string, duration: Duration | undefined): Fault[] {
  if (duration === undefined) return [];
  const durationMs = parseDurationMs(duration);
  if (durationMs === undefined || !Number.isInteger(durationMs)) {
    const remedy = `'${duration}' is no whole duration; write '30s' or milliseconds`;
    return [fault('DURATION_UNREADABLE', subject, remedy)];
  }
  return durationMs > 0 && durationMs < LIMIT_MS
    ? []
    : [fault('DURATION_OUT_OF_RANGE', subject, `${durationMs} ms must be above 0 and below 2^32`)];
}

function deadlineFaults(kind: string, deadline: Duration | undefined): Fault[] {
  const subject = `${kind}.deadline`;
  const faults = durationFaults(subject, deadline);
  const deadlineMs = deadline === undefined ? undefined : parseDurationMs(deadline);
  if (faults.length > 0 || deadlineMs === undefined || deadlineMs < ACK_TIMEOUT_MS) return faults;
  const remedy = 'the broker requeues an unsettled message after 30m; stay below';
  return [fault('DEADLINE_TOO_LONG', subject, remedy)];
}

function countFaults(subject: string, count: number | undefined): Fault[] {
  return count === undefined || (Number.isInteger(count) && count >= 1)
    ? []
    : [fault('COUNT_OUT_OF_RANGE', subject, `${count} must be a whole number of at least 1`)];
}

function errorClassFaults(kind: string, names: readonly string[]): Fault[] {
  return names.flatMap((name, index) =>
    /^[A-Za-z_$][\w$]*$/.test(name)
      ? []
      : [
          fault(
            'ERROR_CLASS_INVALID',
            `${kind}.nonRetryable[${index}]`,
            `'${name}' is no name of an error class, such as 'RangeError'`,
          ),
        ],
  );
}

function loadFaults(kind: string, load: Load | undefined): Fault[] {
  if (load === undefined) return [];
  const { perSecond, failureRatio } = load;
  const isSound = perSecond > 0 && perSecond < Infinity && failureRatio >= 0 && failureRatio <= 1;
  const remedy = `${perSecond} per second must be above 0, failureRatio ${failureRatio} from 0 to 1`;
  return isSound ? [] : [fault('LOAD_OUT_OF_RANGE', `${kind}.load`, remedy)];
}

const PRIORITY_NAME = /^[A-Za-z0-9_-]{1,40}$/;

function priorityFaults(kind: string, { priorities, queueType }: KindOptions): Fault[] {
  if (priorities === undefined) return [];
  const subject = `${kind}.priorities`;
  if (!Array.isArray(priorities) || priorities.length < 2 || priorities.length > MOST_PRIORITIES) {
    const remedy = `give two to ${MOST_PRIORITIES} names, from lowest to highest, such as ['normal', 'high']`;
    return [fault('PRIORITIES_INVALID', subject, remedy)];
  }
  const invalid = priorities.flatMap((name: unknown, index) => {
    const isNew = priorities.indexOf(name) === index;
    return typeof name === 'string' && PRIORITY_NAME.test(name) && isNew
      ? []
      : [
          fault(
            'PRIORITIES_INVALID',
            `${subject}[${index}]`,
            `'${String(name)}' must be letters, digits, '_', '-', at most 40, and no other level's name`,
          ),
        ];
  });
  const isClassic = queueType === 'classic';
  return isClassic
    ? [...invalid, fault('PRIORITIES_INVALID', subject, 'only quorum queues have them here')]
    : invalid;
}

/** Options that can lose messages need a declaration as unsafe, and the declaration needs such an option. */
function safetyFaults(kind: string, options: KindOptions): Fault[] {
  const { unsafe = [], queueType = 'quorum', backend = 'tiers' } = options;
  const isClassic = queueType === 'classic';
  const rules = [
    {
      isBroken: unsafe.some((name) => !UNSAFE.includes(name)),
      code: 'UNSAFE_UNKNOWN',
      option: 'unsafe',
      remedy: `must be of ${UNSAFE.join(', ')}`,
    },
    {
      isBroken: !['quorum', 'classic'].includes(queueType),
      code: 'QUEUE_TYPE_UNKNOWN',
      option: 'queueType',
      remedy: `'${queueType}' is neither quorum nor classic`,
    },
    {
      isBroken: isClassic && !unsafe.includes('classic'),
      code: 'UNSAFE_UNDECLARED',
      option: 'queueType',
      remedy: "classic queues lose dead letters; take quorum, or declare unsafe: ['classic']",
    },
    {
      isBroken: !isClassic && unsafe.includes('classic'),
      code: 'UNSAFE_UNUSED',
      option: 'unsafe',
      remedy: "'classic' is declared, but the queue is quorum",
    },
    {
      isBroken: !BACKENDS.includes(backend),
      code: 'BACKEND_UNKNOWN',
      option: 'backend',
      remedy: `'${backend}' is none of ${BACKENDS.join(', ')}`,
    },
    {
      isBroken: backend === 'native' && (isClassic || unsafe.includes('drop-head')),
      code: 'BACKEND_CONFLICT',
      option: 'backend',
      remedy: 'native retry needs a quorum queue with reject-publish; take tiers',
    },
  ];
  return rules
    .filter(({ isBroken }) => isBroken)
    .map(({ code, option, remedy }) => fault(code, `${kind}.${option}`, remedy));
}
