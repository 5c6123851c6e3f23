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
    makes .env with four secrets, or adds those that it lacks; changes none that is there
./compose.sh shell
    prints the secrets of .env and the addresses for the commands of the runbooks: eval "$(./compose.sh shell)"
./compose.sh down | logs | ps | …
    docker compose with the same words, also where .env is gone
USAGE
}

# Each secret, and the volume that keeps it from its first start on; the token is in no volume.
SECRETS="FIT_ADMIN_TOKEN: FIT_BROKER_PASSWORD:rabbitmq-data FIT_DATABASE_PASSWORD:mongo-data FIT_GRAFANA_PASSWORD:grafana-data"
IMAGES="fit-monolith fit-coach fit-cron"

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

# value_of NAME [DEFAULT]: the shell's, else the last one of .env, as Compose has it.
value_of() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || value=$(read_env | sed -n "s/^$1=//p" | tail -n 1)
  printf '%s' "${value:-${2:-}}"
}

# set_value NAME VALUE: written aside and renamed, readable by its owner alone. A disk that is full leaves .env as it was.
set_value() (
  umask 077
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

make_env() {
  for pair in $SECRETS; do
    name=${pair%%:*} volume=${pair#*:}
    [ -z "$(value_of "$name")" ] || continue
    # A server keeps the password of its first start in its volume, so a new one would lock everybody out.
    if [ -n "$volume" ] && docker volume inspect "$(project)_$volume" > /dev/null 2>&1; then
      fail "$name is not in .env, but the volume $(project)_$volume was made with one. Put the former .env back;" \
        "or remove all data with './compose.sh down -v'; docs/compose.md says how a password is changed"
    fi
    set_value "$name" "$(random_secret)"
    say "$name: made, and written into .env"
  done
  chmod 600 .env
  [ -z "$(value_of FIT_COACHES)" ] ||
    say "FIT_COACHES in .env has no effect: FIT_MORE_COACHES is the number of coaches beside the first one"
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

# For the commands that run on this machine and ask the system. Not the release: what a shell exports goes before .env, and would
# hold after the next release.
print_shell() {
  make_env
  for name in FIT_ADMIN_TOKEN FIT_BROKER_PASSWORD FIT_DATABASE_PASSWORD FIT_PROFILE CRON_TIMEZONE FIT_MONITORING; do
    value=$(value_of "$name" | sed "s/'/'\\\\''/g")
    [ -z "$value" ] || printf "export %s='%s'\n" "$name" "$value"
  done
  broker=fit:$(value_of FIT_BROKER_PASSWORD) database=fit:$(value_of FIT_DATABASE_PASSWORD)
  cat <<LINES
export AMQP_URL='amqp://$broker@127.0.0.1:$(value_of FIT_PORT_AMQP 12104)'
export AMQP_MANAGEMENT_URL='http://$broker@127.0.0.1:$(value_of FIT_PORT_MANAGEMENT 12105)'
export MONGODB_URL='mongodb://$database@127.0.0.1:$(value_of FIT_PORT_MONGODB 12106)/fit?authSource=admin'
export FIT_URL='http://127.0.0.1:$(value_of FIT_PORT_MONOLITH 12100)'
BROKER='$broker'
AUTH='authorization: Bearer $(value_of FIT_ADMIN_TOKEN)'
LINES
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
