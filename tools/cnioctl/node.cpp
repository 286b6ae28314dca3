// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/node.hpp"

#include <algorithm>

#include "cnio/base/unique_fd.hpp"
#include "cnio/firewall/forward_policy.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sysctl.hpp"

#include "cnioctl/rivals.hpp"

namespace cnio::cnioctl {
namespace {

using ipam::NodeSubnets;
using net::IfIndex;
using net::Link;
using net::Netlink;
using net::OwnedAddress;

constexpr char kNode[] = "node";
// What flannel and wg-quick count for what they put around a packet: outer addresses of IPv4, and of either family.
constexpr uint32_t kVxlanRoom = 50;
constexpr uint32_t kWireguardRoom = 80;
// What the old iptables keeps in x_tables; the file holds the tables' names.
constexpr char kLegacyTables[] = "/proc/net/ip_tables_names";
constexpr size_t kMaxTableNames = 4096;

uint32_t room_for(Overlay overlay) {
  if (overlay == Overlay::kNone) return 0;
  return overlay == Overlay::kVxlan ? kVxlanRoom : kWireguardRoom;
}

Result<Link> find_uplink(Netlink& host, const std::string& name) {
  auto index = name.empty() ? net::find_default_route_link(host) : Result<std::optional<IfIndex>>(std::nullopt);
  if (!index.ok()) return std::move(index).error();
  if (name.empty() && !index.value()) {
    return Error::make(Code::kConflict, "there is no default route, so the uplink has to be named").hint("--uplink");
  }
  CNIO_LET(const std::optional<Link> link,
           name.empty() ? net::find_link(host, *index.value()) : net::find_link(host, name));
  if (!link) return Error::make(Code::kConflict, "there is no interface " + quote(name));
  return *link;
}

// The node as far as it is asked more than once.
class Node {
 public:
  Node(Netlink& host, const NodeSubnets& subnets, std::string bridge, const Wire& wire)
      : host_(host), subnets_(subnets), bridge_name_(std::move(bridge)), wire_(wire) {}

  Report look() {
    note_failure(read());
    check_addresses();
    for (const Cidr& subnet : subnets_.subnets) note_failure(check_routes(subnet));
    note_failure(check_forward_drop());
    check_forwarding();
    check_reverse_path();
    check_mtu();
    check_bridge_filter();
    check_legacy_tables();
    return std::move(report_);
  }

 private:
  void add(Level level, std::string what, std::string kind) {
    report_.add({level, kNode, std::move(what), std::move(kind)});
  }
  void note_failure(const Status& status) {
    if (!status.ok()) report_.blind(kNode, status.error());
  }

  Status read() {
    CNIO_LET(links_, net::list_links(host_));
    CNIO_LET(addresses_, net::list_addresses(host_));
    return {};
  }

  [[nodiscard]] const Link* link(IfIndex index) const {
    const auto found =
        std::find_if(links_.begin(), links_.end(), [&](const Link& each) { return each.index == index; });
    return found == links_.end() ? nullptr : &*found;
  }
  [[nodiscard]] const Link* bridge() const {
    const auto found =
        std::find_if(links_.begin(), links_.end(), [&](const Link& each) { return each.name == bridge_name_; });
    return found == links_.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::string name_of(IfIndex index) const {
    const Link* found = link(index);
    return found == nullptr ? "an interface" : found->name;
  }
  [[nodiscard]] bool is_bridge(IfIndex index) const { return bridge() != nullptr && bridge()->index == index; }

  void check_addresses() {
    for (const OwnedAddress& own : addresses_) {
      if (!is_bridge(own.owner)) check_address(own);
    }
  }

  void check_address(const OwnedAddress& own) {
    const Cidr& cidr = own.address.cidr;
    const std::string what = cidr.to_string() + " of " + name_of(own.owner);
    for (const Cidr& subnet : subnets_.subnets) {
      const bool of_overlay = is_of_overlay(cidr, subnet);
      if (cidr.overlaps(subnet) && !of_overlay) {
        return add(Level::kError, what + " overlaps the subnet " + subnet.network().to_string(), "overlap");
      }
      if (of_overlay) return;
    }
    for (const Cidr& network : subnets_.networks) {
      if (!cidr.overlaps(network)) continue;
      add(Level::kNote,
          what + " lies in the cluster's range " + network.network().to_string() +
              ": pods reach it without masquerading",
          "cluster");
    }
  }

  Status check_routes(const Cidr& subnet) {
    CNIO_LET(const auto route, find_rival_route(host_, subnet, [&](IfIndex link) { return is_bridge(link); }));
    if (!route) return {};
    add(Level::kError,
        "the route to " + route->dst.to_string() + " leads to " + name_of(route->link) +
            ", so another node or network has addresses of " + subnet.network().to_string(),
        "overlap");
    return {};
  }

  Status check_forward_drop() {
    CNIO_LET(auto nft, net::NftConnection::open());
    if (!nft) return {};
    firewall::ForwardSpec spec{bridge_name_, bridge() == nullptr ? IfIndex::kNone : bridge()->index, {}};
    for (const Cidr& subnet : subnets_.subnets) spec.sources.push_back(subnet.network());
    CNIO_LET(const auto drop, firewall::find_forward_drop(*nft, host_, spec));
    if (drop) add(Level::kError, drop->message() + ": " + drop->hint(), "forward-drop");
    return {};
  }

  void check_forwarding() {
    for (const Cidr& subnet : subnets_.subnets) {
      const bool v4 = subnet.addr.is_v4();
      const std::string key = v4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding";
      if (setting(key) == "1") continue;
      add(Level::kNote, std::string(family_name(subnet.family())) + " forwarding is off until the first pod's ADD",
          "no-forwarding");
    }
  }

  // Between pods it does no harm; what a node itself sends over an overlay comes from another address than the way back
  // has (Documentation/networking/ip-sysctl: the stricter of the two settings counts).
  void check_reverse_path() {
    for (const Link& each : links_) {
      if (each.kind != "vxlan" && each.kind != "wireguard" && each.kind != "tun") continue;
      if (std::max(setting("ipv4/conf/all/rp_filter"), setting("ipv4/conf/" + each.name + "/rp_filter")) == "1") {
        warn_of_reverse_path(each.name);
      }
    }
    if (wire_.overlay != Overlay::kNone && setting("ipv4/conf/default/rp_filter") == "1") {
      warn_of_reverse_path("default");
    }
  }
  void warn_of_reverse_path(const std::string& name) {
    add(Level::kWarning,
        "net.ipv4.conf." + name +
            ".rp_filter is 1: what nodes themselves send to pods over an overlay "
            "is dropped; 2 lets it through",
        "rp-filter");
  }

  void check_mtu() {
    const auto fits = pod_mtu(host_, wire_);
    if (!fits.ok()) return report_.blind(kNode, fits.error());
    const std::string mtu = std::to_string(subnets_.mtu);
    if (subnets_.mtu > fits.value()) {
      add(Level::kError,
          "the pods' MTU " + mtu + " is more than the " + std::to_string(fits.value()) +
              " that the way to other nodes carries",
          "mtu");
    }
    if (bridge() != nullptr && bridge()->mtu != subnets_.mtu) {
      add(Level::kNote, bridge_name_ + " has MTU " + std::to_string(bridge()->mtu) + ", new pods will have " + mtu,
          "mtu");
    }
  }

  void check_bridge_filter() {
    if (setting("bridge/bridge-nf-call-iptables") != "1") return;
    add(Level::kNote,
        "net.bridge.bridge-nf-call-iptables is 1: what pods of this node say to each other passes the FORWARD "
        "chain, too; kube-proxy needs that",
        "bridge-nf");
  }

  void check_legacy_tables() {
    const auto names = read_file(kLegacyTables, kMaxTableNames);
    if (!names.ok() || ("\n" + names.value()).find("\nfilter\n") == std::string::npos) return;
    add(Level::kNote, "iptables-legacy has rules here, which cannot be read: iptables-legacy -S FORWARD",
        "iptables-legacy");
  }

  // "" if there is none.
  static std::string setting(const std::string& key) {
    auto value = net::read_sysctl(key);
    return value.ok() && value.value() ? *std::move(value).value() : std::string();
  }

  Netlink& host_;
  const NodeSubnets& subnets_;
  std::string bridge_name_;
  const Wire& wire_;
  Report report_;
  std::vector<Link> links_;
  std::vector<OwnedAddress> addresses_;
};

}  // namespace

std::optional<Overlay> overlay_of(const std::string& text) {
  if (text == "none") return Overlay::kNone;
  if (text == "vxlan") return Overlay::kVxlan;
  return text == "wireguard" ? std::optional(Overlay::kWireguard) : std::nullopt;
}

Result<uint32_t> pod_mtu(Netlink& host, const Wire& wire) {
  CNIO_LET(const Link uplink, find_uplink(host, wire.uplink));
  const uint32_t room = room_for(wire.overlay);
  if (uplink.mtu > room) return uplink.mtu - room;
  return Error::make(Code::kConflict, "the MTU of " + uplink.name + " leaves no room for an overlay");
}

Report look_at_node(Netlink& host, const NodeSubnets& subnets, const std::string& bridge, const Wire& wire) {
  return Node(host, subnets, bridge, wire).look();
}

}  // namespace cnio::cnioctl
