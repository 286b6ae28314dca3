#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# The demo itself, run by scripts/demo inside its private namespaces: demo-play.sh <plugin folder> <keep or empty>
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source scripts/lib/common.sh
# shellcheck source=scripts/lib/demo-common.sh
source scripts/lib/demo-common.sh

export CNI_PATH=$1
keep=$2
work=/dev/shm/cnio-demo
HOST=192.0.2.1 OUTSIDE=192.0.2.2 # TEST-NET-1: nobody's real addresses

# cni <command> <pod> <interface> <plugin> <configuration>: one call, as a runtime makes it.
cni() {
  local result=$work/$2-$3.json config="$5"
  if [[ $1 != ADD ]]; then
    config="<(jq '.prevResult = input' $5 $result)" # a runtime hands back what the ADD printed
  fi
  run "CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=$3 \$CNI_PATH/$4 < $config"
  if [[ $1 == ADD ]]; then printf '%s\n' "$OUT" >"$result"; fi
}
bridge() { cni "$1" "$2" eth0 bridge conf-examples/10-bridge.conf; }
loopback() { cni "$1" "$2" lo loopback conf-examples/99-loopback.conf; }
address_of() { jq -r '.ips[0].address | split("/")[0]' "$work/$1-eth0.json" 2>/dev/null || echo none; }

# Links, addresses, routes and rules of the namespace this runs in, independent of order and index.
snapshot_network() {
  # Without the carrier: the kernel notes it a moment after both ends of a cable are up.
  ip -j link | jq -r '.[] | "link \(.ifname) \(.flags - ["LOWER_UP", "NO-CARRIER"] | sort | join(","))"'
  ip -j addr | jq -r '.[] | .ifname as $i | .addr_info[] | "address \($i) \(.local)/\(.prefixlen)"'
  { ip -4 route show table all; ip -6 route show table all; } | sed 's/^/route /; s/ linkdown//'
  nft list ruleset | sed 's/^[[:space:]]*/rules /'
}
# All that a plugin could leave behind, anywhere on this stage.
snapshot() {
  local name
  export -f snapshot_network
  snapshot_network | sed 's/^/host: /'
  for name in outside pod1 pod2; do
    ip netns exec "$name" bash -c snapshot_network | sed "s/^/$name: /"
  done
  echo "host: forwarding $(cat /proc/sys/net/ipv4/ip_forward)"
  find /var/lib/cni /run/cnio -mindepth 1 -printf 'file %p\n'
}
snapshot_into() { snapshot | sed 's/ *$//' | sort >"$work/$1"; }

# What belongs to the bridge and not to a pod stays for the next pod: not one of these lines names a pod.
left_over() {
  local shared='cnio0|forwarding|file /run/cnio/(locks|attachments)$'
  shared="$shared|file /var/lib/cni/networks(/bridge(/lock|/last_reserved_ip\.0)?)?$|host: rules"
  local pod="pod1|pod2|veth|$POD1|$POD2"
  diff "$work/before" "$work/after" | grep '^[<>]' | awk -v shared="$shared" -v pod="($pod)([^0-9]|$)" \
    '$0 ~ pod || $0 !~ shared' || true
}
nothing_left_over() { [[ -z $(left_over) ]]; }
same_as_before() { cmp -s "$work/before" "$work/after"; }

build_stage() {
  local pod
  heading 'A host, the world outside, and two empty pods'
  say 'Four network namespaces. "host" is the one this runs in; a cable joins it to "outside".' \
    'Outside has no route to the pods: it can answer only what comes from the host'"'"'s own address.'
  must 'ip netns add outside && ip netns add pod1 && ip netns add pod2'
  must 'ip link add uplink type veth peer name eth0 netns outside'
  must "ip address add $HOST/24 dev uplink && ip link set uplink addrgenmode none up"
  must "ip -n outside address add $OUTSIDE/24 dev eth0 && ip -n outside link set eth0 addrgenmode none up"
  must 'sysctl -w net.ipv4.ip_forward=0' # a new namespace may have it from the machine
  must 'ip -n outside route'
  claim 'outside knows only its own cable' [ "$(wc -l <<<"$OUT")" = 1 ]
  say 'The kernel gives lo its 127.0.0.1 when it first comes up, and leaves it there:'
  for pod in pod1 pod2; do must "ip -n $pod link set lo up && ip -n $pod link set lo down"; done
  snapshot_into before
  say "Snapshot \"before\": $(wc -l <"$work/before") lines of links, addresses, routes, rules and files."
}

add_pods() {
  local pod
  for pod in pod1 pod2; do
    heading "ADD: a network for $pod"
    loopback ADD "$pod"
    claim "$pod has its own 127.0.0.1" result_has '.ips[0].address == "127.0.0.1/8"'
    bridge ADD "$pod"
    claim "$pod has an address from 10.240.1.0/24 on its eth0" result_has \
      '(.interfaces[.ips[0].interface].name == "eth0") and (.ips[0].address | test("^10\\.240\\.1\\.[0-9]+/24$"))'
  done
  POD1=$(address_of pod1) POD2=$(address_of pod2)
  claim "the two addresses differ: $POD1 and $POD2" [ "$POD1" != "$POD2" ]
}

show_pings() {
  heading 'Pod to pod, host to pod, pod to host'
  run "ip netns exec pod1 ping -c 1 -W 2 $POD2"
  claim 'pod1 reaches pod2' succeeded
  run "ip netns exec pod2 ping -c 1 -W 2 $POD1"
  claim 'pod2 reaches pod1' succeeded
  run "ping -c 1 -W 2 $POD1 && ping -c 1 -W 2 $POD2"
  claim 'the host reaches both' succeeded
  run "ip netns exec pod1 ping -c 1 -W 2 10.240.1.1"
  claim 'pod1 reaches its gateway, the bridge on the host' succeeded
}

show_masquerade() {
  local pod
  heading 'Pod to outside: masqueraded'
  say "The web server outside answers each caller with the address that it sees."
  page_that_tells_who_calls "$work/outside"
  serve outside "$OUTSIDE"
  for pod in pod1 pod2; do
    run "ip netns exec $pod curl -sS -m 30 http://$OUTSIDE/cgi-bin/who"
    claim "outside saw the host's address, not that of $pod ($(address_of "$pod"))" answer_is "you are $HOST"
  done
  run "ip netns exec pod1 ping -c 1 -W 2 $OUTSIDE"
  claim 'pings come back as well' succeeded
}

show_web_servers() {
  local pod
  heading 'Two web servers on port 80, side by side'
  for pod in pod1 pod2; do
    mkdir -p "$work/$pod"
    echo "hello from $pod" >"$work/$pod/index.html"
    serve "$pod" 0.0.0.0
  done
  run "curl -sS -m 30 http://$POD1/"
  claim 'the host gets the page of pod1' answer_is 'hello from pod1'
  run "curl -sS -m 30 http://$POD2/"
  claim 'the host gets the page of pod2' answer_is 'hello from pod2'
  run "ip netns exec pod2 curl -sS -m 30 http://$POD1/"
  claim 'pod2 gets the page of pod1' answer_is 'hello from pod1'
  run "ip netns exec pod2 curl -sS -m 30 http://127.0.0.1/"
  claim 'and on 127.0.0.1 its own' answer_is 'hello from pod2'
}

check_pods() {
  local pod
  heading 'CHECK: is everything still as ADD left it? (silence means yes)'
  for pod in pod1 pod2; do
    loopback CHECK "$pod"
    claim "$pod: lo is in order" succeeded_silently
    bridge CHECK "$pod"
    claim "$pod: eth0 is in order" succeeded_silently
  done
}

delete_pods() {
  local pod
  heading 'DEL: the servers end, the pods lose their network'
  for pod in outside pod1 pod2; do ip netns pids "$pod" | xargs -r kill; done
  for pod in pod2 pod1; do
    bridge DEL "$pod"
    claim "$pod: eth0 removed" succeeded_silently
    loopback DEL "$pod"
    claim "$pod: lo shut down" succeeded_silently
  done
  bridge DEL pod1
  claim 'a second DEL finds nothing to do and is no error' succeeded_silently
}

show_nothing_left() {
  heading 'Nothing is left'
  snapshot_into after
  say 'What differs from the snapshot "before" is the bridge and its like, kept for the next pod:'
  run "diff $work/before $work/after || true"
  claim 'not one line of it belongs to a pod' nothing_left_over
  nothing_left_over || { say 'left over:'; left_over | sed 's/^/    /'; }
  say 'And without what is kept:'
  run 'ip link delete cnio0 && nft flush ruleset && sysctl -q -w net.ipv4.ip_forward=0 && rm -r /var/lib/cni/networks /run/cnio/*'
  snapshot_into after
  run "diff $work/before $work/after || true"
  claim 'host, outside and pods are exactly as before' same_as_before
}

mkdir -p "$work"
build_stage
add_pods
show_pings
show_masquerade
show_web_servers
check_pods
if [[ -z $keep ]]; then
  delete_pods
  show_nothing_left
fi

verdict
