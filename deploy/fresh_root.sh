#!/usr/bin/env bash
# The product on a machine that has nothing: a fresh Debian with Python and make, made by debootstrap in a folder.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'EOF'
usage: deploy/fresh_root.sh [SUITE]      (bookworm by default; normally through `make fresh-root`)

Makes a fresh root of Debian's SUITE in a folder, with the packages python3 and make and what they need; copies the
last commit into it; installs what the set-up itself asks for, and nothing else; runs `make demo` there until its
data are loaded, then Ctrl-C, as an ordinary user and as root; then `make test` as an ordinary user. Ends non-zero
where any of it fails. What the tests skip there, for want of a browser, they say. Nothing stays: the folder is
removed, and its mounts end with its processes.

Needs root, debootstrap, git, and some 5 GB. Debian's archive is the one in this machine's own apt sources, and
packages come from where this machine's own pip fetches them.

  FRESH_ROOT_FOLDER   where to make it (a temporary folder by default)
  FRESH_ROOT_TESTS    arguments for `make test` (all tests by default); "none" for no tests
EOF
}
case "${1:-}" in -h | --help) usage; exit 0 ;; esac
suite=${1:-bookworm}
die() { printf 'fresh_root: %s\n' "$*" >&2; exit 1; }
say() { printf '\n=== %s (%d s)\n' "$*" "$SECONDS"; }

[ "$(id -u)" -eq 0 ] || die "needs root: debootstrap makes devices and chroot changes the root"
for program in debootstrap git unshare; do command -v "$program" >/dev/null || die "$program is missing"; done
# The first Debian archive that apt itself uses here, in one-line or deb822 form.
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
  grep -v '^[[:space:]]*#' | grep -oE 'https?://[^[:space:]]+/debian/?([[:space:]]|$)' | head -n 1 | tr -d '[:space:]')
[ -n "$mirror" ] || die "no Debian archive in apt's sources"

above=${FRESH_ROOT_FOLDER:-$(mktemp -d)}
root=$above/root
trap 'rm -rf --one-file-system "$root"; rm -f "$above/log"; rmdir "$above" 2>/dev/null || true' EXIT
rm -rf --one-file-system "$root"
chmod 755 "$above"

# How packages are fetched here: the settings of pip and uv, and the certificates that this machine trusts.
mapfile -t client < <(env | grep -E '^(PIP_INDEX_URL|PIP_EXTRA_INDEX_URL|UV_[A-Z_]*INDEX[A-Z_]*|(HTTPS?|NO)_PROXY|(https?|no)_proxy)=' || true)
authorities=/etc/ssl/certs/ca-certificates.crt

# Runs a command in the root, with mounts and process numbers of its own: when it ends, so do both.
inside() { # USER COMMAND...
  local user=$1
  shift
  unshare --mount --pid --fork --kill-child=KILL sh -c '
    root=$0 user=$1
    shift
    mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || exit 1
    home=$(awk -F: -v user="$user" "\$1 == user { print \$6 }" "$root/etc/passwd")
    # Not in the place of this shell: the first process of a numbering of its own ignores Ctrl-C.
    chroot --userspec="$user:" "$root" /usr/bin/env -i \
      PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME="$home" USER="$user" "$@"
  ' "$root" "$user" "${client[@]}" "$@"
}

say "A fresh $suite"
install -d -m 755 "$root"   # some umasks would keep its ordinary users out
(umask 022; debootstrap --variant=minbase --include=python3,make "$suite" "$root" "$mirror" >"$above/log" 2>&1) ||
  { tail -n 20 "$above/log" >&2; die "debootstrap failed"; }
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"   # which Debian's installer writes, and debootstrap does not
if [ -r "$authorities" ]; then
  install -D -m 644 "$authorities" "$root/etc/ssl/of-the-machine.crt"
  client+=(SSL_CERT_FILE=/etc/ssl/of-the-machine.crt PIP_CERT=/etc/ssl/of-the-machine.crt)
fi
chroot "$root" useradd --create-home tester
for home in root home/tester; do
  mkdir "$root/$home/trials"
  git archive HEAD | tar -x -C "$root/$home/trials"
done
chroot "$root" chown -R tester: /home/tester

# What the set-up misses it must name, with the package that brings it: python3-venv on every Debian, and Redis where
# Python is newer than the one in the wheel and no older Python can be fetched.
for _ in 1 2 3; do
  said=$(inside root python3 /root/trials/deploy/bootstrap.py --serve -- --version 2>&1) && break
  package=$(sed -nE 's/.*`apt install ([a-z0-9-]+)`.*/\1/p' <<<"$said" | tail -n 1)
  [ -n "$package" ] || { printf '%s\n' "$said" >&2; die "the set-up failed and named no package"; }
  say "The set-up asks for $package"
  inside root DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$package" >"$above/log" 2>&1 ||
    { tail -n 20 "$above/log" >&2; die "$package could not be installed"; }
done

for user in tester root; do
  say "make demo as $user"
  inside "$user" python3 "$([ "$user" = root ] && echo /root || echo /home/tester)/trials/deploy/fresh_demo.py"
done

if [ "${FRESH_ROOT_TESTS:-}" != none ]; then
  say "make test as tester"
  inside tester make -C /home/tester/trials test ARGS="${FRESH_ROOT_TESTS:--q}"
fi
say "All passed"
