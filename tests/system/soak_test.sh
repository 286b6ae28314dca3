#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# scripts/soak for 40 seconds; before that, for a few seconds each, with plugins that are wrong on purpose, to see that
# it finds what it is there to find.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# impostor <plugin> <shell commands>: takes the plugin's place; the commands run first, and may exit.
impostor() {
  rm -rf "$work/plugins"
  cp -r "$CNIO_PLUGIN_DIR" "$work/plugins"
  mv "$work/plugins/$1" "$work/plugins/$1.real"
  printf '#!/bin/sh\n%s\nexec %q "$@"\n' "$2" "$work/plugins/$1.real" >"$work/plugins/$1"
  chmod +x "$work/plugins/$1"
}

# finds <pattern>...: the soak fails, and says all of these.
finds() {
  local said pattern status=0
  said=$(scripts/soak --seconds 2 --pods 8 --seed 1 --plugins "$work/plugins" 2>&1) || status=$?
  for pattern in "$@"; do
    if [[ $status != 1 ]] || ! grep -qE "^FOUND .*$pattern" <<<"$said"; then
      printf 'expected status 1 and "%s", got status %s and:\n%s\n' "$pattern" "$status" "$said" >&2
      exit 1
    fi
    echo "found, as it should be: $pattern"
  done
}

# shellcheck disable=SC2016 # expanded in the impostors
{
  impostor bridge 'if [ "$CNI_COMMAND" = DEL ]; then cat >/dev/null; exit 0; fi'
  finds 'leak: reservation .*, which no pod has' 'leak: rules of pod.*, which no pod has'
  impostor bridge 'if [ "$CNI_COMMAND" = GC ]; then cat >/dev/null; exit 0; fi'
  finds 'leak: after the GC, '
  impostor bridge 'if [ "$CNI_COMMAND" = CHECK ]; then echo broken; exit 3; fi'
  finds 'error: CHECK of pod.*: broken'
  impostor host-local 'if [ "$CNI_COMMAND" = ADD ]; then
    cat >/dev/null; echo "{\"cniVersion\": \"1.1.0\", \"ips\": [{\"address\": \"10.240.0.9/25\"}]}"; exit 0; fi'
  finds 'address held by two pods at once: 10.240.0.9 by '
}

scripts/soak --seconds "${CNIO_SOAK_SECONDS:-40}" --plugins "$CNIO_PLUGIN_DIR"
