#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# Process 1 of the demo's namespaces: covers the folders that plugins write to, says "ready", and then only stays.
set -euo pipefail

# cover <folder>: an empty folder in memory in its place, seen in this mount namespace only. Where the folder does
# not exist on the machine its nearest parent is covered, so that nothing has to be created outside.
cover() {
  local at=$1
  until [[ -d $at ]]; do at=$(dirname "$at"); done
  mount -t tmpfs -o mode=0755 cnio-demo "$at"
  mkdir -p "$1"
}

cover /var/lib/cni
cover /run
mkdir -m 0700 /run/netns /run/cnio
cover /dev/shm # scratch space of the demo
ip link set lo up
echo ready
exec >/dev/null 2>&1
trap 'exit 0' TERM
sleep infinity &
wait
