#!/bin/sh
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# What the image does on a node: scripts/install into the node's folders, for the node's subnet. Its arguments go on to
# scripts/install.
#
#   NODE_NAME   the node, as the cluster calls it
#   /host       the node's /opt/cni/bin and /etc/cni/net.d, below their own names
#   /subnets    a file for each node, of its name, with its subnet or subnets
set -eu

node=${NODE_NAME:-}
[ -n "$node" ] || { echo 'NODE_NAME is not set: the manifest takes it from spec.nodeName' >&2; exit 1; }
if [ ! -s "/subnets/$node" ]; then
  echo "there is no subnet for the node $node: add it to the ConfigMap cnio-subnets" >&2
  exit 1
fi
exec /bin/sh /cnio/install --from /cnio --to /host/opt/cni/bin --conf-dir /host/etc/cni/net.d \
  --subnet "$(cat "/subnets/$node")" "$@"
