# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The two configuration files of a node. Sourced by scripts/install, and by its dry run inside namespaces.

# shellcheck disable=SC2034 # what the dry run uses if no subnet is given
EXAMPLE_SUBNET=10.240.1.0/24

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

# bridge_config <cniVersion> <subnets> [<dataDir> [<prevResult>]]: on standard output. With two arguments this is
# conf-examples/10-bridge.conf for other subnets.
bridge_config() {
  local subnet ranges='' routes='' any
  for subnet in $2; do
    case $subnet in *:*) any=::/0 ;; *) any=0.0.0.0/0 ;; esac
    ranges="$ranges${ranges:+,
      }[{\"subnet\": \"$subnet\"}]"
    routes="$routes${routes:+, }{\"dst\": \"$any\"}"
  done
  cat <<CONFIG
{
  "cniVersion": "$1",
  "name": "bridge",
  "type": "bridge",
  "bridge": "cnio0",
  "isGateway": true,
  "ipMasq": true,
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
    10-bridge.conf) bridge_config "$2" "$3" ;;
    99-loopback.conf) loopback_config "$2" ;;
  esac
}

# configured_plugins: those that these configurations name.
configured_plugins() {
  local name
  # shellcheck disable=SC2154 # CONFIGS belongs to scripts/install
  for name in $CONFIGS; do node_config "$name" 1.1.0 "$EXAMPLE_SUBNET"; done | sed -n 's/.*"type": "\([^"]*\)".*/\1/p'
}

# version_within <file name> <subnets>: the cniVersion of the node's file, if that is all that can differ from ours.
version_within() {
  local version
  # shellcheck disable=SC2154 # belong to scripts/install
  for version in $CNI_VERSIONS; do
    node_config "$1" "$version" "$2" >"$state/work/candidate"
    ! same "$conf_dir/$1" "$state/work/candidate" || { echo "$version"; return; }
  done
}

# version_to_write <subnets>: what is there stays, since a runtime that runs may be another than the one that is found.
version_to_write() {
  local there
  there=$(version_within 10-bridge.conf "$1")
  if [ -n "$there" ]; then echo "$there"; else readable_version; fi
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

# warn_of_other_configs <subnets>: of files that runtimes take in place of ours, or never, and of those that would
# share ours with another network. Most runtimes take the first configuration of the folder by name.
warn_of_other_configs() {
  local file subnet
  # shellcheck disable=SC2154 # belongs to scripts/install
  for file in "$conf_dir"/*.conf "$conf_dir"/*.conflist "$conf_dir"/*.json; do
    case $file in "$conf_dir/10-bridge.conf" | "$conf_dir/99-loopback.conf") continue ;; esac
    [ -e "$file" ] || continue
    if [ "$(printf '%s\n' "${file##*/}" 10-bridge.conf | LC_ALL=C sort | head -n 1)" != 10-bridge.conf ]; then
      report note "$file comes before 10-bridge.conf by its name, so runtimes take that one: remove one of the two"
    else
      report note "$file comes after 10-bridge.conf by its name, so containerd and CRI-O never use it: if it is meant for them, remove one of the two"
    fi
    for subnet in $1; do
      ! holds "$file" "\"$subnet\"" ||
        report note "$file has the subnet $subnet, too: two networks would give the same addresses"
    done
    ! holds "$file" '"bridge"[[:space:]]*:[[:space:]]*"cnio0"' ||
      report note "$file has the bridge cnio0, too: two networks would share it"
  done
}
holds() { grep -qi -e "$2" "$1" 2>/dev/null; } # holds <file> <pattern>
