/** Sends a probe down every path of a declaration, on scratch virtual hosts, and compares what arrives with the plan. */
import { randomUUID } from 'node:crypto';
import type { Declaration } from '@fit/topology';
import { TopologyError } from '@fit/topology';
import { openTopologyAdmin, vhostOf } from '@fit/topology/amqp';
import { ManagementApi } from '@fit/topology/management';
import { planFor } from '../live/applyTopology.ts';
import { probesOf } from './probe.ts';
import { pathReports, scalingLines, type VerifyReport } from './report.ts';
import { scaleDeclaration, TURNS } from './scaleDeclaration.ts';
import { type Broker, createHost, deleteHost } from './scratchHost.ts';
import type { Leftover } from './silence.ts';
import { type AssertedTurn, TurnRun } from './turnRun.ts';

/** What to verify, and where. */
export interface VerifyOptions extends Broker {
  readonly declaration: Declaration;
  /** Its paths only; the others are declared all the same. Default: every kind. */
  readonly kind?: string | undefined;
  /** True: waits as they are declared. Default: shortened, so that the whole takes seconds. */
  readonly isRealTime?: boolean;
  /** How late a step may be; default 250 ms. */
  readonly toleranceMs?: number;
  /** True: the virtual hosts stay. Default false. */
  readonly keepsHosts?: boolean;
  /** Ends it early, as an error; the virtual hosts go even so. */
  readonly signal?: AbortSignal;
  /** Once a second. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Before the probes of a turn are sent: a place for whatever else uses the virtual host. */
  readonly onAsserted?: (asserted: AssertedTurn) => void | Promise<void>;
}

/** How far it is. */
export interface VerifyProgress {
  readonly doneCount: number;
  /** Probes in all. */
  readonly probeCount: number;
  /** A path that is not through, for each turn that is not. */
  readonly awaited: readonly string[];
}

const TOLERANCE_MS = 250;
const PROGRESS_MS = 1_000;

/**
 * Makes a virtual host for each turn, runs all turns at once, and removes the virtual hosts whatever happens.
 * @throws TopologyError `BROKER_REFUSED` (version, rights), `BROKER_UNREACHABLE`, `PLAN_REFUSED`; Error where the
 * management API does not answer, where `signal` is aborted, or where a virtual host could not be removed.
 */
export async function verifyTopology(options: VerifyOptions): Promise<VerifyReport> {
  const { declaration, isRealTime = false, toleranceMs = TOLERANCE_MS } = options;
  const version = await askVersion(options);
  const hosts: string[] = [];
  const turns: TurnRun[] = [];
  let failure: unknown;
  try {
    await openTurns({ ...options, isRealTime, toleranceMs }, version, { hosts, turns });
    const leftovers = await runAll(turns, options.onProgress);
    const paths = turns.flatMap((turn) => pathReports(turn, toleranceMs));
    return {
      version,
      scaling: scalingLines(declaration, turns),
      paths,
      leftovers,
      keptHosts: options.keepsHosts === true ? hosts : [],
      isAsPlanned: leftovers.length === 0 && paths.every(({ verdict }) => verdict === 'as planned'),
    };
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await Promise.all(turns.map((turn) => turn.close()));
    if (options.keepsHosts !== true) await deleteAll(options, hosts, failure);
  }
}

/** Before anything is made. @throws as `verifyTopology`. */
async function askVersion({ declaration, managementUrl, amqpUrl }: VerifyOptions): Promise<string> {
  const version = await new ManagementApi(managementUrl, vhostOf(amqpUrl)).version();
  planFor(declaration, version);
  return version;
}

/** All are set up before the first probe is sent: declaring quorum queues would make it late. */
async function openTurns(
  options: VerifyOptions & { readonly isRealTime: boolean; readonly toleranceMs: number },
  version: string,
  { hosts, turns }: { readonly hosts: string[]; readonly turns: TurnRun[] },
): Promise<void> {
  const { declaration, kind, isRealTime, toleranceMs, onAsserted = () => undefined } = options;
  const run = `verify-${randomUUID().slice(0, 8)}`;
  for (const turn of neededTurns(options, version)) {
    options.signal?.throwIfAborted();
    const vhost = `${run}-${turn}`;
    // First, since a request that got no answer may have made it all the same.
    hosts.push(vhost);
    const broker = await createHost(options, vhost).catch((error: unknown) => {
      if (error instanceof TopologyError) hosts.pop();
      throw error;
    });
    // A publisher would try for ever; this tells at once that there is no way in.
    await (await openTopologyAdmin(broker.amqpUrl, 'topology verify')).close();
    const scaled = scaleDeclaration(declaration, { turn, isRealTime });
    const more = { turn, vhost, kind, toleranceMs, signal: options.signal, onAsserted };
    turns.push(await TurnRun.open({ ...broker, ...more, declaration: scaled }));
  }
}

/** A turn that no kind has a probe for needs no virtual host. */
function neededTurns({ declaration, kind, isRealTime = false }: VerifyOptions, version: string) {
  return TURNS.filter((turn) => {
    const plan = planFor(scaleDeclaration(declaration, { turn, isRealTime }), version);
    return plan.kinds
      .filter((one) => kind === undefined || one.kind === kind)
      .some((one) => probesOf(plan, one, turn).length > 0);
  });
}

/** One that fails ends the others. */
async function runAll(
  turns: readonly TurnRun[],
  onProgress: VerifyOptions['onProgress'],
): Promise<Leftover[]> {
  const probeCount = turns.reduce((sum, { probes }) => sum + probes.length, 0);
  const timer = setInterval(() => {
    const doneCount = turns.reduce((sum, turn) => sum + turn.doneCount, 0);
    const awaited = turns.flatMap((turn) => turn.awaited ?? []);
    onProgress?.({ doneCount, probeCount, awaited });
  }, PROGRESS_MS);
  try {
    return (await Promise.all(turns.map((turn) => turn.run()))).flat();
  } finally {
    clearInterval(timer);
  }
}

/** One that resists does not keep the others. */
async function deleteAll(
  broker: Broker,
  hosts: readonly string[],
  failure: unknown,
): Promise<void> {
  const results = await Promise.allSettled(hosts.map((vhost) => deleteHost(broker, vhost)));
  const failed = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  if (failed.length === 0) return;
  const message = failed.map((one) => one.message).join('\n');
  throw new Error(message, { cause: failure ?? failed[0] });
}
