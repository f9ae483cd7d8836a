#!/usr/bin/env bash
# Debian packages that the tests run against: the real containerd and runc, and erofs-utils as judge of our images.
set -euo pipefail
packages=(containerd runc erofs-utils busybox-static attr acl)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Recommends would bring a second container engine; policy-rc.d keeps containerd's own service from starting.
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
