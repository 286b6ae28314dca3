#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# The demo with several nodes, run by scripts/demo inside its private namespaces:
# demo-nodes.sh <plugin folder> <keep or empty> <how many nodes> <folder with BIRD>
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source scripts/lib/common.sh
# shellcheck source=scripts/lib/demo-common.sh
source scripts/lib/demo-common.sh
# shellcheck source=scripts/lib/install-routes.sh
source scripts/lib/install-routes.sh
# shellcheck source=scripts/lib/install-routes-files.sh
source scripts/lib/install-routes-files.sh

export CNI_PATH=$1
keep=$2 count=$3 engines=$4
work=/dev/shm/cnio-demo
PATIENCE=60 # seconds, for what never comes
OUTSIDE=192.168.50.1
NODES=$(seq -f 'node%.0f' "$count")

# A node is a network, and folders for plugins and BIRD, of its own; it lasts as long as its process.
make_node() {
  local line
  exec {ready}< <(exec unshare --net --mount --propagation slave sh -ec "
    for folder in /var/lib/cni /run/cnio /run/bird; do mount -t tmpfs -o mode=0755 tmpfs \$folder; done
    echo 1 >/proc/sys/net/ipv4/ip_forward; ip link set lo up; echo \$\$; exec sleep infinity" 2>&1)
  read -r -u "$ready" line
  [[ $line =~ ^[0-9]+$ ]] || die "could not make $1: $line"
  echo "$line" >"/run/$1"
}
# on <node> <command>...
on() {
  local node=$1
  shift
  nsenter --target "$(<"/run/$node")" --net --mount --wdns=. "$@"
}
number() { echo "${1#node}"; }
subnet_of() { echo "10.240.$(number "$1").0/24"; }
address_of() { echo "192.168.50.$((10 + $(number "$1")))"; }

# wait_for <test...>: until it is true. False if that never comes; SECONDS_WAITED says how long it took.
wait_for() {
  local begin=$EPOCHREALTIME status=0
  timeout "$PATIENCE" bash -c 'until "$@"; do sleep 0.02; done' wait "$@" || status=$?
  SECONDS_WAITED=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
  return "$status"
}
# has_route <node> <other node>, and what else is waited for.
has_route() { on "$1" ip route show "$(subnet_of "$2")" | grep -q "via $(address_of "$2") "; }
knows_no_more() { ! has_route "$1" "$2"; }
others_know() { # others_know <has_route or knows_no_more> <node>
  local other
  for other in $NODES; do [[ $other == "$2" ]] || "$1" "$other" "$2" || return; done
}
all_know_all() {
  local node
  for node in $NODES; do others_know has_route "$node" || return; done
}
export -f on number subnet_of address_of has_route knows_no_more others_know all_know_all
export NODES

build_stage() {
  local node
  heading "$count nodes on one segment, and the world outside"
  say 'Each node has a network of its own; a cable joins it to the segment, which is a bridge. Outside is another machine' \
    'there, which knows of no pod.'
  must 'ip link add segment type bridge mcast_snooping 0 && ip link set segment up'
  # The first namespace makes the folder of all of them one that is shared with nodes.
  must 'ip netns add outside && ip link add uplink master segment up type veth peer name eth0 netns outside'
  must "ip -n outside address add $OUTSIDE/24 dev eth0 && ip -n outside link set eth0 up"
  for node in $NODES; do
    make_node "$node"
    must "ip link add port$(number "$node") type veth peer name eth0 netns $(<"/run/$node")"
    must "ip link set port$(number "$node") master segment up"
    must "on $node ip address add $(address_of "$node")/24 dev eth0 && on $node ip link set eth0 up"
  done
  declare -f on >/run/on # for --keep
}

# The file is that of scripts/install --routes bird; what it logs stays in here.
start_bird() {
  local node=$1
  mkdir -p "$work/$node"
  # shellcheck disable=SC2034 # render_routes reads them
  local routes_subnets routes_id routes_cluster=10.240.0.0/16 routes_uplink=eth0 routes_own=yes
  routes_subnets=$(subnet_of "$node") routes_id=$(address_of "$node")
  render_routes bird "$work/$node" >"$work/$node/how-to-start"
  sed -i "s|^log syslog all;|log \"$work/$node/log\" all;|" "$work/$node/bird.conf"
  on "$node" env LD_LIBRARY_PATH="$libraries" "$engines/usr/sbin/bird" -c "$work/$node/bird.conf" -s /run/bird/bird.ctl \
    -P /run/bird/bird.pid
}

show_routes() {
  local node
  heading 'BIRD tells the nodes of each other: no pod is there yet'
  libraries=$(printf '%s:' "$engines"/usr/lib/*-linux-gnu)
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s -s /run/bird/bird.ctl "$@"\n' "$libraries" "$engines/usr/sbin/birdc" >/run/birdc
  chmod +x /run/birdc
  for node in $NODES; do start_bird "$node"; done
  say 'Each node has a file like this one, which scripts/install --routes bird writes:'
  run "grep -v '^log' $work/node1/bird.conf"
  claim 'every node learns of the pods of every other' wait_for all_know_all
  say "(after $SECONDS_WAITED s)"
  run 'on node1 ip route'
}

# cni <command> <pod> <node>: one call, as a runtime makes it.
cni() {
  local config=$work/$3/10-mynet.conf
  run "CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 on $3 \$CNI_PATH/bridge < $config | jq -c '.ips // .'"
}
pods_of() { echo "pod$(number "$1")-1 pod$(number "$1")-2"; }
pod_address() { ip -j -n "$1" address show dev eth0 | jq -r '.[].addr_info[] | select(.family == "inet").local'; }

add_pods() {
  local node pod
  heading 'Two pods on each node'
  for node in $NODES; do
    # shellcheck disable=SC2016 # a placeholder of the file
    sed 's|${NODE_SUBNET}|'"$(subnet_of "$node")|" conf-examples/10-mynet.conf >"$work/$node/10-mynet.conf"
    for pod in $(pods_of "$node"); do
      ip netns add "$pod"
      cni ADD "$pod" "$node"
      claim "$pod has an address of $(subnet_of "$node")" result_has ".[0].address | test(\"^10\\\\.240\\\\.$(number "$node")\\\\.\")"
      page_that_tells_who_calls "$work/$pod"
      ip netns exec "$pod" busybox httpd -p 0.0.0.0:80 -h "$work/$pod" >/dev/null 2>&1
    done
  done
}

# sees_caller <from pod> <to pod>: the receiver says under which address it was called.
sees_caller() {
  [[ $(ip netns exec "$1" curl -sS -m 30 "http://$(pod_address "$2")/cgi-bin/who") == "you are $(pod_address "$1")" ]]
}
each_sees_each() {
  local from to all
  all=$(for node in $NODES; do pods_of "$node"; done)
  for from in $all; do
    for to in $all; do [[ $from == "$to" ]] || sees_caller "$from" "$to" || { say "not so: $from to $to"; return 1; }; done
  done
}

show_traffic() {
  heading 'Pods of all nodes reach each other, under their own addresses'
  say 'The web server in each pod answers with the address that it was called from.'
  run "ip netns exec pod1-1 curl -sS -m 30 http://$(pod_address pod2-1)/cgi-bin/who"
  claim "pod2-1 saw pod1-1, which is $(pod_address pod1-1), and not its node" answer_is "you are $(pod_address pod1-1)"
  claim "so it is from each of the $((2 * count)) pods to each other" each_sees_each
  page_that_tells_who_calls "$work/outside"
  serve outside "$OUTSIDE"
  run "ip netns exec pod1-1 curl -sS -m 30 http://$OUTSIDE/cgi-bin/who"
  claim "the world outside sees the node, which is $(address_of node1)" answer_is "you are $(address_of node1)"
  run "ip netns exec pod1-1 ping -c 1 -W 5 -M do -s 1472 $(pod_address pod2-1)"
  claim 'packets of full size pass' succeeded
  run "ip netns exec pod1-1 ping -c 1 -W 5 $(pod_address pod1-2)"
  claim 'and pods of one node reach each other' succeeded
}

# Twenty pings a second from node1 to node2, all the while.
start_pings() {
  ip netns exec pod1-1 ping -i 0.05 "$(pod_address pod2-1)" >"$work/pings" &
  pings=$!
}
none_lost() {
  kill -INT "$pings"
  wait "$pings" || true
  read -r sent received < <(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$work/pings")
  say "($received of $sent pings answered; one may be under way)"
  ((sent - received <= 1))
}

show_death() {
  local dead=node$count pod
  heading "$dead dies: its cable is pulled"
  say 'Meanwhile a pod of node1 pings one of node2, twenty times a second.'
  pod=$(pod_address "pod$count-1")
  start_pings
  must "ip link set port$count down"
  claim "the routes to its pods go, on every node" wait_for others_know knows_no_more "$dead"
  say "(after $SECONDS_WAITED s)"
  run 'on node1 ip route'
  claim 'all others have theirs as before' has_route node1 node2
  run "ip netns exec pod1-1 ping -c 1 -W 2 $pod"
  claim 'its pods are unreachable, which is said at once' [ "$STATUS" != 0 ]

  heading "$dead comes back"
  must "ip link set port$count up"
  claim 'the routes are back' wait_for all_know_all
  say "(after $SECONDS_WAITED s)"
  run "ip netns exec pod1-1 ping -c 1 -W 5 $pod"
  claim 'its pods answer' succeeded
  claim 'from node1 to node2 no ping was lost in all that time' none_lost
}

# Nothing of a pod: not its end of the cable on the node, nor the file that holds its address.
nothing_left_on() {
  ! on "$1" ip -o link | grep -q veth && [[ -z $(on "$1" find /var/lib/cni/networks -name '10.240.*') ]]
}

delete_pods() {
  local node pod
  heading 'The pods go; the routes stay, for the next ones'
  for pod in outside $(for node in $NODES; do pods_of "$node"; done); do ip netns pids "$pod" | xargs -r kill; done
  for node in $NODES; do
    for pod in $(pods_of "$node"); do
      cni DEL "$pod" "$node"
      claim "$pod: its network is gone" succeeded_silently
    done
    claim "nothing of them is left on $node" nothing_left_on "$node"
  done
  claim 'every node has its routes to the others' all_know_all
  run "on node2 ip link delete cni0 && on node1 ping -c 1 -W 5 10.240.2.77"
  claim 'what no pod has is answered at once, by its own node' grep -q "From $(address_of node2) .*nreachable" <<<"$OUT"
}

mkdir -p "$work" /run/bird
build_stage
show_routes
add_pods
show_traffic
show_death
if [[ -z $keep ]]; then delete_pods; fi
verdict
