#!/usr/bin/env bash
# Fetches the peers and load generators of `npm run bench` into DIR/tools: Debian packages unpacked beside the system, each
# set into a tree of its own, and one npm package. Nothing is installed into the system. What is not to be had is named and
# left out; the benchmark then says so in its place.
set -uo pipefail
cd "$(dirname "$0")/.."
target=${1:-${ISHARE_BENCH_CACHE:-/var/cache/ishare-snapshotter-bench}}/tools
mkdir -p "$target"
missed=()

# fetch TREE PROGRAM SUITE PACKAGE...: PROGRAM is the file below TREE that shows that it is there.
fetch() {
  local tree=$target/$1 program=$2 suite=$3
  shift 3
  [ -e "$tree/$program" ] && return
  echo "- $* of Debian $suite"
  bash scripts/fetch-from-sid.sh --suite "$suite" "$tree" "$@" || missed+=("$*")
}

# Load generators, of the suite that the images are of.
fetch load usr/bin/fio bookworm fio wrk redis-tools mariadb-client postgresql-15
fetch debootstrap usr/sbin/debootstrap bookworm debootstrap
fetch erofsfuse usr/bin/erofsfuse trixie erofsfuse
fetch composefs usr/bin/mkcomposefs sid composefs
fetch erofs-utils usr/bin/mkfs.erofs sid erofs-utils
fetch chromium usr/bin/chromium bookworm chromium fonts-dejavu-core

if [ ! -x "$target/containerd-2/bin/containerd" ]; then
  echo '- containerd 2 of Debian sid'
  bash scripts/fetch-containerd-2.sh "$target/containerd-2" || missed+=('containerd 2')
fi

# The usual Node binding of libfuse 2, which it takes from the system; here it gets one of its own.
fetch libfuse2 lib/x86_64-linux-gnu/libfuse.so.2 bookworm libfuse2
if [ ! -e "$target/fuse-native/node_modules/fuse-native/package.json" ]; then
  echo '- fuse-native of npm'
  mkdir -p "$target/fuse-native"
  # npm 11 runs the install scripts of named packages only.
  echo '{ "private": true, "allowScripts": { "fuse-native": true, "fuse-shared-library-linux": true } }' \
    >"$target/fuse-native/package.json"
  npm install --prefix "$target/fuse-native" --no-audit --no-fund --loglevel=error fuse-native@2.2.6 ||
    missed+=(fuse-native)
fi

for name in "${missed[@]}"; do echo "not to be had here: $name" >&2; done
exit 0
