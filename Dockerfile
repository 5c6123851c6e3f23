# One image per process, from one set of dependencies. docker-compose.yml picks the target.
# The .ts sources are run as they are (Node 24): there is nothing to build.

FROM node:24-slim AS dependencies
WORKDIR /app
# All manifests of the workspace, or `npm ci` finds the lock file at odds with it. Sources come later, so that a changed
# line of code does not install everything again.
COPY package.json package-lock.json ./
COPY topology/package.json topology/
COPY jobs/package.json jobs/
COPY contract/package.json contract/
COPY http/package.json http/
COPY console/package.json console/
COPY monolith/package.json monolith/
COPY coach/package.json coach/
COPY stack/package.json stack/
COPY prometheus/package.json prometheus/
COPY chaos/package.json chaos/
COPY bench/package.json bench/
# Without the tools in the manifest: `npm ci` insists on a lock entry for each platform's variant of them, wanted or not.
# No scripts: nothing that a dependency brings is executed while the image is made.
RUN npm pkg delete devDependencies && npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim AS base
ENV NODE_ENV=production
# The flags of the native launcher (stack/src/system/nodeFlags.ts); a test holds the two together.
ENV NODE_OPTIONS="--max-semi-space-size=4 --max-old-space-size=96 --disable-proto=delete"
WORKDIR /app
# Owned by root and read by anybody: the process cannot change its own code.
COPY --from=dependencies /app ./
COPY topology/src topology/src
COPY jobs/src jobs/src
COPY contract/src contract/src
COPY http/src http/src
USER 10001:10001
STOPSIGNAL SIGTERM

FROM base AS monolith
COPY console/src console/src
COPY monolith/src monolith/src
# It serves them.
COPY prometheus/on-call.md prometheus/
COPY prometheus/runbooks prometheus/runbooks
EXPOSE 12100 12111
CMD ["node", "monolith/src/main.ts"]

FROM base AS coach
COPY coach/src coach/src
EXPOSE 12101 12112
CMD ["node", "coach/src/main.ts"]

FROM base AS cron
COPY cron_job.ts ./
EXPOSE 12115
CMD ["node", "cron_job.ts"]
