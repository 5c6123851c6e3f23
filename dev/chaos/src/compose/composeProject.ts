/** A Compose project in a clone of this repository, with its .env and the commands that an operator runs in it. */
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FitClient } from '@fit/client';
import {
  freePorts,
  mustRun,
  portVariable,
  type RunResult,
  runCommand,
  type StackPorts,
} from '@fit/stack';
import { eventually, PrometheusApi } from '@fit/stack/testing';
import { REPOSITORY } from './standInImages.ts';

const HEALTHY_TIMEOUT_MS = 240_000;

/** One container, as `docker inspect` describes it. */
export interface Container {
  readonly id: string;
  readonly service: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: string;
  /** Empty if the container has no health check. */
  readonly health: string;
  readonly startedAt: string;
  readonly pid: number;
}

/** The fields of `docker inspect` that are read. */
interface Inspected {
  readonly Id: string;
  readonly Image: string;
  readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> };
  readonly State: {
    readonly Status: string;
    readonly Pid: number;
    readonly StartedAt: string;
    readonly Health?: { readonly Status: string };
  };
}

export interface ProjectOptions {
  /** The work folder, in which the clone is made. */
  readonly folder: string;
  /** Name of the Compose project. */
  readonly name: string;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export class ComposeProject {
  /** Folder of the clone. */
  readonly folder: string;
  readonly name: string;
  readonly ports: StackPorts;
  readonly signal: AbortSignal | undefined;
  readonly #report: (line: string) => void;

  private constructor({ folder, name, report, signal }: ProjectOptions, ports: StackPorts) {
    this.folder = folder;
    this.name = name;
    this.ports = ports;
    this.signal = signal;
    this.#report = report;
  }

  /**
   * Clones this repository with its uncommitted changes. The clone is made under umask 077, because neither images nor
   * mounted files may depend on the umask of a checkout.
   */
  static async clone(options: ProjectOptions): Promise<ComposeProject> {
    const clone = join(options.folder, 'clone');
    await mkdir(clone);
    const copy = `umask 077
git -C "$1" ls-files -z --cached --others --exclude-standard |
  tar -C "$1" --null --ignore-failed-read -T - -c 2> /dev/null | tar -C "$2" --no-same-permissions --no-same-owner -x
cd "$2"
git init --quiet --initial-branch=main
git add --all`;
    await mustRun(['sh', '-c', copy, 'clone', REPOSITORY, clone]);
    const project = new ComposeProject({ ...options, folder: clone }, await freePorts());
    await project.#allowOpenFiles();
    await project.commit('A copy of the work tree');
    return project;
  }

  /**
   * Lowers the limit of open files in the clone if this machine's hard limit is lower: no container could start
   * otherwise.
   */
  async #allowOpenFiles(): Promise<void> {
    const { stdout } = await this.run('sh', '-c', 'ulimit -Hn');
    const limit = Number(stdout);
    const path = join(this.folder, 'docker-compose.yml');
    const text = await readFile(path, 'utf8');
    const wanted = Number(/nofile: (\d+)/.exec(text)?.[1]);
    if (!(limit < wanted)) return;
    await writeFile(path, text.replaceAll(`nofile: ${wanted}`, `nofile: ${limit}`));
    this.#report(
      `this machine allows ${limit} open files, so the clone asks for ${limit} instead of ${wanted}`,
    );
  }

  /** @returns the commit's name. */
  async commit(message: string): Promise<string> {
    const identity = ['-c', 'user.name=compose-check', '-c', 'user.email=check@localhost'];
    await this.run(
      'git',
      ...identity,
      'commit',
      '--quiet',
      '--all',
      '--no-verify',
      '--message',
      message,
    );
    return (await this.run('git', 'rev-parse', 'HEAD')).stdout.trim();
  }

  /** @returns the same project, whose commands also run after the check was stopped. */
  withoutSignal(): ComposeProject {
    const { folder, name, ports } = this;
    return new ComposeProject({ folder, name, report: this.#report }, ports);
  }

  /** Runs a command in the clone. @throws StackError `COMMAND_FAILED` with the end of its output. */
  async run(...command: string[]): Promise<RunResult> {
    return await mustRun(command, this.#options(command));
  }

  /** As `run`, but a failure is a result and throws no error. */
  async tryRun(...command: string[]): Promise<RunResult> {
    return await runCommand(command, this.#options(command));
  }

  async compose(...words: string[]): Promise<RunResult> {
    return await this.run('docker', 'compose', ...words);
  }

  /** Runs a command in the container of a service. */
  async exec(service: string, ...command: string[]): Promise<RunResult> {
    return await this.compose('exec', '-T', service, ...command);
  }

  /**
   * Sends a request to Alertmanager inside its container, because it has no port of the host.
   * @param options further options of wget, such as `--post-data`.
   * @returns the body of the answer. @throws StackError if the answer is an error.
   */
  async requestAlertmanager(path: string, ...options: string[]): Promise<string> {
    const url = `http://127.0.0.1:9093${path}`;
    return (await this.exec('alertmanager', 'wget', '-q', '-O', '-', ...options, url)).stdout;
  }

  async script(...words: string[]): Promise<RunResult> {
    return await this.run('./compose.sh', ...words);
  }

  #options(command: readonly string[]) {
    const env = { ...process.env, COMPOSE_PROJECT_NAME: this.name, COMPOSE_ANSI: 'never' };
    // A variable of the shell that starts the check would override the clone's .env.
    for (const name of Object.keys(env))
      if (/^(FIT_|ALERT_|COACH_|CRON_|OTEL_)/.test(name)) Reflect.deleteProperty(env, name);
    const title = command.slice(0, 4).join(' ');
    const { folder: cwd, signal } = this;
    return { cwd, env, title, signal, onProgress: this.#everyHalfMinute() };
  }

  /** Progress comes every three seconds, which would hide the rest of the output; every tenth line is printed. */
  #everyHalfMinute(): (line: string) => void {
    let count = 0;
    return (line) => {
      count += 1;
      if (count % 10 === 0) this.#report(line);
    };
  }

  /** Sets every port of the host to a free one. */
  async useFreePorts(): Promise<void> {
    const lines = Object.entries(this.ports).map(
      ([name, port]) => `${portVariable(name as keyof StackPorts)}=${port}\n`,
    );
    await appendFile(join(this.folder, '.env'), lines.join(''));
  }

  /** Replaces or adds a variable of .env. */
  async setVariable(name: string, value: string): Promise<void> {
    const path = join(this.folder, '.env');
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const others = lines.filter((line) => !line.startsWith(`${name}=`));
    await writeFile(path, `${[...others, `${name}=${value}`].join('\n')}\n`);
  }

  /** @returns the value of a variable of .env; empty if it has none. */
  async getVariable(name: string): Promise<string> {
    const text = await readFile(join(this.folder, '.env'), 'utf8');
    return new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  }

  async containers(): Promise<readonly Container[]> {
    const label = `label=com.docker.compose.project=${this.name}`;
    const { stdout } = await this.run('docker', 'ps', '--all', '--quiet', '--filter', label);
    const ids = stdout.split('\n').filter((id) => id !== '');
    if (ids.length === 0) return [];
    const { stdout: text } = await this.run('docker', 'inspect', ...ids);
    return (JSON.parse(text) as Inspected[]).map(({ Id, Image, Config, State }) => ({
      id: Id,
      service: Config.Labels['com.docker.compose.service'] ?? '',
      image: Config.Image,
      imageId: Image,
      state: State.Status,
      health: State.Health?.Status ?? '',
      startedAt: State.StartedAt,
      pid: State.Pid,
    }));
  }

  async container(service: string): Promise<Container> {
    const found = (await this.containers()).find((container) => container.service === service);
    if (found === undefined) throw new Error(`there is no container of ${service}`);
    return found;
  }

  /** Waits until there are `count` containers and each is healthy. @throws Error with the state of each and their logs. */
  async waitUntilHealthy(count: number): Promise<void> {
    await eventually(
      async () => {
        const containers = await this.containers();
        return (
          containers.length === count && containers.every(({ health }) => health === 'healthy')
        );
      },
      { deadlineMs: HEALTHY_TIMEOUT_MS, describe: async () => await this.describe() },
    );
  }

  async describe(): Promise<string> {
    const states = (await this.containers()).map(
      ({ service, state, health }) => `${service} ${state} ${health}`,
    );
    const { output } = await this.tryRun('docker', 'compose', 'logs', '--no-color', '--tail', '15');
    return `${states.join(', ')}\n${output}`;
  }

  async client(): Promise<FitClient> {
    return new FitClient(`http://127.0.0.1:${this.ports.monolith}`, {
      email: 'admin@example.org',
      password: await this.getVariable('FIT_ADMIN_PASSWORD'),
    });
  }

  get prometheus(): PrometheusApi {
    return new PrometheusApi(`http://127.0.0.1:${this.ports.prometheus}`);
  }
}
