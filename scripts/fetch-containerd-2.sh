#!/usr/bin/env bash
# Unpacks containerd 2.x from Debian sid into DIR: DIR/bin then holds containerd, ctr and the shim. Point
# ISHARE_TEST_CONTAINERD_BIN there to run the tests against it. Exit codes as those of fetch-from-sid.sh.
set -euo pipefail
target=${1:?usage: fetch-containerd-2.sh DIR}
bash "$(dirname "$0")/fetch-from-sid.sh" "$target/tree" containerd
rm -rf "$target/bin"
cp -r "$target/tree/usr/bin" "$target/bin.new"
mkdir -p "$target/bin"
# Only containerd's own programs: the rest needs the C library that came along.
for program in containerd ctr containerd-shim-runc-v2; do mv "$target/bin.new/$program" "$target/bin/"; done
rm -rf "$target/bin.new" "$target/tree"
version=$("$target/bin/containerd" --version) || { echo 'its program does not run on this system' >&2; exit 77; }
case $version in
  *' '2.*|*' 'v2.*) echo "$version" ;;
  *) echo "sid holds another version: $version" >&2; exit 77 ;;
esac
