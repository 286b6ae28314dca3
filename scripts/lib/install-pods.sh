# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Which pods are connected on this node. Sourced by scripts/install. There may be no program but a busybox.

STORE=/var/lib/cni/networks

# Interfaces on the host that plugins of cnio have marked as a pod's: "veth1a2b3c4d (bridge/p1/eth0)", one a line. iproute2
# sees those of the namespace that it runs in, /sys those of the one that it was mounted in; busybox's ip tells no alias.
marked_interfaces() {
  case $(ip -V 2>&1) in
    *iproute2*) ip -o link | sed -n 's/^[0-9]*: \([^:@]*\)[:@].*\\ *alias cnio \([^\\]*\/[^\\]*\/[^\\]*\).*/\1 (\2)/p' ;;
    *) marked_in_sys ;;
  esac
}
marked_in_sys() {
  local file alias name
  for file in /sys/class/net/*/ifalias; do
    alias=$(cat "$file" 2>/dev/null) || continue
    case $alias in 'cnio '*/*/*) ;; *) continue ;; esac
    name=${file%/ifalias}
    echo "${name##*/} (${alias#cnio })"
  done
}

# Addresses that pods have: "bridge/10.240.1.2", one a line.
reservations() {
  local file
  for file in "$STORE"/*/*; do
    case ${file##*/} in last_reserved_ip.* | lock) continue ;; esac
    case ${file##*/} in *.*.*.* | *:*) ;; *) continue ;; esac
    [ ! -f "$file" ] || echo "${file#"$STORE/"}"
  done
}

# Attachments with masquerade rules, where there is an nft to ask: "net: bridge, if: eth0, id: p1", one a line.
masqueraded() {
  command -v nft >/dev/null || return 0
  nft list table inet cnio_masquerade 2>/dev/null | sed -n 's/^[[:space:]]*comment "\(net: .*\)"$/\1/p'
}

# summary <what> <lines>: "2 interfaces: a, b"; nothing if there are none. At most five are named.
summary() {
  local count names
  [ -n "$2" ] || return 0
  count=$(printf '%s\n' "$2" | wc -l)
  names=$(printf '%s\n' "$2" | head -n 5 | sed '$!s/$/, /' | tr -d '\n')
  [ "$count" -le 5 ] || names="$names, and $((count - 5)) more"
  printf '  %s %s: %s\n' "$((count))" "$1" "$names"
}

# require_no_pods <why>: what nobody else may know, and so never remove, is not taken from under running pods unasked.
require_no_pods() {
  local found
  found=$(
    summary 'marked interfaces' "$(marked_interfaces)"
    summary "reservations in $STORE" "$(reservations)"
    summary 'attachments with rules in the table inet cnio_masquerade' "$(masqueraded)"
  )
  [ -n "$found" ] || return 0
  printf '%s\n' "$found" >&2
  die "pods are connected, see above: $1. Remove the pods first, or say --with-pods"
}
