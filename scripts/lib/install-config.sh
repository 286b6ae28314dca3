# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The two configuration files of a node. Sourced by scripts/install, and by its dry run inside namespaces.

# shellcheck disable=SC2034 # what the dry run uses if no subnet is given
EXAMPLE_SUBNET=10.240.1.0/24
CONFIG=10-bridge.conf
NETWORK=bridge
BRIDGE=cnio0

# parse_subnets <list with commas>: prints it with spaces, or says what is wrong. Only what plugins cannot be asked:
# verify_subnets lets host-local judge the rest.
parse_subnets() {
  local subnet seen=' ' family list=''
  [ -n "$1" ] || die '--subnet: the subnet is empty'
  for subnet in $(printf '%s' "$1" | sed 's/,/ , /g'); do
    [ "$subnet" != , ] || continue
    case $subnet in
      *[!0-9a-fA-F.:/]* | /* | */ | */*/*) die "--subnet: $subnet is not a subnet like $EXAMPLE_SUBNET" ;;
      */*) ;;
      *) die "--subnet: $subnet has no prefix length: a subnet looks like $EXAMPLE_SUBNET" ;;
    esac
    case $subnet in *:*) family=IPv6 ;; *) family=IPv4 ;; esac
    case $seen in *" $family "*) die "--subnet: two of $family: $1" ;; esac
    seen="$seen$family "
    list="$list${list:+ }$subnet"
  done
  [ -n "$list" ] || die "--subnet: $1 names no subnet"
  echo "$list"
}

# bridge_config <cniVersion> <subnets> [<dataDir> [<prevResult>]]: on standard output. With two arguments, and no cluster and
# MTU, this is conf-examples/10-bridge.conf for other subnets. Besides: cluster, ranges that are not masqueraded; mtu; and
# elsewhere, not empty if somebody else masquerades.
bridge_config() {
  local subnet ranges='' routes='' any excluded=''
  for subnet in $2; do
    case $subnet in *:*) any=::/0 ;; *) any=0.0.0.0/0 ;; esac
    ranges="$ranges${ranges:+,
      }[{\"subnet\": \"$subnet\"}]"
    routes="$routes${routes:+, }{\"dst\": \"$any\"}"
  done
  [ -n "${elsewhere:-}" ] || for subnet in ${cluster:-}; do excluded="$excluded${excluded:+, }\"$subnet\""; done
  cat <<CONFIG
{
  "cniVersion": "$1",
  "name": "$NETWORK",
  "type": "bridge",
  "bridge": "$BRIDGE",${mtu:+
  \"mtu\": $mtu,}
  "isGateway": true,
  "ipMasq": $([ -n "${elsewhere:-}" ] && echo false || echo true),${excluded:+
  \"ipMasqExclude\": [$excluded],}
  "ipam": {
    "type": "host-local",${3:+
    \"dataDir\": \"$3\",}
    "ranges": [
      $ranges
    ],
    "routes": [$routes]
  }${4:+,
  \"prevResult\": $4}
}
CONFIG
}

loopback_config() { # loopback_config <cniVersion>
  printf '{\n  "cniVersion": "%s",\n  "name": "lo",\n  "type": "loopback"\n}\n' "$1"
}

node_config() { # node_config <file name> <cniVersion> <subnets>
  case $1 in
    "$CONFIG") bridge_config "$2" "$3" ;;
    99-loopback.conf) loopback_config "$2" ;;
  esac
}

# configured_plugins: those that these configurations name.
configured_plugins() {
  local name
  # shellcheck disable=SC2153,SC2154 # CONFIGS belongs to scripts/install
  for name in $CONFIGS; do node_config "$name" 1.1.0 "$EXAMPLE_SUBNET"; done | sed -n 's/.*"type": "\([^"]*\)".*/\1/p'
}

# read_ours <file>: is it one of ours, for whatever subnets, as this script or an example has it? Then ours_version,
# ours_subnets, ours_cluster, ours_mtu say what it is for. Whoever has changed a letter of it has made it theirs.
read_ours() {
  local candidate
  [ -f "$1" ] || return 1
  ours_version=$(said_by "$1" '"cniVersion": "\(.*\)",')
  ours_subnets=$(said_by "$1" '\[{"subnet": "\(.*\)"}\],*' | tr '\n' ' ')
  ours_subnets=${ours_subnets% }
  ours_cluster=$(said_by "$1" '"ipMasqExclude": \[\(.*\)\],' | tr -d '",')
  ours_mtu=$(said_by "$1" '"mtu": \([0-9]*\),')
  ours_elsewhere=$(said_by "$1" '"ipMasq": \(false\),')
  candidate=$(cluster=$ours_cluster mtu=$ours_mtu elsewhere=$ours_elsewhere
    node_config "${1##*/}" "$ours_version" "$ours_subnets" && echo .)
  [ "$(cat "$1" && echo .)" = "$candidate" ]
}
said_by() { sed -n "s/^ *$2\$/\1/p" "$1"; }

# version_to_write: what is there stays, since a runtime that runs may be another than the one that is found.
version_to_write() {
  # shellcheck disable=SC2154 # belongs to scripts/install
  if read_ours "$conf_dir/$CONFIG"; then echo "$ours_version"; else readable_version; fi
}

# readable_version: the newest version of the specification that every runtime on this node can read, as far as they are
# found. What they link says so: libcni reads 1.1.0 from 1.2 on, which is in containerd from 2.0 on and in CRI-O from 1.31
# on, and in no podman that still uses CNI.
readable_version() {
  local version=0.4.0
  if command -v containerd >/dev/null; then
    is_older "$(version_of containerd)" 2 0 && { echo 0.4.0; return; }
    version=1.1.0
  fi
  if command -v crio >/dev/null; then
    is_older "$(version_of crio)" 1 31 && { echo 0.4.0; return; }
    version=1.1.0
  fi
  if command -v podman >/dev/null && is_older "$(version_of podman)" 5 0; then version=0.4.0; fi
  echo "$version"
}

# version_of <program>: 1.7.24 of "containerd github.com/containerd/containerd v1.7.24 ..."; 0.0 if it does not say.
version_of() {
  local found
  found=$(timeout 20 "$1" --version 2>/dev/null </dev/null | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1)
  echo "${found:-0.0}"
}

