#!/usr/bin/env bash
# Line coverage of erofs/: runs its tests and prints, for each file, what no test reached; docs/coverage.md says why
# that is. After `npm run build`, as root. Words go to Jest. What runs in worker threads and child processes of the tests
# does not count here.
set -euo pipefail
cd "$(dirname "$0")/.."
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
export UV_THREADPOOL_SIZE=16
if [ -z "${ISHARE_TEST_EROFS_UTILS:-}" ]; then
  export ISHARE_TEST_EROFS_UTILS=/var/cache/ishare-snapshotter-tests/erofs-utils
fi

files=(--collectCoverageFrom='dist/erofs/**/*.js' --collectCoverageFrom='!**/*.test.js')
while read -r script; do
  source=${script#dist/}
  source=${source%.js}.ts
  # Compiled from what is no longer there: its source map leads nowhere, and the report would fail.
  [ -e "$source" ] || rm -f "$script" "$script.map" "${script%.js}.d.ts"
  # Nothing but types: no line of it ever runs.
  grep -qvE '^("use strict";|Object\.defineProperty\(exports, "__esModule".*|//.*|/\*.*| *\*.*)?$' "$script" 2>/dev/null ||
    files+=("--collectCoverageFrom=!$script")
done < <(find dist/erofs dist/test/erofs -name '*.js')

# Fuzzing happens in a child process: it takes time and covers nothing here.
node_modules/.bin/jest dist/erofs dist/test/erofs "$@" --coverage --coverageProvider=v8 --coverageReporters=text \
  --coverageDirectory="$report" "${files[@]}" --testPathIgnorePatterns=test/erofs/fuzz/
