// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/firewall.hpp"

#include <linux/netlink.h>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/chained.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"

#include "firewall/config.hpp"
#include "firewall/keys.hpp"

namespace cnio::pod_firewall {
namespace {

using firewall::IngressPolicy;
using firewall::PodBackend;
using firewall::PodFirewallSpec;
using firewall::PodPort;
using protocol::AddResult;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({
  "cniVersion": "1.1.0",
  "name": "example",
  "type": "firewall",
  "ingressPolicy": "same-bridge",
  "prevResult": {
    "interfaces": [{"name": "cnio0"}, {"name": "eth0", "sandbox": "/run/netns/demo"}],
    "ips": [{"address": "10.240.1.5/24", "interface": 1}]
  }
})";

std::vector<IpAddr> addresses_in(const AddResult& result, const Request& request) {
  std::vector<IpAddr> addresses;
  for (const Cidr& address : attachment::addresses_of_container(result, request.attachment)) {
    addresses.push_back(address.addr);
  }
  return addresses;
}

// The bridge that a link of the host is a port of.
Result<std::optional<PodPort>> port_of(net::Netlink& host, const std::optional<net::Link>& link) {
  if (!link || link->master == net::IfIndex::kNone) return std::optional<PodPort>();
  CNIO_LET(const std::optional<net::Link> master, net::find_link(host, link->master));
  if (!master || master->kind != "bridge") return std::optional<PodPort>();
  return std::optional(PodPort{master->name, link->name});
}

// Where the other end of the pod's interface is, or else the one of the result's interfaces on the host that is a
// bridge's port: what the result calls the bridge may be anything.
Result<std::optional<PodPort>> find_port(const Request& request, const AddResult& result) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(std::optional<net::Sandbox> sandbox, net::Sandbox::find(request.netns_path));
  if (sandbox) {
    CNIO_LET(const auto pod, net::find_link(sandbox->route(), request.attachment.ifname));
    std::optional<net::Link> end;
    if (pod) {
      CNIO_LET(end, sandbox->find_host_end(host, *pod));
    }
    if (end) return port_of(host, end);
  }
  for (const protocol::Interface& each : result.interfaces) {
    if (!each.sandbox.empty()) continue;
    CNIO_LET(const auto link, net::find_link(host, each.name));
    CNIO_LET(auto port, port_of(host, link));
    if (port) return port;
  }
  return std::optional<PodPort>();
}

// Without the key: firewalld if it runs. Whether that can be asked is then no reason to fail.
PodBackend choose_backend(const Config& config, const Request& request) {
  if (config.backend) return *config.backend;
  if (!config.ignored_backend.empty()) {
    protocol::note(request.plugin, "there is no \"backend\": " + quote(config.ignored_backend) +
                                       "; taking firewalld if it runs, else iptables");
  }
  const Result<bool> runs = firewall::is_firewalld_running(request.environment);
  if (!runs.ok()) protocol::note(request.plugin, "whether firewalld runs is not known: " + runs.error().msg());
  return runs.ok() && runs.value() ? PodBackend::kFirewalld : PodBackend::kIptables;
}

Result<PodFirewallSpec> make_spec(const Request& request, const Config& config, const AddResult& result) {
  PodFirewallSpec spec;
  spec.owner = {request.network, request.attachment};
  spec.addresses = addresses_in(result, request);
  spec.admin_chain = config.admin_chain;
  spec.zone = config.zone;
  spec.policy = config.policy;
  CNIO_LET(spec.port, find_port(request, result));
  if (spec.policy != IngressPolicy::kOpen && !spec.port) {
    return Error::config("ingressPolicy", "needs a pod whose cable ends in a bridge, and " +
                                              quote(request.attachment.ifname) + " does not")
        .hint("leave the key out for plugins that make no bridge");
  }
  spec.backend = choose_backend(config, request);
  return spec;
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::add_to_chain(request, [&](AddResult& result) -> Status {
    CNIO_LET(const PodFirewallSpec spec, make_spec(request, config, result));
    if (spec.addresses.empty()) {
      protocol::note(request.plugin, "the result has no address of the container's: nothing to do");
    }
    return firewall::install_pod_firewall(spec, request.environment, undo);
  });
}

// Whatever has become of the configuration.
Status del(const Request& request) {
  std::vector<IpAddr> addresses;
  if (const auto result = attachment::readable_prev_result(request)) addresses = addresses_in(*result, request);
  return firewall::remove_pod_firewall({request.network, request.attachment}, addresses, request.environment);
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::check_in_chain(request, [&](const AddResult& result) -> Status {
    CNIO_LET(const PodFirewallSpec spec, make_spec(request, config, result));
    return firewall::check_pod_firewall(spec, request.environment);
  });
}

Result<std::string> repair(const Request& request) { return attachment::repair_in_chain(request, check, add); }

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::status_of(firewall::rehearse_pod_firewall(choose_backend(config, request), request.environment));
}

Status gc(const Request& request) {
  return attachment::collect_garbage(request, [&](const std::vector<protocol::Attachment>& valid) {
    return firewall::collect_pod_firewall_garbage(request.network, valid, request.environment);
  });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "firewall",
          .about = "Lets the packets of a container pass the host's firewall, and keeps containers of bridges apart.",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .repair = repair,
          .keys = kKeys};
}

}  // namespace cnio::pod_firewall
