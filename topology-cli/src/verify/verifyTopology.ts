/** Publishes a probe for every path of a declaration, on scratch virtual hosts, and compares what arrives with the plan. */
import { randomUUID } from 'node:crypto';
import { type Declaration, TopologyError } from '@fit/topology';
import { openTopologyAdmin, vhostOf } from '@fit/topology/amqp';
import { ManagementApi } from '@fit/topology/management';
import { planFor } from '../apply/applyTopology.ts';
import { probesFor } from './probes.ts';
import { compareTraces, type ProbeTrace, traceDurationMs, traceText } from './probeTrace.ts';
import { describeScaling, SCENARIOS, type Scenario, scaleDeclaration } from './scaleDeclaration.ts';
import { type BrokerUrls, createVhost, deleteVhost } from './scratchVhost.ts';
import {
  type AssertedScenario,
  type LeftMessages,
  VerificationRound,
} from './verificationRound.ts';

export interface VerifyOptions extends BrokerUrls {
  readonly declaration: Declaration;
  /** Only the paths of this kind are probed; the other kinds are declared all the same. Default: all kinds. */
  readonly kind?: string | undefined;
  /** True: waits are as declared. Default false: they are scaled, so that the verification takes seconds. */
  readonly isRealTime?: boolean;
  /** Milliseconds that a step may be late; default 250. */
  readonly toleranceMs?: number;
  /** True: the virtual hosts are not deleted. Default false. */
  readonly keepsVhosts?: boolean;
  /** Ends the verification with an error; the virtual hosts are deleted all the same. */
  readonly signal?: AbortSignal;
  /** Called once a second. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Called before the probes of a scenario are published; tests change the topology here. */
  readonly onAsserted?: (asserted: AssertedScenario) => void | Promise<void>;
}

export interface VerifyProgress {
  readonly finishedCount: number;
  /** Probes of all scenarios. */
  readonly probeCount: number;
  /** One unfinished path of each scenario that is not finished. */
  readonly awaitedPaths: readonly string[];
}

/** One path, as expected and as observed. */
export interface PathReport {
  readonly kind: string;
  readonly path: string;
  readonly scenario: Scenario;
  readonly expected: ProbeTrace;
  readonly observed: ProbeTrace;
  /** Both traces in words, without times. */
  readonly texts: { readonly expected: string; readonly observed: string };
  /** Milliseconds from the publish to the last event. */
  readonly expectedMs: number;
  readonly observedMs: number;
  /** Milliseconds by which the latest event was late. */
  readonly lateByMs: number;
  readonly isAsPlanned: boolean;
  /** In words; empty if the path is as planned. */
  readonly differences: readonly string[];
}

export interface VerifyReport {
  /** RabbitMQ version of the broker. */
  readonly version: string;
  /** What is declared otherwise than in the declaration, one line for each value. */
  readonly scaling: readonly string[];
  readonly paths: readonly PathReport[];
  /** Messages that no path accounts for. */
  readonly leftMessages: readonly LeftMessages[];
  /** Virtual hosts that were not deleted, because `keepsVhosts` is true. */
  readonly keptVhosts: readonly string[];
  readonly isAsPlanned: boolean;
}

export const DEFAULT_TOLERANCE_MS = 250;
const PROGRESS_MS = 1_000;

/**
 * Creates a virtual host for each scenario, runs all scenarios at once, and deletes the virtual hosts whatever happens.
 * @throws TopologyError `BROKER_REFUSED` (version, rights), `BROKER_UNREACHABLE`, `PLAN_REFUSED`; Error if the
 * management API does not answer, where `signal` is aborted, or where a virtual host could not be deleted.
 */
export async function verifyTopology(options: VerifyOptions): Promise<VerifyReport> {
  const { declaration, toleranceMs = DEFAULT_TOLERANCE_MS, keepsVhosts = false } = options;
  const version = await new ManagementApi(
    options.managementUrl,
    vhostOf(options.amqpUrl),
  ).version();
  // Refuses a version or a declaration before anything is created.
  planFor(declaration, version);
  const vhosts: string[] = [];
  const rounds: VerificationRound[] = [];
  let failure: unknown;
  try {
    await openRounds(options, toleranceMs, version, vhosts, rounds);
    const leftMessages = await runRounds(rounds, options.onProgress);
    const paths = rounds.flatMap((round) => pathReports(round, toleranceMs));
    return {
      version,
      scaling: scalingLines(declaration, rounds),
      paths,
      leftMessages,
      keptVhosts: keepsVhosts ? vhosts : [],
      isAsPlanned: leftMessages.length === 0 && paths.every(({ isAsPlanned }) => isAsPlanned),
    };
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await Promise.all(rounds.map((round) => round.close()));
    if (!keepsVhosts) await deleteVhosts(options, vhosts, failure);
  }
}

/**
 * Opens all rounds before the first probe is published, since declaring quorum queues would make probes late.
 * @param vhosts receives the name of each virtual host before it is created.
 * @param rounds receives each opened round.
 */
async function openRounds(
  options: VerifyOptions,
  toleranceMs: number,
  version: string,
  vhosts: string[],
  rounds: VerificationRound[],
): Promise<void> {
  const { declaration, kind, signal, isRealTime = false } = options;
  const { onAsserted = () => undefined } = options;
  const prefix = `verify-${randomUUID().slice(0, 8)}`;
  for (const scenario of SCENARIOS) {
    const scaled = scaleDeclaration(declaration, { scenario, isRealTime });
    const plan = planFor(scaled, version);
    const probedKinds = plan.kinds.filter((one) => kind === undefined || one.kind === kind);
    // A scenario without probes needs no virtual host.
    if (probedKinds.every((one) => probesFor(plan, one, scenario).length === 0)) continue;
    signal?.throwIfAborted();
    const vhost = `${prefix}-${scenario}`;
    // Noted before the request, because a request without a response may have created it all the same.
    vhosts.push(vhost);
    const broker = await createVhost(options, vhost).catch((error: unknown) => {
      if (error instanceof TopologyError) vhosts.pop();
      throw error;
    });
    // A publisher would retry for ever; this connection reports at once that the broker cannot be reached.
    await (await openTopologyAdmin(broker.amqpUrl, 'topology verify')).close();
    rounds.push(
      await VerificationRound.open({
        ...broker,
        scenario,
        vhost,
        declaration: scaled,
        kind,
        toleranceMs,
        signal,
        onAsserted,
      }),
    );
  }
}

/** The first round that fails ends the others. */
async function runRounds(
  rounds: readonly VerificationRound[],
  onProgress: VerifyOptions['onProgress'],
): Promise<LeftMessages[]> {
  const probeCount = rounds.reduce((sum, { probes }) => sum + probes.length, 0);
  const timer = setInterval(() => {
    onProgress?.({
      finishedCount: rounds.reduce((sum, round) => sum + round.finishedCount, 0),
      probeCount,
      awaitedPaths: rounds.flatMap((round) => round.awaitedPath ?? []),
    });
  }, PROGRESS_MS);
  try {
    return (await Promise.all(rounds.map((round) => round.run()))).flat();
  } finally {
    clearInterval(timer);
  }
}

function pathReports(round: VerificationRound, toleranceMs: number): PathReport[] {
  return round.probes.map((probe) => {
    const { kind, path, expected } = probe;
    const observed = round.recorder.traceOf(probe);
    const { differences, lateByMs } = compareTraces(expected, observed, toleranceMs);
    const queue = round.plan.kinds.find((one) => one.kind === kind)?.queue ?? '';
    return {
      kind,
      path,
      scenario: round.scenario,
      expected,
      observed,
      texts: { expected: traceText(expected, queue), observed: traceText(observed, queue) },
      expectedMs: traceDurationMs(expected),
      observedMs: traceDurationMs(observed),
      lateByMs,
      isAsPlanned: differences.length === 0,
      differences,
    };
  });
}

/** A value that is scaled alike in every scenario is listed once. */
function scalingLines(declared: Declaration, rounds: readonly VerificationRound[]): string[] {
  const scalings = rounds.map(({ scenario, declaration }) => ({
    scenario,
    lines: describeScaling(declared, declaration),
  }));
  const isCommon = (line: string) => scalings.every(({ lines }) => lines.includes(line));
  const common = (scalings[0]?.lines ?? []).filter(isCommon);
  const single = scalings.flatMap(({ scenario, lines }) =>
    lines.filter((line) => !isCommon(line)).map((line) => `${line} (${scenario})`),
  );
  return [...common, ...single];
}

/** Tries all virtual hosts, also after one could not be deleted. */
async function deleteVhosts(
  broker: BrokerUrls,
  vhosts: readonly string[],
  failure: unknown,
): Promise<void> {
  const results = await Promise.allSettled(vhosts.map((vhost) => deleteVhost(broker, vhost)));
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as Error] : [],
  );
  if (errors.length === 0) return;
  const message = errors.map((error) => error.message).join('\n');
  throw new Error(message, { cause: failure ?? errors[0] });
}
