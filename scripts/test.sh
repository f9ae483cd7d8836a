#!/usr/bin/env bash
# Installs what the tests need, builds, and runs them. `--long` runs the long trials too; other words go to Jest.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --long ]; then
  shift
  export ISHARE_TEST_LONG=1
fi
bash scripts/install-test-tools.sh
[ -d node_modules ] || npm ci --no-audit --no-fund
npm run build
# The limit keeps a hung mount from hanging the machine that runs the tests; Jest's own limits are far below it.
exec timeout --kill-after=30 "${ISHARE_TEST_LIMIT:-1500}" node_modules/.bin/jest "$@"
