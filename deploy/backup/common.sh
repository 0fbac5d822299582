# What all commands share: settings, words for the operator, locks, names of log segments, the metrics' file.

say() { printf '%s backup: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }
complain() { say "$*" >&2; }
die() {
  complain "$*"
  exit 1
}

# Reads the settings and makes the folders. Everything is the caller's alone: backups hold health data.
settle() {
  folder=${BACKUP_FOLDER:-}
  [ -n "$folder" ] || die "BACKUP_FOLDER is not set: name the folder that the backups go to"
  # In the environment and never in an argument: those stand in the list of processes.
  if [ -n "${BACKUP_PASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$BACKUP_PASSWORD_FILE")
    export PGPASSWORD
  fi
  # Empty: PostgreSQL's own variables say where it is (PGHOST, PGUSER ...).
  url=${BACKUP_DATABASE_URL:-${DATABASE_URL:-dbname=${PGDATABASE:-postgres}}}
  keep=${BACKUP_KEEP:-7}
  at=${BACKUP_AT:-02:30}
  slot=${BACKUP_SLOT:-wearable_backup}
  metrics=${BACKUP_METRICS_FILE:-}
  if [ -n "${BACKUP_PROGRAMS:-}" ]; then PATH=$BACKUP_PROGRAMS:$PATH; fi
  case $keep in '' | 0 | *[!0-9]*) die "BACKUP_KEEP must be a number from 1 on, not '$keep'" ;; esac
  case $at in
    [01][0-9]:[0-5][0-9] | 2[0-3]:[0-5][0-9]) ;;
    *) die "BACKUP_AT must be a time like 02:30 (UTC), not '$at'" ;;
  esac
  for program in awk flock gzip pg_basebackup pg_receivewal psql sha256sum tar; do
    command -v "$program" >/dev/null || die "$program is not on the PATH (BACKUP_PROGRAMS names PostgreSQL's folder)"
  done
  mkdir -p "$folder/base" "$folder/wal" || die "$folder cannot be written to"
  folder=$(cd "$folder" && pwd)
}

# lock NAME [-s]: taken until this process ends, by the kernel; so nothing is left behind by a killed one.
lock() {
  exec 9>"$folder/.lock-$1"
  flock -n ${2:-} 9 || die "another '$1' is at work in $folder"
}

# One value from the server. What it says in an error reaches the operator.
ask() { psql -XAtq -v ON_ERROR_STOP=1 -d "$url" -c "$1"; }

# The server, once: version, system, timeline. Refuses what cannot end well, before anything is written.
know_server() {
  ask "SELECT 1" >/dev/null || die "the database does not answer"
  server_version=$(ask "SELECT current_setting('server_version_num')::int / 10000")
  server_system=$(ask "SELECT system_identifier FROM pg_control_system()")
  ours=$(pg_basebackup --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  [ "$ours" = "$server_version" ] ||
    die "the server is PostgreSQL $server_version and the programs here are $ours: take those of the server's version"
  [ "$(ask "SHOW wal_segment_size")" = 16MB ] || die "only log segments of 16 MB, PostgreSQL's default, are handled"
  if [ -f "$folder/system" ]; then
    [ "$(cat "$folder/system")" = "$server_system" ] || die "$folder holds backups of another database cluster" \
      "(a major upgrade or a new initdb makes another): set BACKUP_FOLDER to a new folder and keep this one"
  else
    printf '%s\n' "$server_system" >"$folder/system"
  fi
}

free_megabytes() { df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }'; }
when() { date -u -d "@$1" '+%Y-%m-%d %H:%M:%S'; }
changed() { stat -c %Y "$1"; }

# The name of a segment: segment_name TIMELINE NUMBER.
segment_name() { printf '%08X%08X%08X' "$1" "$(($2 / 256))" "$(($2 % 256))"; }

# Timeline, number, kind (whole, gz, partial) and path of all received segments, in order.
segments() {
  for segment_file in "$folder"/wal/0* "$folder"/wal-until-*/0*; do
    [ -f "$segment_file" ] || continue
    segment=${segment_file##*/}
    case $segment in
      *.history*) continue ;;
      *.partial) kind=partial ;;
      *.gz) kind=gz ;;
      *) kind=whole ;;
    esac
    segment=${segment%%.*}
    [ ${#segment} -eq 24 ] || continue
    log=${segment#????????}
    echo "$((0x${segment%????????????????})) $((0x${log%????????} * 256 + 0x${log#????????})) $kind $segment_file"
  done | sort -n -k1,1 -k2,2
}

# Names of the whole base backups, oldest first. What is half done begins with a dot and is none.
bases() {
  for base_folder in "$folder"/base/2*; do
    [ -f "$base_folder/info" ] || continue
    echo "${base_folder##*/}"
  done
}
# base_info NAME KEY
base_info() { sed -n "s/^$2=//p" "$folder/base/$1/info"; }

# The file for node exporter's textfile collector, replaced as a whole. metrics_write [WAL RECEIVED UP TO, epoch]
metrics_write() {
  [ -n "${1:-}" ] && printf '%s\n' "$1" >"$folder/.received"
  [ -n "$metrics" ] || return 0
  newest=$(bases | tail -n 1)
  {
    if [ -n "$newest" ]; then
      echo "# HELP wearable_backup_last_success_timestamp_seconds When the newest verified base backup ended."
      echo "# TYPE wearable_backup_last_success_timestamp_seconds gauge"
      echo "wearable_backup_last_success_timestamp_seconds $(base_info "$newest" ended)"
      echo "# HELP wearable_backup_bytes Size of the newest base backup, compressed."
      echo "# TYPE wearable_backup_bytes gauge"
      echo "wearable_backup_bytes $(base_info "$newest" bytes)"
    fi
    if [ -s "$folder/.received" ]; then
      echo "# HELP wearable_wal_last_received_timestamp_seconds Everything committed up to then has been received."
      echo "# TYPE wearable_wal_last_received_timestamp_seconds gauge"
      echo "wearable_wal_last_received_timestamp_seconds $(cat "$folder/.received")"
    fi
  } >"$metrics.$$"
  chmod 644 "$metrics.$$" # node exporter is another user; there are no data in it
  mv "$metrics.$$" "$metrics"
}
