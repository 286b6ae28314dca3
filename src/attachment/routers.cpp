// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/routers.hpp"

#include <algorithm>

#include "cnio/attachment/identity.hpp"
#include "cnio/net/sysctl.hpp"
#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {
namespace {

// A port that leads to a pod, or to a virtual machine. The name of a host end is chosen on the host, where no pod can
// change it. Everything else may lead to a router, also a veth whose other end is in a namespace that somebody made for
// one.
bool leads_to_pod(const net::Link& port, const std::string& host_prefix) {
  if (port.kind == "tun") return true;
  if (port.kind != "veth" || !port.peer_namespace) return false;
  return port.alias.starts_with(kAliasMark) || port.name.starts_with("veth") || port.name.starts_with(host_prefix);
}

Result<bool> has_uplink(net::Netlink& host, const net::Link& bridge, const std::string& host_prefix) {
  CNIO_LET(const std::vector<net::Link> ports, net::list_links(host, bridge.index));
  return std::any_of(ports.begin(), ports.end(), [&](const net::Link& port) {
    return !leads_to_pod(port, host_prefix) && !is_gateway_port(port, bridge.name);
  });
}

}  // namespace

void be_deaf_to_routers(std::string_view plugin, const net::Link& link) {
  if (!link.ipv6 || link.ipv6->accept_ra == 0) return;
  const net::LinkSetting setting{Family::kIpv6, link.name, "accept_ra"};
  const auto written = net::write_sysctl(setting, "0");
  if (written.ok() || !link.ipv6->believes_routers()) return;
  protocol::note(plugin, "this host may believe router advertisements of pods on " + link.name + ": " +
                             written.error().msg() + "; set " + to_string(setting) + " to 0");
}

Status check_deafness(const net::Link& link) {
  if (!link.ipv6 || link.ipv6->disabled || !link.ipv6->believes_routers()) return {};
  // Where settings are read-only ADD could not either, and has said so.
  if (!net::OpenSysctl::open("ipv6/conf/" + link.name + "/accept_ra").ok()) return {};
  const net::LinkSetting setting{Family::kIpv6, link.name, "accept_ra"};
  return Error::make(Code::kCheckFailed, "this host believes router advertisements of the pod: " + to_string(setting) +
                                             " is " + std::to_string(link.ipv6->accept_ra))
      .hint("`sysctl -w " + to_string(setting) + "=0`; look for what sets it");
}

Result<bool> may_believe_routers(net::Netlink& host, const net::Link& link, const std::string& host_prefix) {
  if (link.kind == "bridge") return has_uplink(host, link, host_prefix);
  return !leads_to_pod(link, host_prefix);
}

}  // namespace cnio::attachment
