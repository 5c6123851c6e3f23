# One image per process, from one set of dependencies. docker-compose.yml picks the target.
# The .ts sources are run as they are (Node 24): there is nothing to build.

FROM node:24.21-slim AS dependencies
WORKDIR /app
# `--chmod` because a checkout under umask 077 would make files that only root can read, and the process is not root.
# All manifests of the workspace, or `npm ci` finds the lock file at odds with it. Sources come later, so that a changed
# line of code does not install everything again.
COPY --chmod=0644 package.json package-lock.json ./
COPY --chmod=0644 topology/package.json topology/
COPY --chmod=0644 topology-cli/package.json topology-cli/
COPY --chmod=0644 jobs/package.json jobs/
COPY --chmod=0644 contract/package.json contract/
COPY --chmod=0644 service/package.json service/
COPY --chmod=0644 client/package.json client/
COPY --chmod=0644 console/package.json console/
COPY --chmod=0644 monolith/package.json monolith/
COPY --chmod=0644 coach/package.json coach/
COPY --chmod=0644 dev/stack/package.json dev/stack/
COPY --chmod=0644 prometheus/package.json prometheus/
COPY --chmod=0644 dev/chaos/package.json dev/chaos/
COPY --chmod=0644 dev/bench/package.json dev/bench/
COPY --chmod=0644 examples/package.json examples/
# Without the tools in the manifest: `npm ci` insists on a lock entry for each platform's variant of them, wanted or not.
# No scripts: nothing that a dependency brings is executed while the image is made.
RUN npm pkg delete devDependencies && npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21-slim AS base
ENV NODE_ENV=production
# The flags of the native launcher (dev/stack/src/system/startSystem.ts); a test holds the two together.
ENV NODE_OPTIONS="--max-semi-space-size=4 --max-old-space-size=96 --disable-proto=delete"
WORKDIR /app
# Owned by root and read by anybody: the process cannot change its own code.
COPY --from=dependencies /app ./
COPY --chmod=0755 topology/src topology/src
COPY --chmod=0755 jobs/src jobs/src
COPY --chmod=0755 contract/src contract/src
COPY --chmod=0755 service/src service/src
COPY --chmod=0755 client/src client/src
# What `app_build_info` says, and what ./compose.sh release compares with the commit that is checked out.
ARG FIT_VERSION=dev
ARG FIT_COMMIT=unknown
ENV FIT_VERSION=$FIT_VERSION FIT_COMMIT=$FIT_COMMIT
LABEL org.opencontainers.image.version=$FIT_VERSION org.opencontainers.image.revision=$FIT_COMMIT
USER 10001:10001
STOPSIGNAL SIGTERM

FROM base AS monolith
COPY --chmod=0755 console/src console/src
COPY --chmod=0755 monolith/src monolith/src
# It serves them.
COPY --chmod=0644 prometheus/on-call.md prometheus/
COPY --chmod=0755 prometheus/runbooks prometheus/runbooks
EXPOSE 12100 12111
CMD ["node", "monolith/src/main.ts"]

FROM base AS coach
COPY --chmod=0755 coach/src coach/src
EXPOSE 12101 12112
CMD ["node", "coach/src/main.ts"]

FROM base AS cron
COPY --chmod=0644 cron_job.ts ./
EXPOSE 12115
CMD ["node", "cron_job.ts"]
