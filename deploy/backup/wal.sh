# The receiver of the write-ahead log, kept running, and the daily base backup beside it.

# A chain is what was received without a break. Where the server no longer has what comes next, or its history parted
# from ours by a restore, a new chain begins: the old segments stay, set aside, and a base backup is due at once.
chain_prepare() {
  know_server
  [ "$(ask "SELECT pg_has_role('pg_read_all_stats', 'member')")" = t ] ||
    complain "this role may not read how far the log was sent, so the monitoring cannot be told: GRANT pg_monitor TO it"
  state=$(ask "SELECT coalesce(wal_status, 'unreserved') FROM pg_replication_slots WHERE slot_name = '$slot'")
  why=
  if [ -n "$(find "$folder/wal" -name '0*' | head -n 1)" ]; then
    case $state in
      '') why="the server has no replication slot $slot (it was restored, or somebody dropped it)" ;;
      lost) why="the slot $slot is lost: the receiver was away for longer than max_slot_wal_keep_size allows" ;;
    esac
  fi
  if [ "$state" = lost ]; then ask "SELECT pg_drop_replication_slot('$slot')" >/dev/null; fi
  if [ -n "$why" ]; then
    aside=$folder/wal-until-$(date -u +%Y%m%dT%H%M%SZ)
    mv "$folder/wal" "$aside"
    mkdir "$folder/wal"
    complain "A GAP: $why. What was received before is in $aside; between then and the next base backup no time can" \
      "be restored. A base backup is due now"
  fi
  [ -f "$folder/wal/.since" ] || date -u +%s >"$folder/wal/.since"
}

receiver_start() {
  chain_prepare
  pg_receivewal -d "$url" -w -D "$folder/wal" -S "$slot" --create-slot --if-not-exists >>"$folder/receiver.log" 2>&1 ||
    { tail -n 5 "$folder/receiver.log" >&2; die "the replication slot $slot cannot be made"; }
  # -n: it ends when the connection is lost, and we look at the chain before it starts again.
  pg_receivewal -d "$url" -w -n -D "$folder/wal" -S "$slot" -s 2 ${BACKUP_SYNCHRONOUS:+--synchronous} \
    >>"$folder/receiver.log" 2>&1 &
  receiver=$!
  say "receiving the log into $folder/wal"
}

# Whole segments are compressed, each under its final name only when it is whole. The receiver counts those too.
compress() {
  for whole in "$folder"/wal/0*; do
    case ${whole##*/} in *.* | '0*') continue ;; esac
    gzip -1 -c "$whole" >"$folder/wal/.compressing" || { complain "no space to compress $whole"; return 0; }
    touch -r "$whole" "$folder/wal/.compressing"
    mv "$folder/wal/.compressing" "$whole.gz"
    rm "$whole"
  done
}

# Everything committed before the last look has been received once the server has sent us what it held then.
progress() {
  sent=$(ask "SELECT coalesce(bool_or(r.write_lsn >= '${goal:-FFFFFFFF/FFFFFFFF}'), false)
    FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = '$slot'" \
    2>/dev/null) || return 0
  [ "$sent" != t ] || metrics_write "$looked"
  looked=$(date -u +%s)
  goal=$(ask "SELECT pg_current_wal_lsn()" 2>/dev/null) || goal=
}

# Whether the day's base backup is missing, or the chain has none yet. After a failure, half an hour of patience.
base_due() {
  now=$(date -u +%s)
  [ "$now" -ge "${base_again:-0}" ] || return 1
  newest=$(bases | tail -n 1)
  [ -n "$newest" ] || return 0
  taken=$(base_info "$newest" started)
  [ "$taken" -ge "$(cat "$folder/wal/.since")" ] || return 0
  slot_at=$(date -u -d "$(date -u +%Y-%m-%d) $at" +%s)
  [ "$now" -ge "$slot_at" ] || slot_at=$((slot_at - 86400))
  [ "$taken" -lt "$slot_at" ]
}

# Starts a base backup as a process of its own where one is due; looks after the one that runs.
base_tend() {
  if [ -n "${base_process:-}" ]; then
    if kill -0 "$base_process" 2>/dev/null; then return 0; fi
    if ! wait "$base_process"; then
      base_again=$(($(date -u +%s) + 1800))
      complain "the base backup ended with an error; if none was kept, the next try is at $(when "$base_again")"
    fi
    base_process=
  elif base_due; then
    "$here/backup" base 9>&- &
    base_process=$!
  fi
}

wal_stop() {
  trap - TERM INT
  [ -z "${receiver:-}" ] || kill -INT "$receiver" 2>/dev/null || true
  [ -z "${base_process:-}" ] || kill "$base_process" 2>/dev/null || true
  wait || true
  say "stopped"
  exit 0
}

# Until TERM or INT. A server that is away is asked again, at last each minute.
wal_keep() {
  lock wal
  trap wal_stop TERM INT
  receiver= pause=1
  while :; do
    if [ -n "$receiver" ] && kill -0 "$receiver" 2>/dev/null; then
      pause=1
      compress
      progress
      if [ "$1" = run ]; then base_tend; fi
    else
      if [ -n "$receiver" ]; then
        complain "the receiver ended: $(tail -n 1 "$folder/receiver.log")"
        # What the server cannot send any more, whatever its slot says: without the slot a new chain begins.
        if tail -n 1 "$folder/receiver.log" | grep -qiE 'already been removed|ahead of the WAL|not in this server'; then
          ask "SELECT pg_drop_replication_slot('$slot')" >/dev/null || true
        fi
        receiver=
      fi
      if ask "SELECT 1" >/dev/null 2>&1; then receiver_start; else
        complain "the database does not answer; asked again in $pause s"
        pause=$((pause < 32 ? pause * 2 : 60))
      fi
    fi
    sleep "${BACKUP_PAUSE:-$((pause > 5 ? pause : 5))}" 9>&- &
    wait $! || true
  done
}
