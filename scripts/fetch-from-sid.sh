#!/usr/bin/env bash
# Unpacks packages of Debian sid (or another suite) into DIR, with all that they depend on, for tests against newer
# programs than this system has. The system's package sources stay as they are: apt works on a state of its own inside DIR.
# Exit codes: 0 unpacked, 77 not to be had here (a word says why), others for mistakes.
set -euo pipefail
usage='usage: fetch-from-sid.sh [--suite SUITE] DIR PACKAGE...'
suite=sid
if [ "${1:-}" = --suite ]; then
  suite=${2:?$usage}
  shift 2
fi
target=${1:?$usage}
shift
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
mkdir -p "$target"
target=$(realpath "$target")
skip() {
  echo "$* not to be had here: $reason" >&2
  exit 77
}
reason='this machine has no apt'
command -v apt-get >/dev/null || skip "$@"
key=/usr/share/keyrings/debian-archive-keyring.gpg
reason="$key is missing (package debian-archive-keyring)"
[ -r "$key" ] || skip "$@"
# The mirror that this machine takes its own packages from serves other suites too.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | sort -u | head -n 1 || true)
reason='this machine names no Debian mirror'
[ -n "$mirror" ] || skip "$@"

work=$(mktemp -d "$target/.apt.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,etc}
echo "deb [signed-by=$key] $mirror $suite main" >"$work/etc/sources.list"
# An empty list of installed packages, so that apt fetches the C library and the rest along.
: >"$work/status"
options=(
  -o "Dir::Etc::sourcelist=$work/etc/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=-
  -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work"
  -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30
  -o Debug::NoLocking=1
)
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
attempt() {
  timeout 300 apt-get "${options[@]}" -qq "$@" >"$work/log" 2>&1 && return
  reason=$(tail -n 1 "$work/log")
  return 1
}
attempt update || skip "$@"
attempt install -y --download-only --no-install-recommends "$@" || skip "$@"
for package in "$work"/archives/*.deb; do dpkg -x "$package" "$target"; done
