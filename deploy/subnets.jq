# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# The ConfigMap cnio-subnets, for clusters that give each node its podCIDR:
#
#   kubectl get nodes -o json | jq -f deploy/subnets.jq | kubectl apply -f -
{
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {name: "cnio-subnets", namespace: "kube-system"},
  data: [.items[] | select(.spec.podCIDRs) | {(.metadata.name): (.spec.podCIDRs | join(","))}] | add
}
