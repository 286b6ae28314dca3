#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# make-packages.sh <build folder> <folder> <version> <architecture> <plugin folder> <maintainer>: puts
# cni-plugins-linux-<architecture>-v<version>.tgz and cnio_<version>_<architecture>.deb of the finished build into the folder.
# Run by cpack. The same executables give the same bytes whoever runs it, wherever and whenever: order, owners and modes
# are set here, and every time stamp is that of the last commit, or what SOURCE_DATE_EPOCH says.
set -euo pipefail
umask 022
export LC_ALL=C
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
build=$(realpath "$1") output=$(realpath "$2") version=$3 architecture=$4 plugin_dir=$5 maintainer=$6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

FALLBACK_EPOCH=1767225600 # 2026-01-01, for sources without git
DOC_DIR=/usr/share/doc/cnio

find_epoch() {
  local tree=$here/..
  if [[ -n ${SOURCE_DATE_EPOCH-} ]]; then
    echo "$SOURCE_DATE_EPOCH"
  elif [[ -e $tree/.git ]]; then
    # root may package what a user checked out.
    git -c safe.directory="$(realpath "$tree")" -C "$tree" log -1 --format=%ct
  else
    echo "$FALLBACK_EPOCH"
  fi
}

# settle <folder>: modes and time stamps, whatever those of the sources are.
settle() {
  chmod -R u=rwX,go=rX "$1"
  find "$1" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
}

# What is no plugin is in a folder of its own, for many unpack it in /opt/cni/bin.
# Without an entry for the folder itself: unpacking would change the mode, the owner and the time of /opt/cni/bin.
make_tgz() {
  local flat=$work/flat doc=$work/root$DOC_DIR
  mkdir -p "$flat/cnio"
  cp "$work/root$plugin_dir"/* "$doc"/{README.md,plugins.txt} "$flat"
  cp -R "$doc/conf-examples" "$doc/deploy" "$doc/scripts" "$work/root/usr/sbin/cnioctl" "$here/../completions" "$flat/cnio"
  cp -R "$work/root/usr/share/man/man8" "$flat/cnio/man"
  { cat "$work/root$DOC_DIR/LICENSE" && printf '\n\n' && cat "$here/copyright"; } >"$flat/LICENSE"
  settle "$flat"
  (cd "$flat" && tar --create --format=ustar --sort=name --owner=root:0 --group=root:0 ./*) |
    gzip -9 --no-name >"$output/cni-plugins-linux-$architecture-v$version.tgz"
}

# fill_in <template> <file>
fill_in() {
  sed -e "s|@VERSION@|$version|; s|@ARCHITECTURE@|$architecture|; s|@PLUGIN_DIR@|$plugin_dir|; s|@MAINTAINER@|$maintainer|" \
    -e "s|@PLUGINS@|$(of_kind '.*')|; s|@MAIN@|$(of_kind main ,)|; s|@META@|$(of_kind meta ,)|; s|@IPAM@|$(of_kind ipam ,)|" \
    -e "s|@DATE@|$(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")|" -e "s|@SIZE_KIB@|$(size_kib)|" "$1" >"$2"
}

# of_kind <kind> [<separator>]: the plugins of that kind in one line; "none" if there are none.
of_kind() {
  local names
  names=$(sed -nE "s/^([^ ]+) $1\$/\1${2-}/p" "$build/plugins.txt" | paste -sd ' ')
  names=${names%"${2-}"}
  echo "${names:-none}"
}

# As dpkg-gencontrol counts, which is the same on all file systems: files in whole KiB, 1 KiB for everything else.
size_kib() {
  find "$work/root" -mindepth 1 -path "$work/root/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '1\n' |
    awk '{ kib += int(($1 + 1023) / 1024) } END { print kib + 0 }'
}

make_deb() {
  local root=$work/root script
  rm "$root$DOC_DIR/LICENSE" # Debian has the text in /usr/share/common-licenses; see copyright
  cp "$here/copyright" "$root$DOC_DIR/copyright"
  gzip -9 --no-name "$root"/usr/share/man/man8/*
  mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
  mkdir -p "$root/DEBIAN" "$root/usr/share/lintian/overrides"
  fill_in "$here/changelog.in" "$root$DOC_DIR/changelog"
  gzip -9 --no-name "$root$DOC_DIR/changelog"
  cp "$here/lintian-overrides" "$root/usr/share/lintian/overrides/cnio"
  for script in preinst postrm; do
    fill_in "$here/$script.in" "$root/DEBIAN/$script"
    chmod +x "$root/DEBIAN/$script"
  done
  fill_in "$here/control.in" "$root/DEBIAN/control"
  (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  settle "$root"
  # With several threads xz would cut the data elsewhere.
  DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$output/cnio_${version}_$architecture.deb"
}

SOURCE_DATE_EPOCH=$(find_epoch)
export SOURCE_DATE_EPOCH
[[ $SOURCE_DATE_EPOCH =~ ^[0-9]+$ ]] || { echo "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH: not a number" >&2; exit 1; }
rm -f "$output"/*.tgz "$output"/*.deb
DESTDIR=$work/root cmake --install "$build" --prefix /usr >/dev/null
make_tgz
if command -v dpkg-deb >/dev/null; then
  make_deb
else
  echo 'no dpkg-deb here: no Debian package'
fi
