# The way back: into a folder of its own, to the newest state or to a time, proven by starting a server on it.

# PostgreSQL's restore_command: fetch NAME TARGET. 1 where there is no such segment: that is how recovery ends.
fetch() {
  for fetch_from in "$BACKUP_FOLDER"/wal "$BACKUP_FOLDER"/wal-until-*; do
    if [ -f "$fetch_from/$1" ]; then exec cp "$fetch_from/$1" "$2"; fi
    if [ -f "$fetch_from/$1.gz" ]; then
      gzip -dc "$fetch_from/$1.gz" >"$2" || exit 200 # damaged: recovery must stop and not take it for the end
      exit 0
    fi
  done
  for fetch_from in "$BACKUP_FOLDER"/wal "$BACKUP_FOLDER"/wal-until-*; do
    if [ -f "$fetch_from/$1.partial" ]; then exec cp "$fetch_from/$1.partial" "$2"; fi
  done
  exit 1
}

# A text as one word for the shell, then as a value in postgresql.conf, where restore_command knows % too.
for_shell() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }
for_conf() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
for_command() { for_shell "$1" | sed 's/%/%%/g'; }

restore_arguments() {
  to= into= base= config=
  while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || die "$1 needs a value"
    case $1 in
      --to) to=$2 ;;
      --into) into=$2 ;;
      --base) base=$2 ;;
      --config) config=$2 ;;
      *) die "restore does not know $1" ;;
    esac
    shift 2
  done
  [ -n "$into" ] || die "--into is missing: the folder to restore into, which must be empty or not exist"
  to=$(printf %s "$to" | sed 's/T/ /; s/Z$//')
  case $to in
    '' | [0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]\ [0-2][0-9]:[0-5][0-9]*) ;;
    *) die "--to is a time in UTC like '2026-11-25 03:15:00', not '$to'" ;;
  esac
}

# Chooses the newest base backup that was complete at the time, and refuses what cannot lead there.
restore_choose() {
  [ "$(id -u)" -ne 0 ] || die "PostgreSQL does not run as root: restore as the user that will own the data"
  if [ -e "$into" ] && [ -n "$(ls -A "$into")" ]; then die "$into is not empty: nothing is ever restored over data"; fi
  target=
  if [ -n "$to" ]; then target=$(date -u -d "${to%.*}" +%s) || die "--to '$to' is no time"; fi
  if [ -n "$base" ]; then
    [ -f "$folder/base/$base/info" ] || die "there is no base backup $base; 'backup list' names them"
  else
    for name in $(bases); do
      if [ -z "$target" ] || [ "$(base_info "$name" ended)" -le "$target" ]; then base=$name; fi
    done
    [ -n "$base" ] || die "no base backup was complete ${to:+at }${to:-yet}; 'backup list' says what there is"
  fi
  base_sound "$base" || die "base backup $base is damaged and will not be restored; --base names an older one"
  version=$(base_info "$base" version)
  ours=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/') || die "postgres is not on the PATH (BACKUP_PROGRAMS)"
  [ "$ours" = "$version" ] || die "base backup $base is of PostgreSQL $version and the programs here are $ours"
  chain_walk "$base"
  until=$(chain_until "$base")
  if [ -n "$chain_gap" ] && { [ -z "$target" ] || [ "$target" -gt "$until" ]; }; then
    die "the log has a gap: $chain_gap is missing. From base backup $base everything up to $(when "$until") can be" \
      "restored: --to '$(when "$until")'"
  fi
}

# Unpacks the base backup and compares each file with the server's manifest once more: this is what will be used.
restore_unpack() {
  mkdir -p "$into"
  into=$(cd "$into" && pwd)
  chmod 700 "$into"
  say "unpacking base backup $base into $into"
  if ! { tar -xzf "$folder/base/$base/base.tar.gz" -C "$into" &&
    tar -xzf "$folder/base/$base/pg_wal.tar.gz" -C "$into/pg_wal"; }; then
    die "unpacking failed ($(df -Pk "$into" | awk 'NR == 2 { print int($4 / 1024) }') MB are free). Empty $into and try again"
  fi
  manifest_sums "$folder/base/$base/backup_manifest" >"$into/.sums"
  (cd "$into" && sha256sum -c .sums >.verified 2>&1) || {
    grep -v ': OK$' "$into/.verified" | head -n 5 >&2
    die "what was unpacked differs from what the server sent: $into is not to be used"
  }
  rm -f "$into/.sums" "$into/.verified"
  [ -f "$into/postgresql.conf" ] || [ -n "$config" ] || die "the cluster's postgresql.conf lies elsewhere (Debian:" \
    "/etc/postgresql/$version/main): name it with --config, for the server has to be started to finish the restore"
}

# Recovery's settings, for this one start: the file is put back afterwards.
restore_settings() {
  cp "$into/postgresql.auto.conf" "$into/.auto.conf"
  {
    echo "restore_command = $(for_conf "BACKUP_FOLDER=$(for_command "$folder") $(for_command "$here/backup") fetch %f \"%p\"")"
    # The base backup's own history: what a later restore began is another.
    echo "recovery_target_timeline = 'current'"
    echo "recovery_target_action = 'promote'"
    [ -z "$to" ] || echo "recovery_target_time = '$to+00'"
  } >>"$into/postgresql.auto.conf"
  : >"$into/recovery.signal"
}

# Starts a server that nobody else can reach, waits until recovery has ended, and stops it again.
restore_start() {
  socket=$(mktemp -d)
  log=$socket/log
  options="-c listen_addresses= -c unix_socket_directories=$socket -c port=5432 -c archive_mode=off -c ssl=off"
  # No job of TimescaleDB's may delete or compress anything before somebody has looked.
  options="$options -c logging_collector=off -c timescaledb.max_background_workers=0"
  # The socket's folder is ours alone, so whoever reaches it may pass.
  echo "local all all trust" >"$socket/hba"
  options="$options -c hba_file=$socket/hba -c external_pid_file= ${config:+-c config_file=$config -c data_directory='$into'}"
  say "recovering${to:+ up to $to}; the server's words: $log"
  pg_ctl -D "$into" -s -w -t 86400 -l "$log" -o "$options" start >/dev/null 2>&1 9>&- || restore_failed
  user=${BACKUP_USER:-postgres}
  while [ "$(psql -XAtq -h "$socket" -U "$user" -d postgres -c 'SELECT pg_is_in_recovery()' 2>/dev/null)" != f ]; do
    pg_ctl -D "$into" status >/dev/null 2>&1 || restore_failed
    sleep 0.2
  done
  reached=$(psql -XAtq -h "$socket" -U "$user" -d postgres -c 'SELECT pg_last_xact_replay_timestamp()')
  databases=$(psql -XAtq -h "$socket" -U "$user" -d postgres -c \
    "SELECT string_agg(datname || ' ' || pg_size_pretty(pg_database_size(oid)), ', ') FROM pg_database WHERE NOT datistemplate")
  pg_ctl -D "$into" -s -w -m fast stop
  mv "$into/.auto.conf" "$into/postgresql.auto.conf"
  rm -rf "$socket"
}

restore_failed() {
  tail -n 15 "$log" >&2
  if grep -q 'ended before configured recovery target' "$log"; then
    die "the received log ends before $to: nothing was committed after it, or it was not received. For the newest" \
      "state leave --to out. Empty $into before you try again"
  fi
  die "the server did not come up on $into; the end of its log is above"
}

restore() {
  restore_arguments "$@"
  lock prune -s
  restore_choose
  restore_unpack
  restore_settings
  restore_start
  say "restored into $into: last transaction ${reached:-none after the base backup}; $databases"
  say "before the site goes up: reapply_erasures, verify_audit and the keys (docs/backup.md)"
}
