# What is there and whether it is whole: the list, the check, and what may be deleted.

# Walks the received log after a base backup. Sets chain_last (number of the last segment without a break), chain_file
# (its file, empty where the base backup's own log is all there is) and chain_gap (the first that is missing; empty
# where nothing is). A partial segment is the end of a chain and no link of it.
chain_walk() {
  chain_line=$(base_info "$1" timeline)
  chain_last=$(base_info "$1" last)
  chain_file= chain_gap=
  found=$(segments | awk -v line="$chain_line" -v last="$chain_last" '
    $1 == line && $2 > last {
      path = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", path)
      if ($2 == at && ended && $3 != "partial") { file = path; ended = 0; next }
      if ($2 == at) next
      if (at == "") at = last
      if ($2 != at + 1 || ended) { print "gap", at + 1; exit }
      at = $2; file = path; ended = ($3 == "partial")
      print "at", at, file
    }' )
  last_found=$(printf '%s\n' "$found" | grep '^at ' | tail -n 1 || true)
  if [ -n "$last_found" ]; then
    last_found=${last_found#at }
    chain_last=${last_found%% *}
    chain_file=${last_found#* }
  fi
  gap_found=$(printf '%s\n' "$found" | grep '^gap ' || true)
  if [ -n "$gap_found" ]; then chain_gap=$(segment_name "$chain_line" "${gap_found#gap }"); fi
}

# Up to when the chain after a base backup reaches, as seconds: the last segment's time, else the base backup's end.
chain_until() { if [ -n "$chain_file" ]; then changed "$chain_file"; else base_info "$1" ended; fi; }

list() {
  for name in $(bases); do
    chain_walk "$name"
    printf '%s  %6s MB  restores any time from %s to %s%s\n' "$name" "$(($(base_info "$name" bytes) / 1048576))" \
      "$(when "$(base_info "$name" ended)")" "$(when "$(chain_until "$name")")" "${chain_gap:+ (a gap follows: $chain_gap)}"
  done
  [ -n "$(bases)" ] || echo "no base backup"
}

# Ends with 1 where anything is damaged or missing. --quick: only that the chains have no gap, not each byte.
check() {
  faults=0
  fault() { complain "$*"; faults=$((faults + 1)); }
  [ -n "$(bases)" ] || fault "there is no base backup in $folder"
  for name in $(bases); do
    if [ "${1:-}" != --quick ] && ! base_sound "$name"; then
      fault "base backup $name is damaged: its files are not those that were written"
    fi
    chain_walk "$name"
    if [ -n "$chain_gap" ]; then
      fault "after base backup $name the log has a gap: $chain_gap is missing. Restorable up to $(when "$(chain_until "$name")")"
    elif [ -z "$chain_file" ] && [ "$name" = "$(bases | tail -n 1)" ]; then
      complain "no log was received after base backup $name: it restores to its own end only. Does 'backup run' run?"
    fi
  done
  if [ "${1:-}" != --quick ]; then
    segments >"$folder/.segments.$$"
    while read -r _ _ kind file; do
      case $kind in
        gz) gzip -t "$file" 2>/dev/null || fault "$file is damaged" ;;
        whole) [ "$(wc -c <"$file")" -eq 16777216 ] || fault "$file has not its full length" ;;
      esac
    done <"$folder/.segments.$$"
    rm -f "$folder/.segments.$$"
  fi
  [ "$faults" -eq 0 ] || die "$faults fault(s) found"
  say "whole: $(bases | wc -l | tr -d ' ') base backups and the log after them"
}

# Keeps the newest BACKUP_KEEP base backups and the log from the oldest of them on. Nothing goes while a restore reads.
prune() {
  exec 8>"$folder/.lock-prune"
  if ! flock -n 8; then
    say "nothing was pruned: a restore reads from $folder"
    return 0
  fi
  surplus=$(($(bases | wc -l) - keep))
  if [ "$surplus" -gt 0 ]; then
    for old in $(bases | head -n "$surplus"); do
      mv "$folder/base/$old" "$folder/base/.part-$old" # half deleted is no backup any more
      rm -rf "$folder/base/.part-$old"
      say "pruned base backup $old"
    done
  fi
  oldest=$(bases | head -n 1)
  if [ -n "$oldest" ]; then
    for aside in "$folder"/wal-until-*; do
      stamp=${aside##*/wal-until-}
      if [ -d "$aside" ] && [ "$(printf '%s\n%s\n' "$stamp" "$oldest" | sort | head -n 1)" = "$stamp" ]; then
        rm -rf "$aside"
      fi
    done
    first=$(base_info "$oldest" first)
    segments | while read -r _ number kind file; do
      if [ "$number" -lt "$first" ] && [ "$kind" != partial ]; then rm -f "$file"; fi
    done
  fi
  exec 8>&-
}
