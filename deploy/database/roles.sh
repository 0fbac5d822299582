#!/bin/sh
# Roles of a new database, each with no more than it needs. The database's image runs this once, when it makes the
# database; by hand on a server of your own: PGHOST=... SECRETS=./secrets POSTGRES_USER=postgres POSTGRES_DB=wearable.
#
#   wearable  the product: owns its database, nothing else
#   watcher   the monitoring: reads the server's statistics, no table
#   backup    the backup: copies the whole server, writes nothing; reads how far the log was sent
set -eu
SECRETS=${SECRETS:-/run/secrets}
export SECRETS
for name in database_password watcher_password backup_password; do
  [ -s "$SECRETS/$name" ] || { echo "$SECRETS/$name is missing or empty: make secrets" >&2; exit 1; }
done

# psql itself reads the passwords: arguments would stand in the list of processes.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set application `cat "$SECRETS/database_password"`
\set watcher `cat "$SECRETS/watcher_password"`
\set backup `cat "$SECRETS/backup_password"`
CREATE ROLE wearable LOGIN PASSWORD :'application';
ALTER DATABASE :"DBNAME" OWNER TO wearable;
CREATE ROLE watcher LOGIN PASSWORD :'watcher' CONNECTION LIMIT 5;
GRANT pg_monitor TO watcher;
CREATE ROLE backup LOGIN REPLICATION PASSWORD :'backup' CONNECTION LIMIT 5;
GRANT pg_monitor TO backup;
SQL

# The image opens databases to other containers, but not replication, by which the backup reads.
if [ -n "${PGDATA:-}" ] && [ -f "$PGDATA/pg_hba.conf" ]; then
  echo 'host replication backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
