// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/forwarding.hpp"

#include <algorithm>

#include "cnio/attachment/routers.hpp"
#include "cnio/firewall/forward_policy.hpp"
#include "cnio/net/forwarding.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/sysctl.hpp"

namespace cnio::attachment {
namespace {

bool has(const std::vector<Cidr>& addresses, Family family) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const Cidr& cidr) { return cidr.family() == family; });
}

}  // namespace

Status switch_on_forwarding(net::Netlink& host, const std::vector<Cidr>& addresses, const std::string& host_prefix) {
  const auto believes = [&](const net::Link& link) { return may_believe_routers(host, link, host_prefix); };
  for (const Family family : kFamilies) {
    if (has(addresses, family)) CNIO_TRY(net::switch_on_forwarding(host, family, believes));
  }
  return {};
}

Status let_forward(const net::Link& gateway, const std::vector<Cidr>& addresses) {
  if (gateway.forwards_ipv4 || !has(addresses, Family::kIpv4)) return {};
  auto written = net::write_sysctl(net::LinkSetting{Family::kIpv4, gateway.name, "forwarding"}, "1");
  if (!written.ok()) return std::move(written).error().context("have " + gateway.name + " forward packets");
  return {};
}

Status check_forwarding(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& addresses, Code code) {
  for (const Family family : kFamilies) {
    if (!has(addresses, family)) continue;
    // IPv4 is forwarded by what the interface says, which the host's setting says for all when it is written.
    if (family == Family::kIpv4 && gateway.forwards_ipv4) continue;
    const auto on = net::is_forwarding(host, family);
    if (!on.ok()) continue;  // a kernel that does not say
    if (family == Family::kIpv6 && on.value()) continue;
    const std::string name = on.value() ? to_string(net::LinkSetting{family, gateway.name, "forwarding"})
                                        : std::string(net::forwarding_sysctl(family));
    return Error::make(code, "this host does not forward the " + std::string(family_name(family)) +
                                 " packets of pods: " + name + " is 0")
        .hint("`sysctl -w " + name + "=1` switches it on; look for what switches it off, in /etc/sysctl.d for example");
  }
  return {};
}

Status check_forward_chains(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& sources, Code code) {
  if (sources.empty()) return {};
  CNIO_LET(auto nft, net::NftConnection::open());
  if (!nft) return {};
  CNIO_LET(const auto drop, firewall::find_forward_drop(*nft, host, {gateway.name, gateway.index, sources}));
  if (!drop) return {};
  return Error::make(code, drop->message()).hint(drop->hint());
}

}  // namespace cnio::attachment
