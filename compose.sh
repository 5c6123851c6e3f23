#!/bin/sh
# Runs FIT under Docker Compose, with the steps that `docker compose` alone does not do: secrets, releases, permissions of
# mounted files. It is POSIX sh, so the machine needs no Node.
set -eu
cd -- "$(dirname -- "$0")"

usage() {
  cat <<'USAGE'
./compose.sh up [options of docker compose up]
    make .env if it is missing, build the images unless .env names a release, start, wait until everything is healthy,
    and make the administrator, who logs in as admin@example.org with FIT_ADMIN_PASSWORD of .env
./compose.sh release VERSION
    build the commit that is checked out as VERSION, unless its images exist, write both into .env, and run it.
    To go back: check out the former commit and release its version again
./compose.sh env
    make .env with its secrets, or add the missing ones; existing secrets stay; needs a Docker daemon that answers
./compose.sh shell
    print a token of the administrator and the addresses for the commands of the runbooks: eval "$(./compose.sh shell)".
    The token ends after 30 minutes: run the same again
./compose.sh down | logs | ps | …
    run docker compose with the same arguments, also if .env is missing
USAGE
}

# Each secret with the volume whose server keeps it from its first start on. No volume keeps those of FIT itself.
SECRETS="FIT_ADMIN_PASSWORD: FIT_BOOTSTRAP_SECRET: FIT_CRON_SECRET: FIT_BROKER_PASSWORD:rabbitmq-data FIT_DATABASE_PASSWORD:mongo-data FIT_GRAFANA_PASSWORD:grafana-data"
EMAIL=admin@example.org
IMAGES="fit-monolith fit-coach fit-cron"

# The variables of .env that `shell` exports. Most passwords are not exported, since Compose would take them from the shell
# instead of .env; the exported addresses hold them.
EXPORTED="FIT_CRON_SECRET FIT_PROFILE CRON_TIMEZONE FIT_MONITORING"

# A release writes these into .env. Values of the shell would override them, so they are unset.
given_commit=${FIT_COMMIT:-}
unset FIT_VERSION FIT_COMMIT FIT_FILES_BROKER FIT_FILES_MONITORING

report() { printf '%s\n' "$*" >&2; }
fail() { report "compose.sh: $*"; exit 1; }

# Prints the settings of .env as lines NAME=value, read as Compose reads them: without quotes, and without a comment after
# an unquoted value.
read_env() {
  [ -f .env ] || return 0
  sed -n \
    -e 's/^[[:space:]]*export[[:space:]][[:space:]]*//' \
    -e "s/^[[:space:]]*\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=[[:space:]]*'\([^']*\)'.*/\1=\2/p;t" \
    -e 's/^[[:space:]]*\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1=\2/p;t' \
    -e 's/[[:space:]][[:space:]]*#.*$//' \
    -e 's/[[:space:]]*$//' \
    -e 's/^[[:space:]]*\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=[[:space:]]*\(.*\)/\1=\2/p' .env
}

# written_value NAME: the value in .env; the last one, where there are several.
written_value() { read_env | sed -n "s/^$1=//p" | tail -n 1; }

# value_of NAME [DEFAULT]: the value of the shell, else that in .env. Compose has the same order.
value_of() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || value=$(written_value "$1")
  printf '%s' "${value:-${2:-}}"
}

# set_value NAME VALUE: writes .env under another name, readable by its owner alone, and renames it, so that a full disk
# leaves .env unchanged.
set_value() (
  umask 077
  # A file of a run that was killed may have other permissions, and writing to it would keep them.
  rm -f .env.new
  { if [ -f .env ]; then awk -v name="$1=" 'index($0, name) != 1' .env; fi && printf '%s=%s\n' "$1" "$2"; } > .env.new ||
    { rm -f .env.new; fail "cannot write .env"; }
  mv .env.new .env
)

random_secret() {
  secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  [ "${#secret}" = 48 ] || fail "/dev/urandom gave no random bytes"
  printf '%s' "$secret"
}

project() { value_of COMPOSE_PROJECT_NAME fit; }

need_compose() {
  found=$(docker compose version --short 2>/dev/null) ||
    fail "'docker compose' is missing: install Docker Compose 2.20 or newer (docker-compose 1.x cannot read docker-compose.yml)"
  case ${found#v} in
    0.* | 1.*) fail "Docker Compose $found is too old: 2.20 or newer is needed" ;;
  esac
}

# A server keeps the password of its first start in its volume, so a new password in .env would not fit. No secret is made
# where its volume exists, or where no Docker daemon can say whether it does.
check_volumes() {
  volumes=unknown
  for pair in $SECRETS; do
    name=${pair%%:*} volume=$(project)_${pair#*:}
    [ -n "${pair#*:}" ] && [ -z "$(value_of "$name")" ] || continue
    [ "$volumes" != unknown ] || volumes=$(docker volume ls --quiet) ||
      fail "$name is not in .env, and no Docker daemon answers that could say whether the volume $volume was made with one." \
        "Start the daemon, or get permission for its socket; or restore the former .env"
    if printf '%s\n' "$volumes" | grep -Fxq -e "$volume"; then
      fail "$name is not in .env, but the volume $volume was made with one. Restore the former .env;" \
        "or remove all data with './compose.sh down -v'; docs/compose.md says how a password is changed"
    fi
  done
}

make_env() {
  check_volumes
  for pair in $SECRETS; do
    name=${pair%%:*}
    [ -z "$(value_of "$name")" ] || continue
    set_value "$name" "$(random_secret)"
    report "$name: made, and written into .env"
  done
  # There is no .env where the environment has every secret.
  [ ! -f .env ] || chmod 600 .env
}

# Compose prefers a value of the shell to that in .env. A value that `shell` exported before .env was changed would restore
# the former one.
check_shell() {
  for name in $EXPORTED FIT_ADMIN_PASSWORD FIT_BOOTSTRAP_SECRET FIT_BROKER_PASSWORD FIT_DATABASE_PASSWORD FIT_GRAFANA_PASSWORD; do
    eval "given=\${$name-unset} is_given=\${$name+yes}"
    written=$(written_value "$name")
    [ -n "$is_given" ] && [ "$given" != "$written" ] || continue
    [ -z "$written" ] ||
      fail "$name has another value in this shell than in .env, and the shell's would be used. Run 'unset $name', then the same again"
    [ -z "$given" ] || report "$name: taken from this shell, since .env does not have it"
  done
}

# The servers run as other users, who cannot read a checkout that was made under umask 077.
prepare_files() {
  monitoring=$(value_of FIT_MONITORING)
  generated=${monitoring:-prometheus/generated}
  dashboards=${monitoring:-prometheus/grafana}/dashboards
  set -- "$generated/default" "$generated/assignment" "$dashboards" prometheus/grafana/provisioning
  for folder in prometheus/broker "$@"; do
    [ -d "$folder" ] || fail "$folder is not a folder: 'npm run rules -- \"$monitoring\"' writes it"
    chmod -R a+rX "$folder" || report "$folder: its permissions could not be set; every user must be able to read its files"
  done
  keep_value FIT_FILES_BROKER "$(checksum prometheus/broker)"
  keep_value FIT_FILES_MONITORING "$(checksum "$@")"
}

checksum() { find "$@" -type f -exec cksum {} + | LC_ALL=C sort | cksum | tr -s '[:space:]' '-' | cut -d- -f1,2; }

keep_value() { [ "$(value_of "$1")" = "$2" ] || set_value "$1" "$2"; }

# Without git the commit is named by FIT_COMMIT: FIT_COMMIT=… ./compose.sh release 1.2
commit() {
  if [ -n "$given_commit" ]; then printf '%s' "$given_commit"
  elif found=$(git rev-parse HEAD 2> /dev/null); then
    printf '%s' "$found"
    [ -z "$(git status --porcelain --untracked-files=no)" ] || printf '%s' -changed
  else printf unknown
  fi
}

start() {
  # Compose 2.26 fails with "missing dependency" when it removes the last container of a service and waits for all others.
  case "$(value_of FIT_MORE_COACHES 0) $*" in
    "0 "*more-coaches=*) ;;
    "0 "*) docker compose rm --stop --force more-coaches > /dev/null 2>&1 || true ;;
  esac
  docker compose up --wait "$@"
  # The administrator may have another password by now, so this is no reason to fail.
  log_in > /dev/null || report "$EMAIL could not log in with FIT_ADMIN_PASSWORD of .env; write the present password there"
}

up() {
  need_compose
  check_shell
  make_env
  prepare_files
  version=$(value_of FIT_VERSION dev)
  if [ "$version" = dev ]; then
    keep_value FIT_COMMIT "$(commit)"
    start --build "$@"
  else
    # Only `release` builds the images of a release.
    start --no-build "$@"
  fi
}

release() {
  version=$1
  printf '%s' "$version" | grep -Eq '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' && [ "$version" != dev ] ||
    fail "'$version' is no version: it must be of letters, digits, '.', '_' and '-', and not 'dev'"
  need_compose
  check_shell
  commit=$(commit)
  case $commit in
    unknown) fail "no commit is known here: FIT_COMMIT=<commit> ./compose.sh release $version" ;;
    *-changed) fail "a release is a commit, and there are changes that are not committed (see git status)" ;;
  esac
  make_env
  missing=
  for image in $IMAGES; do
    built=$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.revision"}}' \
      "$image:$version" 2> /dev/null) || { missing=yes; continue; }
    [ "$built" = "$commit" ] ||
      fail "$image:$version was built from $built, but $commit is checked out. To go back: git checkout $built;" \
        "for new code: release another version"
  done
  if [ -n "$missing" ]; then FIT_VERSION=$version FIT_COMMIT=$commit docker compose build; fi
  prepare_files
  keep_value FIT_VERSION "$version"
  keep_value FIT_COMMIT "$commit"
  start --no-build
}

# Prints what commands on this machine need. Values of .env come first, so that the same command again updates a shell. The
# release is not exported: a value of the shell would override .env after the next release.
print_shell() {
  make_env
  for name in $EXPORTED; do
    value=$(shown_value "$name" | sed "s/'/'\\\\''/g")
    [ -z "$value" ] || printf "export %s='%s'\n" "$name" "$value"
  done
  broker=fit:$(shown_value FIT_BROKER_PASSWORD) database=fit:$(shown_value FIT_DATABASE_PASSWORD)
  cat <<LINES
export AMQP_URL='amqp://$broker@127.0.0.1:$(value_of FIT_PORT_AMQP 12104)'
export AMQP_MANAGEMENT_URL='http://$broker@127.0.0.1:$(value_of FIT_PORT_MANAGEMENT 12105)'
export MONGODB_URL='mongodb://$database@127.0.0.1:$(value_of FIT_PORT_MONGODB 12106)/fit?authSource=admin'
export FIT_URL='http://127.0.0.1:$(value_of FIT_PORT_MONOLITH 12100)'
BROKER='$broker'
LINES
  token=$(log_in) || { report "AUTH is not set: no administrator could log in at the monolith"; token=; }
  [ -z "$token" ] || printf "AUTH='authorization: Bearer %s'\n" "$token"
}

# Prints a token of the first administrator, who is made where the database has none. It runs in the container of the monolith,
# which has the bootstrap secret and Node, so the machine needs neither curl nor a JSON parser.
log_in() {
  shown_value FIT_ADMIN_PASSWORD | docker compose exec -T monolith node -e '
    const email = process.argv[1], password = require("node:fs").readFileSync(0, "utf8").trim();
    const post = (path, body, headers) => fetch(`http://127.0.0.1:${process.env.PORT}${path}`,
      { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
    const logIn = () => post("/auth/login", { email, password });
    const main = async () => {
      let reply = await logIn();
      if (reply.status === 401) {
        const authorization = `Bearer ${process.env.FIT_BOOTSTRAP_SECRET}`;
        await post("/bootstrap/admin", { email, password, name: "Administrator" }, { authorization });
        reply = await logIn();
      }
      if (!reply.ok) throw new Error(`the log-in was answered with ${reply.status} ${await reply.text()}`);
      process.stdout.write((await reply.json()).token);
    };
    main().catch((error) => { console.error(error.message); process.exit(1); });' "$EMAIL"
}

# shown_value NAME: the value in .env, else that of the shell.
shown_value() {
  value=$(written_value "$1")
  [ -n "$value" ] || value=$(value_of "$1")
  printf '%s' "$value"
}

case ${1:-help} in
  help | --help | -h) usage ;;
  up) shift; up "$@" ;;
  release) [ $# = 2 ] || { usage >&2; exit 2; }; release "$2" ;;
  env) make_env; report ".env has every secret" ;;
  shell) print_shell ;;
  *)
    need_compose
    for pair in $SECRETS; do
      # Compose cannot read docker-compose.yml without the secrets. It finds running containers by their labels.
      [ -n "$(value_of "${pair%%:*}")" ] || { name=$(project); cd /; exec docker compose --project-name "$name" "$@"; }
    done
    exec docker compose "$@"
    ;;
esac
