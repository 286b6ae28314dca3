# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# What render_routes of install-routes.sh writes, each file on standard output, from the variables that are described there.
# tests/system/nodes_test.py runs them all.

# shellcheck disable=SC2154 # the routes_ variables are given by the caller

# bird_conf <rip, ospf, bgp or reflector>
bird_conf() {
  local family
  cat <<CONF
# Written by cnio's scripts/install --routes. BIRD 2.
log syslog all;
router id $routes_id;
protocol device { scan time 5; }
CONF
  bird_bfd
  case $1 in
    bgp | reflector) printf '\n# Where the next hops are.\nprotocol direct { ipv4; ipv6; interface "%s"; }\n' "$routes_uplink" ;;
  esac
  for family in $(routed_families); do
    bird_pods "$family" "$1"
    "bird_$1" "$family"
  done
}

bird_bfd() {
  cat <<CONF

# What is silent three times is gone. On nodes that are busy enough to be silent for that long, make it more.
protocol bfd { interface "$routes_uplink" { interval $routes_hello ms; multiplier 3; }; }
CONF
}

# bird_set <what> <subnet>...: [10.240.0.0/16+], these and what is in them.
bird_set() {
  local subnet set=''
  for subnet; do set="$set${set:+, }$subnet+"; done
  echo "[$set]"
}

# bird_pods <family> <rip, ospf, bgp or reflector>: the node's own pods, and the way to the others'.
bird_pods() {
  local own sources=RTS_BGP
  # shellcheck disable=SC2086 # words
  own=$(of_family "$1" $routes_subnets)
  case $2 in
    rip) sources=RTS_RIP ;;
    ospf) sources='RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2' ;;
  esac
  cat <<CONF

# Told to others from the start, whether or not there are pods yet.
protocol static pods$1 { ipv$1; route $own unreachable; }
# A metric that is worse than that of the node's own routes to its pods, which with IPv6 is 256.
protocol kernel kernel$1 {
  metric $OWN_METRIC;
  ipv$1 {
    import none;
    export where source ~ [$sources]${routes_own:+ || proto = \"pods$1\"};
  };
}
CONF
}

# bird_import <family>: nodes' pods, and nothing of what is this node's own.
bird_import() {
  # shellcheck disable=SC2046,SC2086 # words
  echo "import where net ~ $(bird_set $(of_family "$1" $routes_cluster)) && !(net ~ $(bird_set $(of_family "$1" $routes_subnets)));"
}

# Each node tells the segment of its own pods and of nobody else's, so there is none that others depend on.
bird_rip() {
  local ng='' version=' version 2;'
  [ "$1" = 4 ] || { ng=' ng' version=''; }
  cat <<CONF
protocol rip$ng nodes$1 {
  ipv$1 { $(bird_import "$1") export where proto = "pods$1"; };
  # Without BFD, as where a firewall drops it, a node that was not heard five times is gone. By the security of TTL what pods send
  # is not taken for another node's.
  interface "$routes_uplink" {$version update time 2; timeout time 10; garbage time 10; bfd yes; ttl security yes; };
}
CONF
}

bird_ospf() {
  local version=2
  [ "$1" = 4 ] || version=3
  cat <<CONF
protocol ospf v$version nodes$1 {
  ipv$1 { $(bird_import "$1") export where proto = "pods$1"; };
  # By the security of TTL what pods send is not taken for another node's.
  area 0 { interface "$routes_uplink" { hello 1; dead 4; wait 2; bfd yes; ttl security yes; }; };
}
CONF
}

# bird_session <family> <what is told>: what all sessions have. By the security of TTL what pods send is not taken for another
# node's, but for what came before BIRD could say so to the kernel: that is what a password is for.
bird_session() {
  cat <<CONF
  local as $routes_as;
  direct;
  ttl security on;
  bfd on;
  hold time 9;
  error wait time 1, 5;
  connect retry time 2;${routes_password:+
  password \"$routes_password\";}
  ipv$1 { $(bird_import "$1") export where $2; };
CONF
}

bird_bgp() {
  local reflector number=0
  # shellcheck disable=SC2086 # words
  for reflector in $(of_family "$1" $routes_reflectors); do
    number=$((number + 1))
    printf 'protocol bgp reflector%s_%s {\n  neighbor %s internal;\n' "$1" "$number" "$reflector"
    bird_session "$1" "${2:-"proto = \"pods$1\""}"
    echo '}'
  done
}

bird_reflector() {
  local nodes number=0
  # shellcheck disable=SC2086 # words
  for nodes in $(of_family "$1" $routes_nodes); do
    number=$((number + 1))
    printf 'protocol bgp nodes%s_%s {\n  neighbor range %s internal;\n  dynamic name "node%s_%s_";\n  rr client;\n' \
      "$1" "$number" "$nodes" "$1" "$number"
    bird_session "$1" "source = RTS_BGP || proto = \"pods$1\""
    echo '}'
  done
  # Of another reflector it needs the pods of that one's own node; those of clients it has itself.
  bird_bgp "$1"
}

# frr_conf <frr or frr-reflector>
frr_conf() {
  local family
  cat <<CONF
! Written by cnio's scripts/install --routes. FRR 8.
frr defaults datacenter
log syslog informational
!
bfd
 ! What is silent three times is gone. On nodes that are busy enough to be silent for that long, make it more.
 profile cnio
  transmit-interval $routes_hello
  receive-interval $routes_hello
  detect-multiplier 3
 exit
exit
!
CONF
  for family in $(routed_families); do frr_import "$family"; done
  cat <<CONF
router bgp $routes_as
 bgp router-id $routes_id
 no bgp default ipv4-unicast
 ! Pods are told of from the start, whether or not there are any yet.
 no bgp network import-check
CONF
  for family in $(routed_families); do frr_sessions "$family" "$1"; done
  for family in $(routed_families); do frr_family "$family" "$1"; done
  echo exit
}

frr_word() { [ "$1" = 4 ] && echo ip || echo ipv6; } # FRR's name of a family in commands

# frr_import <family>: nodes' pods, and nothing of what is this node's own.
frr_import() {
  local subnet ip
  ip=$(frr_word "$1")
  # shellcheck disable=SC2086 # words
  for subnet in $(of_family "$1" $routes_subnets); do echo "$ip prefix-list PODS$1 deny $subnet le $(frr_longest "$1")"; done
  # shellcheck disable=SC2086 # words
  for subnet in $(of_family "$1" $routes_cluster); do echo "$ip prefix-list PODS$1 permit $subnet le $(frr_longest "$1")"; done
  cat <<CONF
route-map PODS$1 permit 10
 match $ip address prefix-list PODS$1
exit
!
CONF
}
frr_longest() { [ "$1" = 4 ] && echo 32 || echo 128; }

# frr_sessions <family> <engine>: with the other reflectors, and of a reflector with the nodes.
frr_sessions() {
  local reflector nodes
  # shellcheck disable=SC2086 # words
  for reflector in $(of_family "$1" ${routes_reflectors:-}); do
    echo " neighbor $reflector remote-as $routes_as"
    frr_session "$reflector"
  done
  [ "$2" = frr-reflector ] || return 0
  # Without a limit it is 100 nodes.
  printf ' bgp listen limit 5000\n neighbor nodes%s peer-group\n neighbor nodes%s remote-as %s\n' "$1" "$1" "$routes_as"
  frr_session "nodes$1"
  # shellcheck disable=SC2086 # words
  for nodes in $(of_family "$1" $routes_nodes); do echo " bgp listen range $nodes peer-group nodes$1"; done
}
frr_session() {
  printf ' neighbor %s %s\n' "$1" 'bfd' "$1" 'bfd profile cnio' "$1" 'timers 3 9' "$1" 'timers connect 2' "$1" 'ttl-security hops 1' \
    ${routes_password:+"$1" "password $routes_password"}
}

frr_family() {
  local neighbor
  echo " address-family ipv$1 unicast"
  # shellcheck disable=SC2086 # words
  echo "  network $(of_family "$1" $routes_subnets)"
  # shellcheck disable=SC2086 # words
  for neighbor in $(of_family "$1" ${routes_reflectors:-}); do
    printf '  neighbor %s %s\n' "$neighbor" activate "$neighbor" "route-map PODS$1 in"
  done
  if [ "$2" = frr-reflector ]; then
    printf '  neighbor nodes%s %s\n' "$1" activate "$1" 'route-reflector-client' "$1" "route-map PODS$1 in"
  fi
  echo ' exit-address-family'
}

# For wg-quick. The first address of the subnet, which no pod gets, is what pods of other nodes see this node as: of any
# other address of the node WireGuard would not know whose it is.
wireguard_conf() {
  local subnet addresses='' key endpoint subnets
  for subnet in $routes_subnets; do addresses="$addresses${addresses:+, }$(first_address "$subnet")"; done
  cat <<CONF
# Written by cnio's scripts/install --routes, for wg-quick.
[Interface]
Address = $addresses
ListenPort = 51820
# 80 bytes less than the interface to the other nodes.
MTU = $((routes_mtu - 80))
PostUp = wg set %i private-key $routes_key
Table = off
CONF
  [ "${routes_own:-}" != yes ] || wireguard_own
  peers | while read -r key endpoint subnets; do
    for subnet in $(words "$subnets"); do wireguard_route "$subnet"; done
  done
  peers | while read -r key endpoint subnets; do
    printf '\n[Peer]\nPublicKey = %s\nEndpoint = %s\nAllowedIPs = %s\n' "$key" "$endpoint" "$(echo "$subnets" | sed 's/,/, /g')"
  done
}

# peers: the lines that count, each with its end.
peers() { grep -Ev '^[[:space:]]*(#|$)' "$routes_peers" || true; }

first_address() { # first_address <subnet>: as one of an interface
  case $1 in *:*) echo "${1%/*}/128" ;; *) echo "${1%/*}/32" ;; esac
}

wireguard_own() {
  local subnet
  for subnet in $routes_subnets; do
    printf '%s = ip -%s route %s unreachable %s metric %s\n' \
      PostUp "$(family_of "$subnet")" replace "$subnet" "$OWN_METRIC" \
      PostDown "$(family_of "$subnet")" delete "$subnet" "$OWN_METRIC"
  done
}

# wireguard_route <subnet of another node>: with IPv6 there has to be a gateway, whatever it is. Without one the kernel takes
# that node's own address, the first of the subnet, for one that many have, and answers it with no error.
wireguard_route() {
  case $1 in
    *:*) echo "PostUp = ip -6 route replace $1 via ${1%/*} dev %i onlink" ;;
    *) echo "PostUp = ip -4 route replace $1 dev %i" ;;
  esac
}

# flanneld takes one range of each family, and gives each node a subnet as large as this one's where it does so itself.
flannel_conf() {
  local family range length entries=''
  for family in $(routed_families); do
    # shellcheck disable=SC2086 # words
    range=$(of_family "$family" $routes_cluster | head -n 1)
    # shellcheck disable=SC2086 # words
    length=$(of_family "$family" $routes_subnets)
    length=${length##*/}
    case $family in
      4) entries="$entries  \"Network\": \"$range\",
  \"SubnetLen\": $length,
" ;;
      6) entries="$entries  \"EnableIPv6\": true,
  \"IPv6Network\": \"$range\",
  \"IPv6SubnetLen\": $length,
" ;;
    esac
  done
  case $entries in *'"Network"'*) ;; *) entries="  \"EnableIPv4\": false,
$entries" ;; esac
  printf '{\n%s  "Backend": {"Type": "vxlan"}\n}\n' "$entries"
}
