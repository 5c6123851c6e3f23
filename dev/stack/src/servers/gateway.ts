/** The database gateway: MongoDB's protocol on loopback, PostgreSQL behind it. Compiled once from the committed Go program. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, runCommand, type StepOptions } from '../process/runCommand.ts';
import { buildOnce } from '../root/buildOnce.ts';
import { ensureRoot, GO_ROOT, recipeHash } from '../root/rootFolders.ts';
import { StackError } from '../stackError.ts';
import { POSTGRESQL_URL } from './postgresql.ts';
import { makeServerFolder, type ServerDefinition, type StackSettings } from './serverDefinition.ts';
import { answersMongo } from './serverProbes.ts';

const SOURCE = join(import.meta.dirname, '../../gateway');
const SOURCE_FILES = ['main.go', 'go.mod', 'go.sum'];

/** Required by FerretDB 2.7. */
const MINIMUM_GO: readonly [number, number] = [1, 25];

/** Name of the executable within the folder. */
export const GATEWAY_PROGRAM = 'fit-gateway';

/**
 * The gateway of a stack. It requires no password of its clients: the embeddable package of FerretDB 2.7.0 sets `Auth` to false
 * itself, and FerretDB's own command, which could require one, does not start without a generated version file. So every local
 * user reaches it on loopback.
 */
export function gateway(settings: StackSettings): ServerDefinition {
  const address = `127.0.0.1:${settings.ports.mongodb}`;
  return {
    name: 'gateway',
    url: `mongodb://${address}/`,
    command: [`/gateway/${GATEWAY_PROGRAM}`, address, POSTGRESQL_URL, '/stack/gateway'],
    environment: { HOME: '/stack/gateway', DO_NOT_TRACK: '1' },
    // The gateway connects at its start and ends when there is no database.
    startsAfter: 'postgresql',
    listensOn: ['mongodb'],
    prepare: () => makeServerFolder(join(settings.folder, 'gateway')),
    ready: () => answersMongo(settings.ports.mongodb),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

/**
 * The folder with the gateway's executable, built when missing (30 to 60 s).
 * @throws StackError `BUILD_FAILED`.
 */
export async function ensureGateway(step: StepOptions): Promise<string> {
  const sources = SOURCE_FILES.map((name) => readFileSync(join(SOURCE, name), 'utf8'));
  return await buildOnce({
    title: 'database gateway (FerretDB)',
    key: `gateway-${recipeHash(process.arch, sources)}`,
    fill: async (folder) => {
      await compile(folder, step);
    },
    ...step,
  });
}

/** @returns whether `go version` printed a version that the gateway can be built with. */
export function goIsNewEnough(versionLine: string): boolean {
  const [, major, minor] = /\bgo(\d+)\.(\d+)/.exec(versionLine) ?? [];
  if (major === undefined || minor === undefined) return false;
  const [wantedMajor, wantedMinor] = MINIMUM_GO;
  const difference = Number(major) - wantedMajor;
  return difference > 0 || (difference === 0 && Number(minor) >= wantedMinor);
}

async function compile(folder: string, step: StepOptions): Promise<void> {
  const go = await findGo(step);
  const program = join(folder, GATEWAY_PROGRAM);
  const build = [go.program, 'build', '-trimpath', '-ldflags=-s -w', '-o', program, '.'];
  // The host's GOPROXY and the like are kept, since they configure how modules are downloaded. A static program runs in any root.
  const env = { ...process.env, ...go.environment, CGO_ENABLED: '0', GOTOOLCHAIN: 'local' };
  const title = 'database gateway: compiling';
  await mustRun(build, { ...step, cwd: SOURCE, env, title });
}

interface GoToolchain {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
}

async function findGo(step: StepOptions): Promise<GoToolchain> {
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const version = await runCommand(['go', 'version'], { ...step, env });
  if (version.code === 0 && goIsNewEnough(version.stdout))
    return { program: 'go', environment: {} };
  step.onProgress?.(`no Go ${MINIMUM_GO.join('.')} on this host: unpacking Debian's`);
  const root = await ensureRoot(GO_ROOT, step);
  const names = await readdir(join(root, 'usr/lib'));
  const name = names.find((candidate) => /^go-\d/.test(candidate));
  if (name === undefined) throw new StackError('BUILD_FAILED', `no Go in ${root}/usr/lib`);
  const home = join(root, 'usr/lib', name);
  return { program: join(home, 'bin/go'), environment: { GOROOT: home } };
}
