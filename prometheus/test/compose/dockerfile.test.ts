/** Goal: images contain only what runs, and no process is root. Method: the Dockerfile, parsed into instructions. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NODE_FLAGS, PROCESS_ENVIRONMENT, V8_FLAGS } from '@fit/stack';
import { REPOSITORY, SERVICES } from '../support/composeFile.ts';

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

const LINES = read('Dockerfile')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

/** Instructions of each stage, including those of its base stage. */
const STAGES = new Map<string, string[]>();
let current: string[] = [];
for (const line of LINES) {
  const [, from = '', name = ''] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
  if (name !== '') STAGES.set(name, (current = [...(STAGES.get(from) ?? [])]));
  current.push(line);
}

/** The minor version of the pinned Node, such as 24.21. */
const { devDependencies } = JSON.parse(read('package.json')) as {
  devDependencies: { node: string };
};
const NODE_MINOR = devDependencies.node.split('.').slice(0, 2).join('.');

test('every target of compose exists and runs the pinned Node as the fixed user, in exec form', () => {
  const targets = [...SERVICES.values()].flatMap(({ build }) => build?.target ?? []);
  assert.deepEqual(targets, ['monolith', 'coach', 'cron']);
  for (const target of targets) {
    const stage = STAGES.get(target) ?? [];
    assert.equal(stage[0], `FROM node:${NODE_MINOR}-slim AS base`);
    assert.equal(stage.filter((line) => line.startsWith('USER')).at(-1), 'USER 10001:10001');
    assert.match(stage.at(-1) ?? '', /^CMD \["node", ("--[\w=-]+", )*"[\w/]+\.ts"\]$/);
  }
});

test('each entry point is in the image', () => {
  const flags = V8_FLAGS.map((flag) => `"${flag}", `).join('');
  for (const [name, entry, source] of [
    ['monolith', `${flags}"monolith/src/main.ts"`, 'COPY --chmod=0755 monolith/src monolith/src'],
    ['coach', `${flags}"coach/src/main.ts"`, 'COPY --chmod=0755 coach/src coach/src'],
    ['cron', '"cron_job.ts"', 'COPY --chmod=0644 cron_job.ts ./'],
  ] as const) {
    const stage = STAGES.get(name) ?? [];
    assert.ok(stage.includes(`CMD ["node", ${entry}]`), name);
    assert.ok(stage.includes(source), name);
  }
});

test('dependencies come from the lock file, without scripts and without tools', () => {
  const install = STAGES.get('dependencies')?.find((line) => line.includes('npm'));
  assert.match(
    install ?? '',
    /^RUN npm pkg delete devDependencies && npm ci --omit=dev --ignore-scripts/,
  );
  assert.equal(LINES.filter((line) => /npm (i|install)\b|ADD |curl|wget/.test(line)).length, 0);
});

test('npm finds the manifest of every workspace', () => {
  const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
  const ignore = read('.dockerignore').split('\n');
  for (const name of workspaces) {
    const line = `COPY --chmod=0644 ${name}/package.json ${name}/`;
    assert.ok(STAGES.get('dependencies')?.includes(line), `Dockerfile lacks: ${line}`);
    const isLetIn = ignore.includes(`!${name}/`) || ignore.includes(`!${name}/package.json`);
    assert.ok(isLetIn, `.dockerignore hides ${name}/package.json`);
  }
});

test('a process has the source of each workspace that it imports', () => {
  for (const [name, sources] of [
    ['monolith', 'monolith/src/**/*.ts'],
    ['coach', 'coach/src/**/*.ts'],
    ['cron', 'cron_job.ts'],
  ] as const) {
    const seen = new Set<string>();
    collectWorkspaces(sources, seen);
    assert.ok(seen.size > 0, name);
    for (const workspace of seen)
      assert.ok(
        STAGES.get(name)?.includes(`COPY --chmod=0755 ${workspace}/src ${workspace}/src`),
        `${name} imports @fit/${workspace}`,
      );
  }
});

test('the monolith has the runbooks that it serves', () => {
  const ignore = read('.dockerignore').split('\n');
  for (const [mode, from, to] of [
    ['0755', 'prometheus/runbooks', 'prometheus/runbooks'],
    ['0644', 'prometheus/on-call.md', 'prometheus/'],
  ] as const) {
    assert.ok(STAGES.get('monolith')?.includes(`COPY --chmod=${mode} ${from} ${to}`), from);
    assert.ok(ignore.includes(`!${from}`) || ignore.includes(`!${from}/`), from);
  }
});

test('no secret, no data and no node_modules of the host are in the build context', () => {
  const ignore = read('.dockerignore').split('\n');
  assert.equal(
    ignore.find((line) => !line.startsWith('#')),
    '*',
  );
  for (const pattern of ['**/node_modules', '**/.env*'])
    assert.ok(ignore.includes(pattern), pattern);
});

/** Follows imports of `@fit/…` through the sources, since a manifest does not list workspaces. */
function collectWorkspaces(sources: string, seen: Set<string>): void {
  for (const file of globSync(sources, { cwd: REPOSITORY }))
    for (const [, workspace = ''] of read(file).matchAll(/from '@fit\/(\w+)/g)) {
      if (seen.has(workspace)) continue;
      seen.add(workspace);
      collectWorkspaces(`${workspace}/src/**/*.ts`, seen);
    }
}

test('the images start Node with the flags and the environment of the native launcher', () => {
  assert.ok(LINES.includes(`ENV NODE_OPTIONS="${NODE_FLAGS.join(' ')}"`));
  for (const [name, value] of Object.entries(PROCESS_ENVIRONMENT))
    assert.ok(LINES.includes(`ENV ${name}=${value}`), name);
});

test('the process can read copied files, whatever the umask of the checkout was', () => {
  const copies = LINES.filter((line) => line.startsWith('COPY ') && !line.includes('--from='));
  assert.ok(copies.length > 15, copies.join('\n'));
  for (const line of copies) assert.match(line, /^COPY --chmod=0(644|755) /);
});

test('version and commit are in the environment and the labels of the image', () => {
  const base = STAGES.get('base') ?? [];
  for (const line of [
    'ARG FIT_VERSION=dev',
    'ARG FIT_COMMIT=unknown',
    'ENV FIT_VERSION=$FIT_VERSION FIT_COMMIT=$FIT_COMMIT',
    'LABEL org.opencontainers.image.version=$FIT_VERSION org.opencontainers.image.revision=$FIT_COMMIT',
  ])
    assert.ok(base.includes(line), line);
  for (const [name, { build, environment }] of SERVICES) {
    if (build === undefined) continue;
    assert.deepEqual(build.args, { FIT_VERSION: 'dev', FIT_COMMIT: 'unknown' }, name);
    assert.equal(environment?.['FIT_VERSION'], undefined, `${name} could get another version`);
  }
});
