#!/usr/bin/env bash
# Makes the trees that images of Debian packages are packed from, by Debian's own tools.
#   debian-tree.sh base oldest|newest TREE                 a minimal system: of the main suite as released, or with all updates
#   debian-tree.sh application BASE TREE PACKAGE...        what installing packages changes in BASE, as overlayfs writes it
# DEBOOTSTRAP names debootstrap's tree where it is not installed, DEBIAN_ARCHIVES a directory that keeps downloads.
# A tree appears whole or not at all. Caches, logs and database clusters are left out, as in published images.
set -euo pipefail
usage='usage: debian-tree.sh base oldest|newest TREE | application BASE TREE PACKAGE...'
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
: "${DEBIAN_ARCHIVES:=}"

mounted=()
leave() {
  local index
  for ((index = ${#mounted[@]} - 1; index >= 0; index--)); do umount -l "${mounted[index]}" || true; done
  [ -z "${work:-}" ] || rm -rf --one-file-system "$work"
}
trap leave EXIT

# The machine's own sources tell where Debian is served from.
mirror_of() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v release="$1" '$2 == release { sub("/$", "", $1); print $1; exit }'
}

# in_root ROOT WORD...: runs a command in a root that has /proc and no services.
in_root() {
  local root=$1
  shift
  timeout 900 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

prepare_root() {
  local root=$1
  mount -t proc proc "$root/proc"
  mounted+=("$root/proc")
  if [ -n "$DEBIAN_ARCHIVES" ]; then
    mkdir -p "$DEBIAN_ARCHIVES/partial" "$root/var/cache/apt/archives"
    mount --bind "$DEBIAN_ARCHIVES" "$root/var/cache/apt/archives"
    mounted+=("$root/var/cache/apt/archives")
  fi
  # invoke-rc.d asks it whether it may start a service.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
}

clean_root() {
  local root=$1 target
  for target in "${mounted[@]}"; do
    case $target in "$root"/*) umount "$target" ;; esac
  done
  mounted=(${merged_mount:+"$merged_mount"})
  rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/tmp/* "$root"/var/tmp/*
  rm -rf "$root"/var/lib/postgresql/*/main "$root"/etc/postgresql/*/main "$root"/var/lib/mysql
  find "$root/var/log" -type f -delete
}

make_base() {
  local age=$1 tree=$2 debootstrap=debootstrap mirror security
  mirror=$(mirror_of "$suite")
  security=$(mirror_of "$suite-security")
  [ -n "$mirror" ] || { echo "this machine's apt sources name no mirror of Debian $suite" >&2; exit 77; }
  if [ -n "${DEBOOTSTRAP:-}" ]; then
    export DEBOOTSTRAP_DIR=$DEBOOTSTRAP/usr/share/debootstrap
    debootstrap=$DEBOOTSTRAP/usr/sbin/debootstrap
  fi
  work=$tree.unfinished
  rm -rf --one-file-system "$work"
  mkdir -p "$(dirname "$tree")"
  [ -z "$DEBIAN_ARCHIVES" ] || mkdir -p "$DEBIAN_ARCHIVES"
  timeout 900 "$debootstrap" --variant=minbase --keyring="$keyring" ${DEBIAN_ARCHIVES:+--cache-dir="$DEBIAN_ARCHIVES"} \
    "$suite" "$work" "$mirror" >"$tree.log" 2>&1 || { tail -n 5 "$tree.log" >&2; exit 1; }
  {
    echo "deb $mirror $suite main"
    if [ "$age" = newest ]; then
      echo "deb $mirror $suite-updates main"
      [ -z "$security" ] || echo "deb $security $suite-security main"
    fi
  } >"$work/etc/apt/sources.list"
  prepare_root "$work"
  in_root "$work" apt-get -q update >>"$tree.log" 2>&1
  in_root "$work" apt-get -q -y full-upgrade >>"$tree.log" 2>&1
  clean_root "$work"
  mv "$work" "$tree"
  rm -f "$tree.log"
  work=
}

make_application() {
  local base=$1 tree=$2
  shift 2
  work=$tree.unfinished
  rm -rf --one-file-system "$work"
  mkdir -p "$work"/{upper,overlay,merged}
  # redirect_dir and metacopy would leave links to the base behind that no tar can say.
  mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/overlay,redirect_dir=off,metacopy=off" overlay \
    "$work/merged"
  merged_mount=$work/merged
  mounted+=("$merged_mount")
  prepare_root "$work/merged"
  mkdir -p "$work/merged/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$work/merged/etc/postgresql-common/createcluster.conf"
  {
    in_root "$work/merged" apt-get -q update
    in_root "$work/merged" apt-get -q -y install --no-install-recommends "$@"
  } >"$tree.log" 2>&1 || { tail -n 5 "$tree.log" >&2; exit 1; }
  clean_root "$work/merged"
  umount "$work/merged"
  mounted=()
  merged_mount=
  local hidden
  hidden=$(find "$work/upper" -type c)
  [ -z "$hidden" ] || { echo "$* removes files of the base, which no layer here can say: $hidden" >&2; exit 1; }
  # Copied without what overlayfs keeps in attributes for itself, which would end up in layers.
  mkdir "$work/clean"
  tar -C "$work/upper" --xattrs --xattrs-include='security.*' -cf - . | tar -C "$work/clean" --xattrs --xattrs-include='*' -xpf -
  mv "$work/clean" "$tree"
  rm -f "$tree.log"
}

case ${1:-} in
  base) make_base "${2:?$usage}" "${3:?$usage}" ;;
  application) shift && [ $# -ge 3 ] && make_application "$@" ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
