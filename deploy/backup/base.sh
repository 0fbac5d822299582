# Base backups: taken in one stream, verified file by file against the server's own manifest, then given their name.

# What the manifest promises: "checksum  path" for each file, sorted. A name that is not UTF-8 is written otherwise.
manifest_sums() {
  if grep -q '"Encoded-Path"' "$1"; then return 1; fi
  sed -n 's/^{ "Path": "\(.*\)", "Size": .*"Checksum": "\([0-9a-f]*\)" }.*$/\2  \1/p' "$1" | sort
}

# The manifest's own checksum is of all bytes before its line.
manifest_whole() {
  promised=$(sed -n 's/^"Manifest-Checksum": "\([0-9a-f]*\)"}$/\1/p' "$1")
  found=$(sed '/^"Manifest-Checksum"/,$d' "$1" | sha256sum | cut -c1-64)
  [ -n "$promised" ] && [ "$promised" = "$found" ]
}

# Reads the whole archive and compares each file. Nothing is unpacked: no disk space is needed for it.
archive_verify() {
  manifest_whole "$1/backup_manifest" || { complain "the manifest is damaged"; return 1; }
  manifest_sums "$1/backup_manifest" >"$2.promised" || { complain "a file's name is not UTF-8"; return 1; }
  tar --help 2>&1 | grep -q -e --to-command || die "this tar has no --to-command: install GNU tar"
  # shellcheck disable=SC2016 # tar's shell expands it, once for each file
  tar -xzf "$1/base.tar.gz" --to-command='printf "%s " "${TAR_FILENAME#./}"; exec sha256sum' >"$2.unsorted" ||
    { complain "the archive cannot be read to its end"; return 1; }
  sed 's/^\(.*\) \([0-9a-f]*\)  -$/\2  \1/' "$2.unsorted" >"$2.found"
  # "ok" has to be said: a verification that did not take place is none that was passed.
  result=$(awk -v found="$2.found" '
    BEGIN { while ((getline line < found) > 0) seen[line] }
    { promised++; if (!($0 in seen)) { wrong++; if (wrong <= 5) print substr($0, 67) } }
    END { if (promised > 0 && !wrong) print "ok" }' "$2.promised") || result="awk failed"
  rm -f "$2.unsorted" "$2.found" "$2.promised"
  [ "$result" = ok ] || { complain "differs from what the server sent: $(echo "$result" | tr '\n' ' ')"; return 1; }
}

# The sums of a finished backup's own files: a flipped byte on the disk is found without reading a manifest.
base_sound() { (cd "$folder/base/$1" && sha256sum -c SHA256SUMS >/dev/null 2>&1); }

base_take() {
  lock base
  know_server
  rm -rf "$folder"/base/.part-* # what a killed run left
  started=$(ask "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
  name=$(date -u -d "@$started" +%Y%m%dT%H%M%SZ)
  part=$folder/base/.part-$name
  [ ! -e "$folder/base/$name" ] || die "there is a base backup of this very second: $name"
  mkdir "$part"
  pg_basebackup -d "$url" -w -D "$part/taken" -Ft -Z gzip:1 -X stream -c fast --manifest-checksums=SHA256 \
    --label "wearable $name" >"$part/log" 2>&1 &
  taking=$!
  trap 'kill "$taking" 2>/dev/null; wait; rm -rf "$part"; exit 143' TERM INT
  if ! wait "$taking"; then
    cat "$part/log" >&2
    if grep -qi 'no space left' "$part/log"; then
      rm -rf "$part"
      die "no space: $(free_megabytes) MB are free in $folder. Nothing was kept of this backup"
    fi
    rm -rf "$part"
    die "pg_basebackup failed: its words are above. Nothing was kept of this backup"
  fi
  trap - TERM INT
  base_finish
  mv "$part" "$folder/base/$name"
  sync
  metrics_write
  say "base backup $name: $(($bytes / 1048576)) MB, verified"
}

# Verifies what was taken and writes what a restore must know beside it.
base_finish() {
  if ! archive_verify "$part/taken" "$part/sums"; then
    rm -rf "$part"
    die "the backup did not pass its verification and was deleted. Is the disk of $folder sound?"
  fi
  for archive in "$part"/taken/*.tar.gz; do
    case ${archive##*/} in
      base.tar.gz | pg_wal.tar.gz) ;;
      *) rm -rf "$part"; die "the server has a tablespace of its own: such clusters are not handled" ;;
    esac
  done
  mv "$part"/taken/* "$part/"
  rmdir "$part/taken"
  rm -f "$part/log"
  range=$(sed -n 's/^{ "Timeline": \([0-9]*\), "Start-LSN": "\([0-9A-F/]*\)", "End-LSN": "\([0-9A-F/]*\)" }.*/\1 \2 \3/p' \
    "$part/backup_manifest" | tail -n 1)
  # shellcheck disable=SC2086
  set -- $range
  [ $# -eq 3 ] || die "the manifest names no interval of the log"
  bytes=$(cat "$part"/*.gz | wc -c | tr -d ' ')
  {
    echo "system=$server_system"
    echo "version=$server_version"
    echo "started=$started"
    # A second on: a target of recovery in the second of the end might lie before it.
    echo "ended=$(($(ask "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint") + 1))"
    echo "timeline=$1"
    echo "first=$((0x${2%/*} * 256 + (0x${2#*/} >> 24)))"
    echo "last=$((0x${3%/*} * 256 + (0x${3#*/} >> 24)))"
    echo "bytes=$bytes"
  } >"$part/info"
  (cd "$part" && sha256sum base.tar.gz pg_wal.tar.gz backup_manifest info >SHA256SUMS)
}

# After a base backup: the old ones go, and whoever copies them elsewhere is told.
base_after() {
  prune
  if [ -n "${BACKUP_AFTER:-}" ]; then
    BACKUP_NAME=$name BACKUP_FOLDER=$folder sh -c "$BACKUP_AFTER" ||
      die "the backup $name is good, but BACKUP_AFTER ended with an error: it may not have been copied elsewhere"
  fi
}
