#!/bin/sh
# FIT under Docker Compose: the steps that `docker compose` alone does not do. POSIX sh; nothing of Node is needed on this machine.
set -eu
cd -- "$(dirname -- "$0")"

usage() {
  cat <<'USAGE'
./compose.sh up [options of docker compose up]
    makes .env where it is missing, builds unless .env names a release, starts, waits until everything is healthy
./compose.sh release VERSION
    builds the commit that is checked out as VERSION, unless its images exist, writes both into .env, runs it;
    the way back: check out the former commit, then the same with its version
./compose.sh env
    makes .env with four secrets, or adds those that it lacks; changes none that is there; needs a Docker daemon that answers
./compose.sh shell
    prints the admin's token and the addresses for the commands of the runbooks: eval "$(./compose.sh shell)"
./compose.sh down | logs | ps | …
    docker compose with the same words, also where .env is gone
USAGE
}

# Each secret, and the volume that keeps it from its first start on; the token is in no volume.
SECRETS="FIT_ADMIN_TOKEN: FIT_BROKER_PASSWORD:rabbitmq-data FIT_DATABASE_PASSWORD:mongo-data FIT_GRAFANA_PASSWORD:grafana-data"
IMAGES="fit-monolith fit-coach fit-cron"

# What `shell` exports of .env. Not the passwords of the servers, which the addresses hold: Compose would take them from the shell.
EXPORTED="FIT_ADMIN_TOKEN FIT_PROFILE CRON_TIMEZONE FIT_MONITORING"

# What a release writes stands in .env. The shell's values would go before it, so they are taken out of the way.
given_commit=${FIT_COMMIT:-}
unset FIT_VERSION FIT_COMMIT FIT_FILES_BROKER FIT_FILES_MONITORING

say() { printf '%s\n' "$*" >&2; }
fail() { say "compose.sh: $*"; exit 1; }

# The settings of .env as lines NAME=value, read as Compose reads them: quotes and a comment after an unquoted value are dropped.
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

# written_value NAME: the last one of .env.
written_value() { read_env | sed -n "s/^$1=//p" | tail -n 1; }

# value_of NAME [DEFAULT]: the shell's, else the last one of .env, as Compose has it.
value_of() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || value=$(written_value "$1")
  printf '%s' "${value:-${2:-}}"
}

# set_value NAME VALUE: written aside and renamed, readable by its owner alone. A disk that is full leaves .env as it was.
set_value() (
  umask 077
  # One that a killed run left may have other rights, which writing would keep.
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

# A server keeps the password of its first start in its volume, so a new one would lock everybody out. Nothing is written where a
# volume exists, nor where nobody can tell.
check_volumes() {
  volumes=unasked
  for pair in $SECRETS; do
    name=${pair%%:*} volume=$(project)_${pair#*:}
    [ -n "${pair#*:}" ] && [ -z "$(value_of "$name")" ] || continue
    [ "$volumes" != unasked ] || volumes=$(docker volume ls --quiet) ||
      fail "$name is not in .env, and no Docker daemon answers that could tell whether the volume $volume was made with one." \
        "Start the daemon, or get the right to its socket; or put the former .env back"
    if printf '%s\n' "$volumes" | grep -Fxq -e "$volume"; then
      fail "$name is not in .env, but the volume $volume was made with one. Put the former .env back;" \
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
    say "$name: made, and written into .env"
  done
  # There is none where the environment has every secret.
  [ ! -f .env ] || chmod 600 .env
  [ -z "$(value_of FIT_COACHES)" ] ||
    say "FIT_COACHES in .env has no effect: FIT_MORE_COACHES is the number of coaches beside the first one"
}

# Compose takes the shell's value before that of .env. One that `shell` exported before .env was changed would bring the former back.
check_shell() {
  for name in $EXPORTED FIT_BROKER_PASSWORD FIT_DATABASE_PASSWORD FIT_GRAFANA_PASSWORD; do
    eval "given=\${$name-unset} is_given=\${$name+yes}"
    written=$(written_value "$name")
    [ -n "$is_given" ] && [ "$given" != "$written" ] || continue
    [ -z "$written" ] ||
      fail "$name has another value in this shell than in .env, and the shell's would be used. Run 'unset $name', then the same again"
    [ -z "$given" ] || say "$name: taken from this shell, since .env does not have it"
  done
}

# The servers run as users of their own, and a checkout under umask 077 is readable by its owner alone.
prepare_files() {
  monitoring=$(value_of FIT_MONITORING)
  generated=${monitoring:-prometheus/generated}
  dashboards=${monitoring:-prometheus/grafana}/dashboards
  set -- "$generated/default" "$generated/assignment" "$dashboards" prometheus/grafana/provisioning
  for folder in prometheus/broker "$@"; do
    [ -d "$folder" ] || fail "$folder is no folder: 'npm run rules -- \"$monitoring\"' writes it"
    chmod -R a+rX "$folder" || say "$folder: its rights could not be set; its files must be readable by anybody"
  done
  keep_value FIT_FILES_BROKER "$(checksum prometheus/broker)"
  keep_value FIT_FILES_MONITORING "$(checksum "$@")"
}

checksum() { find "$@" -type f -exec cksum {} + | LC_ALL=C sort | cksum | tr -s '[:space:]' '-' | cut -d- -f1,2; }

keep_value() { [ "$(value_of "$1")" = "$2" ] || set_value "$1" "$2"; }

# Without git the commit is given: FIT_COMMIT=… ./compose.sh release 1.2
commit() {
  if [ -n "$given_commit" ]; then printf '%s' "$given_commit"
  elif found=$(git rev-parse HEAD 2> /dev/null); then
    printf '%s' "$found"
    [ -z "$(git status --porcelain --untracked-files=no)" ] || printf '%s' -changed
  else printf unknown
  fi
}

start() {
  # Compose 2.26 ends with "missing dependency" where it removes the last container of a service and is to wait for all.
  case "$(value_of FIT_MORE_COACHES 0) $*" in
    "0 "*more-coaches=*) ;;
    "0 "*) docker compose rm --stop --force more-coaches > /dev/null 2>&1 || true ;;
  esac
  docker compose up --wait "$@"
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
    # The images of a release are made by the release alone.
    start --no-build "$@"
  fi
}

release() {
  version=$1
  printf '%s' "$version" | grep -Eq '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' && [ "$version" != dev ] ||
    fail "'$version' is no version: letters, digits, '.', '_' and '-', and not 'dev'"
  need_compose
  check_shell
  commit=$(commit)
  case $commit in
    unknown) fail "no commit is known here: FIT_COMMIT=<commit> ./compose.sh release $version" ;;
    *-changed) fail "there are changes that are not committed (git status): a release is a commit" ;;
  esac
  make_env
  missing=
  for image in $IMAGES; do
    built=$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.revision"}}' \
      "$image:$version" 2> /dev/null) || { missing=yes; continue; }
    [ "$built" = "$commit" ] ||
      fail "$image:$version was built from $built, but $commit is checked out. For the way back: git checkout $built;" \
        "for new code: another version"
  done
  if [ -n "$missing" ]; then FIT_VERSION=$version FIT_COMMIT=$commit docker compose build; fi
  prepare_files
  keep_value FIT_VERSION "$version"
  keep_value FIT_COMMIT "$commit"
  start --no-build
}

# For the commands that run on this machine and ask the system. What .env says goes first, so that the same again renews what a
# shell has. Not the release: what a shell exports goes before .env, and would hold after the next release.
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
AUTH='authorization: Bearer $(shown_value FIT_ADMIN_TOKEN)'
LINES
}

# shown_value NAME: that of .env, else the shell's.
shown_value() {
  value=$(written_value "$1")
  [ -n "$value" ] || value=$(value_of "$1")
  printf '%s' "$value"
}

case ${1:-help} in
  help | --help | -h) usage ;;
  up) shift; up "$@" ;;
  release) [ $# = 2 ] || { usage >&2; exit 2; }; release "$2" ;;
  env) make_env; say ".env has every secret" ;;
  shell) print_shell ;;
  *)
    need_compose
    for pair in $SECRETS; do
      # Without them docker-compose.yml cannot be read; what runs, Compose finds by its labels.
      [ -n "$(value_of "${pair%%:*}")" ] || { name=$(project); cd /; exec docker compose --project-name "$name" "$@"; }
    done
    exec docker compose "$@"
    ;;
esac
