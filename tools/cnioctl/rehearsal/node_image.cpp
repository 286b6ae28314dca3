// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/rehearsal/node_image.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/netlink.h>
#include <optional>

#include "cnio/attachment/identity.hpp"
#include "cnio/net/link/bridge.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/sysctl.hpp"

namespace cnio::cnioctl {
namespace {

using net::Link;
using net::Netlink;

constexpr std::array<const char*, 6> kCopiedSettings = {
    "ipv6/conf/all/disable_ipv6",  "ipv4/ip_forward",
    "ipv6/conf/all/forwarding",    "ipv4/conf/all/rp_filter",
    "ipv4/conf/default/rp_filter", "bridge/bridge-nf-call-iptables"};
constexpr char kLoopback[] = "lo";

// Pods' cables, and those that a bridge's gateway in a VLAN stands on. A node in a container has a cable, too; of that
// it has an address.
bool is_left_out(const NodeImage::OneLink& of) {
  const Link& link = of.link;
  const bool has_address = std::any_of(of.addresses.begin(), of.addresses.end(), [](const net::Address& each) {
    return !each.cidr.addr.is_link_local_unicast();
  });
  const bool cable = link.kind == "veth" && link.peer_namespace && !has_address;
  return cable || link.kind == "ifb" || (link.kind == "veth" && link.alias.starts_with(attachment::kAliasMark));
}

Result<NodeImage::OneLink> take_link(Netlink& route, const Link& link) {
  NodeImage::OneLink out{link, {}, {}};
  CNIO_LET(out.addresses, net::list_addresses(route, link));
  for (const Family family : kFamilies) {
    CNIO_LET(const std::vector<net::KernelRoute> routes, net::list_routes(route, link, family));
    out.routes.insert(out.routes.end(), routes.begin(), routes.end());
  }
  return out;
}

Status make_cable(Netlink& route, const Link& like, const net::Namespace& elsewhere) {
  net::VethSpec spec;
  spec.host_name = spec.sandbox_name = like.name;
  spec.mtu = like.mtu;
  spec.sandbox_fd = elsewhere.fd();
  spec.host_mac = like.mac;
  CNIO_TRY(net::create_veth(route, spec));
  // Its carrier is there once both ends are up.
  return elsewhere.run([&]() -> Status {
    CNIO_LET(Netlink there, Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const std::optional<Link> end, net::find_link(there, like.name));
    return end ? net::set_link_up(there, *end) : Status();
  });
}

Status make_link(Netlink& route, const Link& like, const net::Namespace& elsewhere) {
  if (like.name == kLoopback) return {};
  if (like.kind != "bridge") return make_cable(route, like, elsewhere);
  const net::BridgeSpec spec{.name = like.name,
                             .mtu = like.mtu,
                             .mac = like.mac.value_or(MacAddr::random()),
                             .vlan_filtering = like.vlan_filtering,
                             .group = like.group};
  CNIO_LET(const bool made, net::create_bridge(route, spec));
  return made ? Status() : Error::make(Code::kConflict, like.name + " is there already");
}

bool is_kernels(const Cidr& cidr) { return cidr.addr.is_link_local_unicast() || cidr.addr.is_loopback(); }

Status dress_link(Netlink& route, const NodeImage::OneLink& like) {
  CNIO_LET(const std::optional<Link> link, net::find_link(route, like.link.name));
  if (!link) return Error::make(Code::kTryAgain, "it is gone");
  if (like.link.up) CNIO_TRY(net::set_link_up(route, *link));
  for (const net::Address& each : like.addresses) {
    if (!is_kernels(each.cidr)) CNIO_TRY(net::add_address(route, *link, each.cidr, net::DuplicateDetection::kOff));
  }
  return {};
}

// What the kernel has made of the addresses is there already.
Status add_routes(Netlink& route, const NodeImage::OneLink& like) {
  CNIO_LET(const std::optional<Link> link, net::find_link(route, like.link.name));
  for (const net::KernelRoute& each : like.routes) {
    if (!link || is_kernels(each.dst) || each.dst.addr.is_multicast()) continue;
    net::RouteSpec spec;
    spec.dst = each.dst;
    spec.table = each.table;
    if (!each.gateways.empty()) spec.gateway = each.gateways.front();
    if (each.priority != 0) spec.priority = each.priority;
    if (each.dst.family() == Family::kIpv4) spec.scope = each.scope;
    spec.gateway_on_link = spec.gateway.has_value();
    const Status added = net::add_route(route, *link, spec, net::IfThere::kFail);
    if (!added.ok() && added.error().errnum() != EEXIST) return added;
  }
  return {};
}

}  // namespace

Result<NodeImage> take_image(Netlink& route) {
  NodeImage out;
  for (const char* key : kCopiedSettings) {
    CNIO_LET(const auto value, net::read_sysctl(key));
    if (value) out.settings.emplace_back(key, *value);
  }
  CNIO_LET(const std::vector<Link> links, net::list_links(route));
  for (const Link& link : links) {
    CNIO_LET(NodeImage::OneLink one, take_link(route, link));
    if (!is_left_out(one)) out.links.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<std::string>> put_image(const NodeImage& image, Netlink& route, const net::Namespace& elsewhere) {
  std::vector<std::string> left_out;
  const auto note = [&](const std::string& what, const Status& done) {
    if (!done.ok()) left_out.push_back(what + ": " + done.error().msg());
  };
  for (const auto& [key, value] : image.settings) {
    const auto written = net::write_sysctl(key, value);
    note(key, written.ok() ? Status() : Status(written.error()));
  }
  for (const NodeImage::OneLink& each : image.links) note(each.link.name, make_link(route, each.link, elsewhere));
  for (const NodeImage::OneLink& each : image.links) note(each.link.name, dress_link(route, each));
  for (const NodeImage::OneLink& each : image.links) note(each.link.name, add_routes(route, each));
  return left_out;
}

}  // namespace cnio::cnioctl
