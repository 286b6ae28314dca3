// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cnio/attachment/forwarding.hpp"
#include "cnio/net/address.hpp"

#include "bridge/steps.hpp"

// Whether the network's subnets are its own on this host, and are forwarded.
namespace cnio::bridge {
namespace {

using protocol::Fields;
using protocol::Request;

// Would the host not know any more where to send, if the gateway's interface had this address, too? A more specific
// network of ours beside a wider one works, as do addresses that no network belongs to.
bool collides(const net::Address& other, const Cidr& gateway) {
  if (other.cidr.family() != gateway.family() || other.cidr.addr.is_link_local_unicast()) return false;
  if (other.cidr.addr == gateway.addr) return true;
  const bool real_network = other.cidr.prefix < other.cidr.addr.bits();
  return real_network && other.cidr.prefix >= gateway.prefix && gateway.contains(other.cidr.addr);
}

// The VRF that the link is in, or is; none for what is routed by the main tables.
Result<net::IfIndex> domain_of(net::Netlink& host, const net::Link& link) {
  if (link.kind == "vrf") return link.index;
  CNIO_LET(const std::optional<net::Link> master, net::find_link(host, link.master));
  return master && master->kind == "vrf" ? master->index : net::IfIndex::kNone;
}

// Another link that is up, in the same domain; nothing if it is not.
Result<std::optional<net::Link>> find_rival(net::Netlink& host, net::IfIndex index, net::IfIndex domain) {
  CNIO_LET(std::optional<net::Link> link, net::find_link(host, index));
  if (!link || !link->up) return std::optional<net::Link>();
  CNIO_LET(const net::IfIndex other, domain_of(host, *link));
  if (other != domain) link.reset();
  return link;
}

void add_gateway(const Fields& range, std::string_view key, std::vector<Cidr>& gateways) {
  const auto subnet = range.cidr(key);
  if (!subnet.ok() || !subnet.value() || subnet.value()->prefix == 0) return;
  const auto written = range.ip("gateway");
  const IpAddr first = subnet.value()->network().addr.next();
  const IpAddr gateway = written.ok() ? written.value().value_or(first) : first;
  gateways.push_back({gateway, subnet.value()->prefix});
}

// The gateway addresses that the configuration of an IPAM plugin lets expect: `subnet` and `ranges` of host-local, and
// `addresses` of static. What cannot be read is that plugin's to complain of.
std::vector<Cidr> expected_gateways(const Request& request) {
  std::vector<Cidr> gateways;
  const auto ipam = request.fields().object("ipam");
  if (!ipam.ok()) return gateways;
  add_gateway(ipam.value(), "subnet", gateways);
  const auto sets = ipam.value().object_lists("ranges");
  for (const auto& set : sets.ok() ? sets.value() : std::vector<std::vector<Fields>>()) {
    for (const Fields& range : set) add_gateway(range, "subnet", gateways);
  }
  const auto addresses = ipam.value().objects("addresses");
  for (const Fields& each : addresses.ok() ? addresses.value() : std::vector<Fields>()) {
    add_gateway(each, "address", gateways);
  }
  return gateways;
}

std::string shown(const Config& config) {
  return (config.vlan == 0 ? "bridge " : "interface ") + config.gateway_interface();
}

}  // namespace

Status check_overlap(net::Netlink& host, const Config& config, const std::optional<net::Link>& gateway,
                     const std::vector<Cidr>& wanted, Code code) {
  if (config.allow_overlap || wanted.empty()) return {};
  CNIO_LET(const std::vector<net::OwnedAddress> all, net::list_addresses(host));
  std::optional<net::IfIndex> domain;
  for (const net::OwnedAddress& each : all) {
    if (gateway && each.owner == gateway->index) continue;
    const auto collision = std::find_if(wanted.begin(), wanted.end(),
                                        [&](const Cidr& address) { return collides(each.address, address); });
    if (collision == wanted.end()) continue;
    if (!domain) {
      CNIO_LET(domain, gateway ? domain_of(host, *gateway) : net::IfIndex::kNone);
    }
    CNIO_LET(const std::optional<net::Link> rival, find_rival(host, each.owner, *domain));
    if (!rival) continue;
    return Error::make(code, "the gateway address " + collision->to_string() + " of " + shown(config) +
                                 " collides with " + each.address.cidr.to_string() + " of interface " + rival->name +
                                 ": pods would lose packets")
        .hint("give each network of a host a subnet of its own; if " + rival->name +
              " is left over from before, remove it; if both are meant, set \"allowOverlap\": true");
  }
  return {};
}

Status check_subnets(net::Netlink& host, const Request& request, const Config& config) {
  if (!config.is_gateway || config.layer2() || config.allow_overlap) return {};
  const std::vector<Cidr> wanted = expected_gateways(request);
  if (wanted.empty()) return {};
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  return check_overlap(host, config, gateway, wanted, Code::kConflict);
}

Status check_subnets_forwarded(net::Netlink& host, const Request& request, const Config& config) {
  if (!config.is_gateway || config.layer2()) return {};
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  if (!gateway) return {};
  CNIO_LET(const std::vector<net::Address> present, net::list_addresses(host, *gateway));
  std::vector<Cidr> ours = expected_gateways(request);
  std::erase_if(ours, [&](const Cidr& wanted) {
    return std::none_of(present.begin(), present.end(), [&](const net::Address& each) { return each.cidr == wanted; });
  });
  CNIO_TRY(attachment::check_forwarding(host, *gateway, ours, Code::kLimited));
  for (Cidr& each : ours) each = each.network();
  return attachment::check_forward_chains(host, *gateway, ours, Code::kLimited);
}

}  // namespace cnio::bridge
