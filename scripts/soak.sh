#!/usr/bin/env bash
# The soak test alone: `npm run soak -- --seconds N --seed S`. Without them an hour, and another seed each time.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
  echo 'usage: npm run soak -- [--seconds N] [--seed S]' >&2
  exit 2
}
while [ $# -gt 0 ]; do
  [[ "${2:-}" =~ ^[0-9]+$ ]] || usage
  case "$1" in
    --seconds) export ISHARE_SOAK_SECONDS=$2 ;;
    --seed) export ISHARE_SOAK_SEED=$2 ;;
    *) usage ;;
  esac
  shift 2
done
# What is counted afterwards takes time too, and the last round is finished.
export ISHARE_TEST_LIMIT=$((${ISHARE_SOAK_SECONDS:-3600} + 900))
exec bash scripts/test.sh --long dist/test/soak
