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

# Runtimes take the first configuration of the folder by name.
warn_of_earlier_configs() {
  local file
  # shellcheck disable=SC2154 # belongs to scripts/install
  for file in "$conf_dir"/*.conf "$conf_dir"/*.conflist "$conf_dir"/*.json; do
    [ -e "$file" ] || continue
    [ "$(printf '%s\n' "${file##*/}" 10-bridge.conf | LC_ALL=C sort | head -n 1)" != 10-bridge.conf ] || continue
    report note "$file comes before 10-bridge.conf by its name, so runtimes take that one"
  done
}
