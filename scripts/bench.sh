#!/usr/bin/env bash
# Builds and runs the benchmarks: npm run bench [-- --only NAME... --quick --runs N --list --out DIR]; see bench/README.md.
# Nothing is installed: scripts/install-bench-tools.sh fetches peers and load generators, and what is missing is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo 'bench: this needs root, for mounts and containers' >&2; exit 1; }
[ -d node_modules ] || npm ci --no-audit --no-fund
npm run --silent build
# As bin/ starts the daemon.
export UV_THREADPOOL_SIZE=16
exec node dist/bench/main.js "$@"
