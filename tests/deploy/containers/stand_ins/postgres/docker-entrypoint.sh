#!/bin/bash
# The first start makes the cluster, the user and the database; meanwhile the server listens on its socket alone.
set -euo pipefail
if [ "$(id -u)" -eq 0 ]; then
    install -d -o postgres -g postgres -m 0700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    initdb --username "$user" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") --auth-host scram-sha-256 \
        --auth-local trust --encoding UTF8 --locale C.UTF-8 >/dev/null
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options "-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" start >/dev/null
    createdb --host /var/run/postgresql --username "$user" --maintenance-db postgres "${POSTGRES_DB:-$user}"
    pg_ctl --wait --mode fast stop >/dev/null
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
