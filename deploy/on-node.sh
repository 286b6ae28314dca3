#!/bin/sh
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# What the image does on a node: its subnet into /run/cnio/subnet.env, and scripts/install into the node's folders. Its
# arguments go on to scripts/install.
#
#   NODE_NAME  the node, as the cluster calls it
#   CLUSTER    the range of all nodes' pods, or one of each family with a comma between them
#   OVERLAY    what carries packets between nodes, and takes room of each: none, vxlan or wireguard
#   PODS       for how many pods the node has to have room: the kubelet's maxPods
#   /host      the node's /opt/cni/bin, /etc/cni/net.d and /run/cnio, below their own names
#   /node      node.json, as the API server has it; or
#   /subnets   a file for each node, of its name, with its subnet or subnets
set -eu

FILE=/host/run/cnio/subnet.env
CONF_DIR=/host/etc/cni/net.d

node=${NODE_NAME:-}
[ -n "$node" ] || { echo 'NODE_NAME is not set: the manifest takes it from spec.nodeName' >&2; exit 1; }
[ -n "${CLUSTER:-}" ] || { echo 'CLUSTER is not set: the range of all pods, as in 10.240.0.0/16' >&2; exit 1; }

if [ -s "/subnets/$node" ]; then
  set -- --subnet "$(cat "/subnets/$node")" "$@"
elif [ -s /node/node.json ]; then
  set -- --node /node/node.json "$@"
else
  echo "there is no subnet for the node $node: neither a podCIDR nor an entry in the ConfigMap cnio-subnets" >&2
  exit 1
fi
source=$1 value=$2
shift 2
name=''
[ "$source" != --node ] || name=$node
/cnio/cnio/cnioctl subnet write "$FILE" --cluster "$CLUSTER" "$source" "$value" ${name:+--node-name "$name"} \
  --overlay "${OVERLAY:-none}" --pods "${PODS:-110}" --network bridge --replaces "$CONF_DIR/10-bridge.conf"
exec /bin/sh /cnio/install --from /cnio --to /host/opt/cni/bin --conf-dir "$CONF_DIR" --no-tool --subnet-file "$FILE" \
  --pods "${PODS:-110}" "$@"
