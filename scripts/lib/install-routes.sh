# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The configuration of the program that tells nodes of each other's pods: docs/nodes.md. Sourced by scripts/install,
# scripts/demo and tests, which have a function `die`, and install-routes-files.sh beside this file sourced as well.
#
#   render_routes <engine> <folder>
#
# writes the engine's files into the folder, which is there, and prints how to start it. `bird` is RIP, for nodes on one
# segment, which need to know nothing of each other; docs/nodes.md says which other to take when. Before anything is written the
# input is looked at, as far as that is not arithmetic: whoever calls has subnets checked that lie in their ranges and have
# no host bits. It is given in variables; lists are words with blanks between them:
#
#   routes_subnets     this node's pods: one subnet a family, "10.240.1.0/24 fd00:240:0:1::/64"
#   routes_cluster     all nodes' pods: at least one range for each family of routes_subnets, "10.240.0.0/16 fd00:240::/48"
#   routes_uplink      the interface to the other nodes: bird*
#   routes_id          a number that no other node has, written as the node's IPv4 address: bird*, frr*
#   routes_reflectors  addresses of the route reflectors, for each family at least one, which is answered for in that family:
#                      bird-bgp, frr. A reflector names the others, which may be none: bird-reflector, frr-reflector
#   routes_nodes       subnets that nodes have their own addresses in, for each family: bird-reflector, frr-reflector
#   routes_as          of BGP; by default 64512
#   routes_password    of all sessions of BGP, which pods do not know, up to 80 characters: bird-bgp, frr and reflectors; by
#                      default there is none
#   routes_hello       milliseconds between two signs of life, 10 to 10000; by default 100: bird*, frr*
#   routes_peers       a file with a line for each other node, "<public key> <address>:<port> <subnet>[,<subnet>]"; blank
#                      lines and those that begin with # do not count: wireguard
#   routes_key         the file with the node's private key; by default /etc/wireguard/cnio.key: wireguard
#   routes_mtu         of the interface to the other nodes; by default 1500: wireguard
#   routes_own         "yes": what no pod has of this node's subnets is answered at once with "unreachable". Metric 4000 is
#                      worse than that of any route to pods, 256 with IPv6, so it hides none

# shellcheck disable=SC2034 # for --help and for whoever checks options
ROUTE_ENGINES='bird bird-ospf bird-bgp bird-reflector frr frr-reflector wireguard flannel none'
OWN_METRIC=4000

render_routes() {
  local engine=$1 folder=$2
  require_routes_input "$engine"
  [ -d "$folder" ] || die "$folder: there is no such folder for the files of --routes"
  case $engine in
    bird) bird_conf rip >"$folder/bird.conf" ;;
    bird-*) bird_conf "${engine#bird-}" >"$folder/bird.conf" ;;
    frr | frr-reflector) frr_conf "$engine" >"$folder/frr.conf" ;;
    wireguard) wireguard_conf >"$folder/wg-cnio.conf" ;;
    flannel) flannel_conf >"$folder/net-conf.json" ;;
  esac || die "$folder: could not write the files of --routes $engine"
  if own_unit_wanted "$engine"; then own_unit >"$folder/cnio-own-subnet.service" || die "$folder: could not write there"; fi
  how_to_start "$engine" "$folder"
}

family_of() { case $1 in *:*) echo 6 ;; *) echo 4 ;; esac }

# of_family <4 or 6> <word>...: those of the words that are of the family, one a line.
of_family() {
  local family=$1 word
  shift
  for word; do
    [ "$(family_of "$word")" != "$family" ] || echo "$word"
  done
}

# routed_families: those of the node's subnets.
routed_families() {
  local subnet
  # shellcheck disable=SC2154 # given by the caller, like all routes_ variables
  for subnet in $routes_subnets; do family_of "$subnet"; done
}

# BIRD and wg-quick make the node's own route themselves.
own_unit_wanted() {
  [ "${routes_own:-}" = yes ] || return 1
  case $1 in bird* | wireguard) return 1 ;; esac
}

# own_unit: for the engines that make no such route. Above IPv6's 256.
own_unit() {
  local subnet
  cat <<UNIT
# Written by cnio's scripts/install --routes.
[Unit]
Description=What no pod has of this node's subnets is answered at once
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
UNIT
  for subnet in $routes_subnets; do
    printf '%s %s\n' "ExecStart=ip -$(family_of "$subnet")" "route replace unreachable $subnet metric $OWN_METRIC" \
      "ExecStop=-ip -$(family_of "$subnet")" "route delete unreachable $subnet metric $OWN_METRIC"
  done
  printf '\n[Install]\nWantedBy=multi-user.target\n'
}

require_routes_input() {
  local engine=$1
  case " $ROUTE_ENGINES " in *" $engine "*) ;; *) die "--routes: $engine is none of $ROUTE_ENGINES" ;; esac
  case ${routes_own:-} in '' | yes) ;; *) die "routes_own: $routes_own is not yes" ;; esac
  require_routes_subnets
  case $engine in
    bird*) require_uplink ;;
  esac
  case $engine in
    bird* | frr*) require_id && require_hello ;;
  esac
  case $engine in
    bird-bgp | bird-reflector | frr*) require_bgp "$engine" ;;
    wireguard) require_wireguard ;;
  esac
}

require_routes_subnets() {
  local subnet family seen=' '
  [ -n "${routes_subnets:-}" ] || die '--routes: the subnet of this node is missing'
  for subnet in $routes_subnets ${routes_cluster:-} ${routes_nodes:-}; do require_cidr "$subnet"; done
  for subnet in $routes_subnets; do
    family=$(family_of "$subnet")
    case $seen in *" $family "*) die "--routes: two subnets of IPv$family: $routes_subnets" ;; esac
    seen="$seen$family "
    # shellcheck disable=SC2086 # words
    [ -n "$(of_family "$family" ${routes_cluster:-})" ] || die "--routes: no range of the cluster for $subnet"
  done
}

# These go into files of other programs, where a character more would be something else.
require_cidr() {
  case $1 in
    *[!0-9a-fA-F.:/]* | /* | */ | */*/*) ;;
    */*) return ;;
  esac
  die "--routes: $1 is not a subnet like 10.240.1.0/24"
}

require_uplink() {
  case ${routes_uplink:-} in
    '') die '--routes: the interface to the other nodes is missing: --uplink' ;;
    *[!a-zA-Z0-9_.-]* | ????????????????*) die "--routes: $routes_uplink is not the name of an interface" ;;
  esac
}

require_hello() {
  routes_hello=${routes_hello:-100}
  case $routes_hello in
    [1-9][0-9] | [1-9][0-9][0-9] | [1-9][0-9][0-9][0-9] | 10000) ;;
    *) die "--routes: signs of life every $routes_hello ms: that is to be a number from 10 to 10000" ;;
  esac
}

require_id() {
  printf '%s\n' "${routes_id:-}" | grep -qxE '(25[0-5]|2[0-4][0-9]|(1[0-9]|[1-9])?[0-9])(\.(25[0-5]|2[0-4][0-9]|(1[0-9]|[1-9])?[0-9])){3}' ||
    die "--routes: the node's number (--router-id) is to look like an IPv4 address: ${routes_id:-it is missing}"
  [ "$routes_id" != 0.0.0.0 ] || die "--routes: 0.0.0.0 is the number of no node"
}

require_bgp() {
  local family word seen=' '
  routes_as=${routes_as:-64512} routes_password=${routes_password:-}
  case $routes_as in *[!0-9]* | 0* | ???????????*) die "--routes: $routes_as is not the number of an AS" ;; esac
  for word in ${routes_reflectors:-}; do
    case $word in *[!0-9a-fA-F.:]*) die "--routes: $word is not the address of a reflector (--reflectors)" ;; esac
    case $seen in *" $word "*) die "--routes: the reflector $word is there twice" ;; esac
    [ "$word" != "$routes_id" ] || die "--routes: $word is a reflector and this node: as such it has the engine ${1%%-*}-reflector"
    seen="$seen$word "
  done
  case ${routes_password:-} in
    *[!a-zA-Z0-9_.,:+/=-]*) die '--routes: the password of BGP has characters other than letters, digits and _.,:+/=-' ;;
  esac
  [ "${#routes_password}" -le 80 ] || die '--routes: the password of BGP has more than 80 characters'
  for family in $(routed_families); do
    # shellcheck disable=SC2086 # words
    case $1 in
      *-reflector) [ -n "$(of_family "$family" ${routes_nodes:-})" ] || die "--routes: no addresses of nodes for IPv$family: --node-networks" ;;
      *) [ -n "$(of_family "$family" ${routes_reflectors:-})" ] || die "--routes: no reflector's address for IPv$family: --reflectors" ;;
    esac
  done
}

require_wireguard() {
  local key endpoint subnets rest subnet seen=' ' line=0
  routes_key=${routes_key:-/etc/wireguard/cnio.key} routes_mtu=${routes_mtu:-1500}
  case $routes_key in
    *[!a-zA-Z0-9_./-]*) die "--routes: $routes_key is no path that wg-quick can be given" ;;
  esac
  case $routes_mtu in *[!0-9]* | ??????*) die "--routes: $routes_mtu is no MTU" ;; esac
  [ "$routes_mtu" -ge 1360 ] || die "--routes: an MTU of $routes_mtu leaves no room for IPv6 in WireGuard: it needs 1360"
  [ -r "${routes_peers:-}" ] || die "--routes: cannot read the file of other nodes (--peers): ${routes_peers:-there is none}"
  while read -r key endpoint subnets rest || [ -n "$key" ]; do
    line=$((line + 1))
    case $key in '' | '#'*) continue ;; esac
    require_peer "$routes_peers:$line" "$key" "$endpoint" "$subnets" "$rest"
    for subnet in $key $(words "$subnets"); do
      case $seen in *" $subnet "*) die "$routes_peers:$line: $subnet is there twice" ;; esac
      case " $routes_subnets " in *" $subnet "*) die "$routes_peers:$line: $subnet is this node's own" ;; esac
      seen="$seen$subnet "
    done
  done <"$routes_peers"
}

require_peer() { # require_peer <where> <key> <endpoint> <subnets> <rest>
  local subnet
  printf '%s\n' "$2" | grep -qxE '[A-Za-z0-9+/]{43}=' || die "$1: $2 is not a public key"
  printf '%s\n' "$3" | grep -qxE '([0-9a-zA-Z.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}' || die "$1: ${3:-nothing} is not <address>:<port>"
  if [ -z "$4" ] || [ -n "$5" ]; then
    die "$1: a line is <public key> <address>:<port> <subnet>[,<subnet>]"
  fi
  for subnet in $(words "$4"); do require_cidr "$subnet"; done
}

words() { printf '%s\n' "$1" | tr ',' ' '; }

how_to_start() { # how_to_start <engine> <folder>
  case $1 in
    bird*)
      cat <<START
install the package bird2 (BIRD 2.0.8 or later), then:
  bird -p -c $2/bird.conf && cp $2/bird.conf /etc/bird/bird.conf
  systemctl enable --now bird && birdc configure
look at it: birdc show protocols; birdc show bfd sessions; ip route show proto bird
START
      ;;
    frr*)
      cat <<START
install the package frr, then:
  sed -i 's/^bgpd=no/bgpd=yes/; s/^bfdd=no/bfdd=yes/' /etc/frr/daemons && cp $2/frr.conf /etc/frr/frr.conf
  systemctl enable frr && systemctl restart frr
look at it: vtysh -c 'show bgp summary'; vtysh -c 'show bfd peers brief'; ip route show proto bgp
START
      ;;
    wireguard)
      cat <<START
install the package wireguard-tools (wireguard-go, too, if the kernel has no WireGuard), then:
  cp $2/wg-cnio.conf /etc/wireguard/ && systemctl enable --now wg-quick@wg-cnio
the node's private key is in $routes_key, which no one but root can read: (umask 077; wg genkey >$routes_key)
its public key, for the other nodes' files: wg pubkey <$routes_key
look at it: wg show wg-cnio; ip route show dev wg-cnio
START
      ;;
    flannel)
      cat <<START
flanneld reads $2/net-conf.json: as net-conf.json in the ConfigMap kube-flannel-cfg, or from etcd:
  etcdctl put /coreos.com/network/config "\$(cat $2/net-conf.json)"
look at it: cat /run/flannel/subnet.env; ip -d link show flannel.1
START
      ;;
    none)
      cat <<START
on each other node, for each subnet of this one, with this node's address in place of <node>:
$(for subnet in $routes_subnets; do echo "  ip route replace $subnet via <node>"; done)
such routes are gone after a reboot, and stay when a node dies
START
      ;;
  esac
  if own_unit_wanted "$1"; then
    echo "  cp $2/cnio-own-subnet.service /etc/systemd/system/ && systemctl enable --now cnio-own-subnet"
  fi
}
