# One image per process, all with the same dependencies. docker-compose.yml selects the target.
# Node 24 runs the .ts sources without a build.

FROM node:24.21-slim AS dependencies
WORKDIR /app
# `--chmod`: from a checkout under umask 077 only root could read the files, and the process is not root.
# `npm ci` needs the manifests of all workspaces, or it refuses the lock file. The sources are copied later, so that a
# change of code does not install the packages again.
COPY --chmod=0644 package.json package-lock.json ./
COPY --chmod=0644 topology/package.json topology/
COPY --chmod=0644 topology-cli/package.json topology-cli/
COPY --chmod=0644 jobs/package.json jobs/
COPY --chmod=0644 workout/package.json workout/
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
COPY --chmod=0644 dev/packages/package.json dev/packages/
COPY --chmod=0644 dev/api/package.json dev/api/
COPY --chmod=0644 examples/package.json examples/
COPY --chmod=0644 site/package.json site/
# Development tools are deleted from the manifest, because `npm ci` requires lock entries for their variants of every
# platform. `--ignore-scripts`: no code of a dependency runs while the image is built.
RUN npm pkg delete devDependencies && npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21-slim AS base
ENV NODE_ENV=production
# The same as in dev/stack/src/system/startSystem.ts, which says why; a test compares them.
ENV MALLOC_MMAP_THRESHOLD_=1048576
ENV NODE_OPTIONS="--max-semi-space-size=32 --max-old-space-size=192 --disable-proto=delete --conditions=@fit/source"
WORKDIR /app
# The files belong to root, so the process cannot change its own code.
COPY --from=dependencies /app ./
COPY --chmod=0755 topology/src topology/src
COPY --chmod=0755 jobs/src jobs/src
COPY --chmod=0755 workout/src workout/src
COPY --chmod=0755 contract/src contract/src
COPY --chmod=0755 service/src service/src
COPY --chmod=0755 client/src client/src
# Shown by the metric `app_build_info`, and compared with the checked-out commit by './compose.sh release'.
ARG FIT_VERSION=dev
ARG FIT_COMMIT=unknown
ENV FIT_VERSION=$FIT_VERSION FIT_COMMIT=$FIT_COMMIT
LABEL org.opencontainers.image.version=$FIT_VERSION org.opencontainers.image.revision=$FIT_COMMIT
USER 10001:10001
STOPSIGNAL SIGTERM

FROM base AS monolith
COPY --chmod=0755 console/src console/src
COPY --chmod=0755 monolith/src monolith/src
# The monolith serves the runbooks.
COPY --chmod=0644 prometheus/on-call.md prometheus/
COPY --chmod=0755 prometheus/runbooks prometheus/runbooks
EXPOSE 12100 12111
CMD ["node", "--heap-growing-percent=100", "monolith/src/main.ts"]

FROM base AS coach
COPY --chmod=0755 coach/src coach/src
EXPOSE 12101 12112
CMD ["node", "--heap-growing-percent=100", "coach/src/main.ts"]

FROM base AS cron
COPY --chmod=0644 cron_job.ts ./
EXPOSE 12115
CMD ["node", "cron_job.ts"]
