#!/usr/bin/env bash
# Debian packages that the tests need: what compiles native npm packages, the real containerd and runc to run against,
# and erofs-utils as a judge of our images.
set -euo pipefail
declare -A package_of=(
  [make]=make
  [g++]=g++
  [cc]=gcc
  [python3]=python3
  [containerd]=containerd
  [runc]=runc
  [mkfs.erofs]=erofs-utils
  [setfattr]=attr
  [setfacl]=acl
  [setcap]=libcap2-bin
  [zstd]=zstd
  # Boots nothing by itself: what would make it the machine's init is another package.
  [systemctl]=systemd
)
missing=()
for command in "${!package_of[@]}"; do
  command -v "$command" >/dev/null || missing+=("${package_of[$command]}")
done
# Asked by package: another package may own the command busybox.
dpkg-query -W -f='${Status}' busybox-static 2>/dev/null | grep -q 'install ok installed' || missing+=(busybox-static)
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Recommends would bring a second container engine.
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
