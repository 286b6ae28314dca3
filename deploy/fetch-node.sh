#!/bin/sh
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Asks the API server for this node's own object, in which its podCIDRs are, and waits until it has one. All that it can do
# is that: it has a token, and no other right; who installs has all rights on the node, and no token.
#
#   NODE_NAME              the node, as the cluster calls it
#   API_SERVER             https://<address>:<port>; by default the service that the kubelet names
#   /var/run/secrets/cnio  token and ca.crt
#   /subnets               if a person has given this node its subnet, nobody is asked
#   /node                  where node.json goes
set -eu

SECRETS=/var/run/secrets/cnio
PAUSE=5 # seconds between two questions

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

node=${NODE_NAME:-}
[ -n "$node" ] || die 'NODE_NAME is not set: the manifest takes it from spec.nodeName'
case $node in *[!a-z0-9.-]*) die "$node is not the name of a node" ;; esac
if [ -s "/subnets/$node" ]; then
  echo "the ConfigMap cnio-subnets has a subnet for $node"
  exit 0
fi

server() {
  local host=${KUBERNETES_SERVICE_HOST:-}
  case $host in *:*) host="[$host]" ;; esac
  echo "${API_SERVER:-https://$host:${KUBERNETES_SERVICE_PORT:-443}}"
}

# ask: the answer goes to /node/answer, its status to standard output. The token is on no command line, which everybody on
# the node could read; it is read anew each time, since the kubelet renews it. Nobody else's certificate is believed, and
# nobody else is followed to.
ask() {
  printf 'Authorization: Bearer %s\n' "$(cat "$SECRETS/token")" |
    curl --silent --show-error --proto =https --tlsv1.2 --cacert "$SECRETS/ca.crt" --header @- --max-time 30 \
      --max-filesize 16777216 --output /node/answer --write-out '%{http_code}' "$(server)/api/v1/nodes/$node"
}

# What the answer really says is for cnioctl to read; here it only counts whether to ask again.
waited=''
while :; do
  status=$(ask) || die "cannot ask $(server), see above"
  [ "$status" = 200 ] || die "$(server) answers $status: $(head -c 500 /node/answer)"
  ! grep -q '"podCIDR":' /node/answer || break
  [ -n "$waited" ] || echo "the node $node has no podCIDR yet; waiting for it"
  waited=yes
  sleep "$PAUSE"
done
mv /node/answer /node/node.json
