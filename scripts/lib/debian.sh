# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packages of any Debian suite: downloaded and unpacked, never installed. Sourced, never run; the caller has set
# -euo pipefail. The machine's package sources and lists are neither used nor changed, what else its settings say (a
# proxy) goes on to hold, and signatures are checked as ever.

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Suites without support move to the archive in time.
DEBIAN_MIRRORS=(http://deb.debian.org/debian http://archive.debian.org/debian)

# debian_apt <state folder> <apt program> <argument>...: apt that knows nothing but what lies in the folder.
debian_apt() {
  local state=$1 program=$2 architecture
  shift 2
  architecture=$(<"$state/architecture")
  "$program" -q -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o Dir::Etc::Trusted=/dev/null -o Dir::Etc::TrustedParts=/dev/null \
    -o Dir::State="$state" -o Dir::State::Status="$state/status" -o Dir::Cache="$state/cache" \
    -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
    -o APT::Update::Error-Mode=any "$@"
}

# debian_open <suite> <state folder> [architecture]: makes the folder and fills it with the suite's list of packages, by
# default those of the machine's own architecture. It is large: remove the folder after use.
debian_open() {
  local suite=$1 state=$2 architecture=${3:-$(dpkg --print-architecture)} mirror
  [[ -r $DEBIAN_KEYRING ]] || { echo "no $DEBIAN_KEYRING: install debian-archive-keyring" >&2; return 1; }
  mkdir -p "$state"/{lists/partial,cache/archives/partial}
  : >"$state/status"
  echo "$architecture" >"$state/architecture"
  for mirror in "${DEBIAN_MIRRORS[@]}"; do
    echo "deb [signed-by=$DEBIAN_KEYRING] $mirror $suite main" >"$state/sources.list"
    debian_apt "$state" apt-get update && return
  done
  return 1
}

# debian_unpack <state folder> <package> <folder>: the package's newest version, unpacked into the folder.
debian_unpack() {
  local state package=$2 folder
  state=$(realpath "$1") folder=$(realpath -m "$3")
  mkdir -p "$state/new" "$folder"
  (cd "$state/new" && debian_apt "$state" apt-get download "$package") &&
    dpkg -x "$state/new/$package"_*.deb "$folder"
}

# debian_root <suite> <folder> <package>...: makes the folder the root of a Debian with these packages, what they depend on,
# and what every Debian has, for chroot. No package's own script runs, so what these set up (users, alternatives, caches) is
# missing. Does nothing if the folder is there for the same packages.
debian_root() {
  local suite=$1 folder name package
  folder=$(realpath -m "$2")
  local new=$folder.new state=$folder.apt
  shift 2
  [[ $(cat "$folder/packages" 2>/dev/null) != "$*" ]] || return 0
  rm -rf "$folder" "$new" "$state"
  mkdir -p "$new"/usr/{bin,lib,lib64,sbin}
  # As on every machine since Debian 12, whose packages do not bring it.
  for name in bin lib lib64 sbin; do ln -s "usr/$name" "$new/$name"; done
  debian_open "$suite" "$state" || return
  debian_apt "$state" apt-get install --download-only --yes --no-install-recommends '?essential' "$@" || return
  for package in "$state"/cache/archives/*.deb; do
    dpkg --fsys-tarfile "$package" | tar -C "$new" -x --keep-directory-symlink || return
  done
  rm -r "$state"
  echo "$*" >"$new/packages"
  mv "$new" "$folder"
}
