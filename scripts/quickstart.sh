#!/usr/bin/env bash
# Checks this machine, installs what is missing, builds, and hands over to the program that does the measuring.
# Usage: npm run quickstart [-- ARCHIVE...]; see --help.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "quickstart: $*"
  exit 1
}

for word in "$@"; do
  if [ "$word" = --help ] || [ "$word" = -h ]; then
    say 'Usage: npm run quickstart                        two images of redis-server, made from Debian packages'
    say '       npm run quickstart -- ARCHIVE...          OCI or docker archives of yours'
    say '       npm run quickstart -- --snapshotter NAME  a snapshotter of containerd itself, to compare with'
    exit 0
  fi
done

[ "$(uname -s)" = Linux ] || fail 'this needs Linux.'
[ "$(id -u)" = 0 ] || fail 'this needs root, for mounts and containers: sudo npm run quickstart'
command -v node >/dev/null || fail 'Node 20.19 or later is missing.'
node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
  fail "Node 20.19 or later is needed; this is $(node --version)."

# Prints y, m or n for an option of the running kernel, or nothing where its configuration cannot be read.
kernel_option() {
  local file text
  for file in /proc/config.gz "/boot/config-$(uname -r)" "/lib/modules/$(uname -r)/config"; do
    [ -r "$file" ] || continue
    case $file in
      *.gz) text=$(gzip -dc "$file") ;;
      *) text=$(cat "$file") ;;
    esac
    # here-string: grep -q at the end of a pipe would end the writer with SIGPIPE, which pipefail makes an error.
    if grep -qx "$1=[ym]" <<<"$text"; then
      sed -n "s/^$1=//p" <<<"$text"
    else
      echo n
    fi
    return
  done
}

has_file_system() {
  grep -qw "$1" /proc/filesystems && return
  modprobe "$1" 2>/dev/null || true
  grep -qw "$1" /proc/filesystems
}

check_kernel() {
  has_file_system fuse || fail 'the kernel has no FUSE (CONFIG_FUSE_FS), which this snapshotter is built on.'
  [ -e /dev/fuse ] || fail '/dev/fuse is missing; inside a container, give it that device.'
  has_file_system overlay || fail 'the kernel has no overlayfs (CONFIG_OVERLAY_FS), which containers run on.'
  local major minor missed='Images run, and nothing is shared between them.'
  IFS=.- read -r major minor _ <<<"$(uname -r)"
  if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 9 ]; }; then
    say "! Linux $(uname -r) is older than 6.9 and has no FUSE passthrough. $missed"
    return
  fi
  case $(kernel_option CONFIG_FUSE_PASSTHROUGH) in
    y | m) ;;
    n) say "! This kernel was built without CONFIG_FUSE_PASSTHROUGH. $missed" ;;
    *) say '! The configuration of this kernel cannot be read; FUSE passthrough is taken for granted from Linux 6.9 on.' ;;
  esac
}

install_packages() {
  local missing=()
  # containerd may come from the distribution or from Docker, under two package names: the programs decide.
  command -v containerd >/dev/null && command -v ctr >/dev/null || missing+=(containerd)
  command -v runc >/dev/null || missing+=(runc)
  # Native npm packages that bring no ready binary for this machine are compiled.
  if [ "$1" = compile ]; then
    command -v make >/dev/null || missing+=(make)
    command -v g++ >/dev/null || missing+=(g++)
    command -v python3 >/dev/null || missing+=(python3)
  fi
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "install these first: ${missing[*]}"
  say "- Installing ${missing[*]} with apt"
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  # The name is put in here and now: the trap runs where the variable is out of scope.
  trap "rm -f '$log'" EXIT
  # Sources that cannot be reached are no reason to stop, as long as the packages are found.
  apt-get -q update >"$log" 2>&1 || true
  if ! apt-get -q install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt could not install ${missing[*]}."
  fi
  rm -f "$log"
  trap - EXIT
}

# npm writes into node_modules/.package-lock.json what it has installed; optional packages depend on the machine.
npm_is_current() {
  [ -e node_modules/.package-lock.json ] && node -e '
    const wanted = require("./package-lock.json").packages;
    const present = require("./node_modules/.package-lock.json").packages;
    const current = ([path, { version, optional }]) => path === "" || optional || present[path]?.version === version;
    process.exit(Object.entries(wanted).every(current) ? 0 : 1);'
}

check_kernel
if npm_is_current; then
  install_packages run
else
  install_packages compile
  say '- Installing npm packages'
  npm ci --no-audit --no-fund --loglevel=error >&2
fi
say '- Building'
npm run --silent build >&2
# exec: signals go straight to the program that cleans up.
exec node dist/scripts/quickstart.js "$@"
