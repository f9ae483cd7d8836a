#!/usr/bin/env bash
# Installs what the tests need, builds, and runs them. `--long` runs the long trials too; other words go to Jest.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --long ]; then
  shift
  export ISHARE_TEST_LONG=1
  # The soak takes an hour of it.
  : "${ISHARE_TEST_LIMIT:=10800}"
fi
bash scripts/install-test-tools.sh
# erofs-utils newer than Debian 12's, which alone knows fingerprints. Where it is not to be had, its tests say so.
if [ -z "${ISHARE_TEST_EROFS_UTILS:-}" ]; then
  export ISHARE_TEST_EROFS_UTILS=/var/cache/ishare-snapshotter-tests/erofs-utils
  [ -x "$ISHARE_TEST_EROFS_UTILS/usr/bin/fsck.erofs" ] ||
    bash scripts/fetch-from-sid.sh "$ISHARE_TEST_EROFS_UTILS" erofs-utils || true
fi
# Newer than Debian 12's too: diff proxies are tested with it.
if [ -z "${ISHARE_TEST_CONTAINERD_2_BIN:-}" ]; then
  containerd_2=/var/cache/ishare-snapshotter-tests/containerd-2
  export ISHARE_TEST_CONTAINERD_2_BIN=$containerd_2/bin
  [ -x "$ISHARE_TEST_CONTAINERD_2_BIN/containerd" ] || bash scripts/fetch-containerd-2.sh "$containerd_2" || true
fi
[ -d node_modules ] || npm ci --no-audit --no-fund
npm run build
# Some tests serve mounts in the test process itself, which needs the daemon's thread pool.
export UV_THREADPOOL_SIZE=16
# The limit keeps a hung mount from hanging the machine that runs the tests; Jest's own limits are far below it.
jest() {
  timeout --kill-after=30 "${ISHARE_TEST_LIMIT:-1500}" node_modules/.bin/jest "$@"
}
if [ $# -gt 0 ] || [ -n "${ISHARE_TEST_LONG:-}" ]; then
  jest "$@"
  exit
fi
# What looks at the kernel's page cache or at the whole machine runs alone; the rest keeps to files and daemons of its own, and
# runs two at a time. The closing line of the second run counts both.
alone='dist/ishare/|dist/linux/page-cache\.|dist/scripts/quickstart\.|dist/test/daemon/(cache|doctor)-command\.'
alone+='|dist/test/sharing/(?!killed-daemon|many-containers)'
ISHARE_TEST_COUNTS=$(mktemp)
export ISHARE_TEST_COUNTS
trap 'rm -f "$ISHARE_TEST_COUNTS"' EXIT
status=0
jest --maxWorkers=2 --testPathIgnorePatterns "$alone" || status=$?
jest --testPathPatterns "$alone" || status=$?
exit "$status"
