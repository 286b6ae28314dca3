// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <functional>
#include <linux/netlink.h>

#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/routers.hpp"
#include "cnio/attachment/turns.hpp"
#include "cnio/net/link/bridge.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sysctl.hpp"
#include "cnio/protocol/plugin.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

// The alias of a bridge that we made. One without it is somebody else's, or of a version that did not mark it.
constexpr char kBridgeMark[] = "cnio bridge";

// A bridge is made with this group, and has it until it is ready and gets its alias: so one that has it is ours, too,
// and whoever made it has been killed before that, or is not that far yet.
constexpr uint32_t kUnmarkedGroup = 0x636e696f;

bool is_unmarked(const net::Link& bridge) { return bridge.group == kUnmarkedGroup && bridge.alias.empty(); }

// Settings of a new bridge. The first pod must be reachable at once, not only when the bridge's link-local address has
// passed duplicate address detection; that fails in silence, as in the reference.
void prepare_new_bridge(const net::Link& bridge) {
  attachment::be_deaf_to_routers("bridge", bridge);
  (void)net::write_sysctl(net::LinkSetting{Family::kIpv6, bridge.name, "accept_dad"}, "0");
}

}  // namespace

bool is_our_bridge(const net::Link& bridge) { return bridge.alias == kBridgeMark || is_unmarked(bridge); }

Status keep_mac(net::Netlink& host, const net::Link& bridge) {
  const MacAddr mac = bridge.mac.value_or(MacAddr());
  return net::set_mac(host, bridge, mac.is_zero() ? MacAddr::random() : mac);
}

Status give_back_mac(net::Netlink& host, const net::Link& bridge, const MacAddr& mac) {
  if (bridge.mac == mac) return {};
  CNIO_LET(const std::vector<net::Link> ports, net::list_links(host, bridge.index));
  return ports.empty() ? net::set_mac(host, bridge, mac) : Status();
}

void announce_gateway(net::Netlink& host, const net::Link& bridge, const MacAddr& known) {
  const auto now = net::find_link(host, bridge.index);
  if (!now.ok() || !now.value() || !now.value()->mac || now.value()->mac == known) return;
  const net::LinkSetting setting{Family::kIpv6, bridge.name, "ndisc_notify"};
  const bool announces_ipv6 = bridge.ipv6 && bridge.ipv6->announces;
  (void)net::set_arp_notify(host, bridge);
  if (!announces_ipv6) (void)net::change_sysctl(setting, "1");
  (void)net::set_mac(host, bridge, *now.value()->mac);  // what makes the kernel announce it: take_over.hpp
  if (!announces_ipv6) (void)net::change_sysctl(setting, "0");
  if (!bridge.announces_ipv4) (void)net::set_arp_notify(host, bridge, false);
}

namespace {

// An adopted bridge whose MAC address nobody has set takes the lowest one of its ports. As a gateway it must keep what
// its pods know. To be called before the pod's port joins. True if it is settled.
//
// Not set where it is fixed already: setting it makes the host forget all its neighbours there. Where that cannot be
// told, an address below that of our ports (MacAddr::random_high) does not change when they come and go, unless the
// bridge has no other: then it has no carrier.
Result<bool> settle_mac(net::Netlink& host, const net::Link& bridge, const Config& config) {
  if (is_our_bridge(bridge) || config.vlan != 0) return true;
  if (!config.is_gateway || config.layer2()) return false;
  const std::optional<bool> fixed = net::has_fixed_mac(bridge);
  if (fixed && *fixed) return true;
  const bool below_ours = bridge.mac && bridge.mac->data()[0] < MacAddr::random_high().data()[0];
  if (!fixed && bridge.operational && below_ours) return false;
  CNIO_TRY(keep_mac(host, bridge));
  return true;
}

Result<bool> create(net::Netlink& host, const Config& config, const MacAddr& mac) {
  auto created = net::create_bridge(host, {.name = config.bridge,
                                           .mtu = config.mtu,
                                           .mac = mac,
                                           .vlan_filtering = config.filters_vlans(),
                                           .group = kUnmarkedGroup});
  if (created.ok() || created.error().errnum() != EOPNOTSUPP) return created;
  return std::move(created).error().hint(config.filters_vlans()
                                             ? "vlan and vlanTrunk need a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
                                             : "the kernel module bridge is missing");
}

}  // namespace

Result<uint32_t> default_route_mtu(net::Netlink& host) {
  CNIO_LET(const std::optional<net::IfIndex> index, net::find_default_route_link(host));
  CNIO_LET(const std::optional<net::Link> link, net::find_link(host, index.value_or(net::IfIndex::kNone)));
  if (link) return link->mtu;
  return Error::make(Code::kKernel,
                     "\"mtu\": \"auto\": this host has no default route whose interface could tell the MTU")
      .hint("write the number into the configuration, or add the route first");
}

Error lost_bridge(const std::string& name) {
  return Error::make(Code::kTryAgain, "bridge " + name + " was removed while a pod was being connected to it")
      .hint("the next ADD makes it again; pods that were connected to it before have to be restarted");
}

Error explain_lost_bridge(net::Netlink& host, const net::Link& bridge, Error error) {
  const auto still = net::find_link(host, bridge.index);
  if (error.code() == Code::kTryAgain || !still.ok() || still.value()) return error;
  return lost_bridge(bridge.name).hint("what failed was: " + error.msg());
}

namespace {

Status refuse_unsuitable(const net::Link& link, const Config& config) {
  if (link.name != config.bridge) {
    return Error::make(Code::kConflict,
                       "the name " + config.bridge + " is an alternative name of the interface " + link.name)
        .hint("give the network another name in the key \"bridge\", or see `ip link property del`");
  }
  if (link.kind != "bridge") {
    return Error::make(Code::kConflict, "interface " + config.bridge + " exists and is no bridge" +
                                            (link.kind.empty() ? "" : " but of kind " + link.kind))
        .hint("give the network another name in the key \"bridge\", or remove the interface");
  }
  if (config.filters_vlans() && !link.vlan_filtering) {
    // Switching it on could cut off ports that others rely on; without it pods would not be separated.
    return Error::make(Code::kConflict, "bridge " + config.bridge + " exists and does not filter VLANs")
        .hint("`ip link set " + config.bridge +
              " type bridge vlan_filtering 1` makes it, if its other ports can do with their VLANs");
  }
  return {};
}

// A bridge that has no port but our own ends of VLANs, if `removable` says that it may go.
Status remove_empty_bridge(net::Netlink& host, const Config& config,
                           const std::function<bool(const net::Link&)>& removable) {
  const auto alone = attachment::Turns::open("bridge").alone_with_bridges();
  if (!alone.granted) return {};  // it is about to get a port
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  if (!bridge || bridge->kind != "bridge") return {};
  CNIO_LET(const std::vector<net::Link> ports, net::list_links(host, bridge->index));
  const bool in_use = std::any_of(ports.begin(), ports.end(), [&](const net::Link& port) {
    return !attachment::is_gateway_port(port, config.bridge);
  });
  if (in_use || !removable(*bridge)) return {};
  for (const net::Link& port : ports) CNIO_TRY(net::remove_link(host, port));
  return net::remove_link(host, *bridge);
}

// Makes the bridge, unless another ADD is faster, whose bridge is as good.
Result<net::Link> make_bridge(net::Netlink& host, const Config& config, const MacAddr& mac, BridgeLink& bridge,
                              Rollback& undo) {
  auto created = create(host, config, mac);
  // It may be there although its answer is lost: then it has this MAC address. Another ADD may rely on it by then: its
  // port, or its lock, keeps it.
  if (!created.ok() || created.value()) {
    undo.add("remove bridge " + config.bridge, [config, mac]() -> Status {
      CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
      return remove_empty_bridge(again, config, [&](const net::Link& link) { return link.mac == mac; });
    });
  }
  CNIO_LET(bridge.created, std::move(created));
  CNIO_LET(const std::optional<net::Link> link, net::find_name_owner(host, config.bridge));
  if (!link) return lost_bridge(config.bridge);
  return *link;
}

// An adopted bridge believes routers, like each interface, unless somebody has told it not to: it may go on if it has
// an uplink, which may lead to some.
Status judge_routers(net::Netlink& host, const net::Link& bridge, const Config& config) {
  if (!bridge.ipv6 || bridge.ipv6->accept_ra == 0) return {};
  CNIO_LET(const bool trusted, attachment::may_believe_routers(host, bridge, config.host_prefix));
  if (!trusted) attachment::be_deaf_to_routers("bridge", bridge);
  return {};
}

// `made`: by us or, meanwhile, by another ADD.
Status prepare(net::Netlink& host, const Config& config, BridgeLink& bridge, bool made) {
  if (made || is_unmarked(bridge.link)) {
    prepare_new_bridge(bridge.link);
    if (is_unmarked(bridge.link)) CNIO_TRY(net::set_alias(host, bridge.link, kBridgeMark, 0));
    bridge.mac_settled = true;
  } else {
    if (!is_our_bridge(bridge.link)) CNIO_TRY(judge_routers(host, bridge.link, config));
    CNIO_LET(bridge.mac_settled, settle_mac(host, bridge.link, config));
  }
  if (config.promiscuous && !bridge.link.promiscuous) CNIO_TRY(net::set_promiscuous(host, bridge.link));
  return bridge.link.up ? Status() : net::set_link_up(host, bridge.link);
}

}  // namespace

Status check_bridge_name(net::Netlink& host, const Config& config) {
  CNIO_LET(const std::optional<net::Link> link, net::find_name_owner(host, config.bridge));
  return link ? refuse_unsuitable(*link, config) : Status();
}

Result<BridgeLink> ensure_bridge(net::Netlink& host, const Config& config, Rollback& undo,
                                 const std::optional<MacAddr>& mac) {
  BridgeLink bridge;
  CNIO_LET(const std::optional<net::Link> present, net::find_link(host, config.bridge));
  if (present) {
    bridge.link = *present;
  } else {
    CNIO_LET(bridge.link, make_bridge(host, config, mac ? *mac : MacAddr::random(), bridge, undo));
  }
  CNIO_TRY(refuse_unsuitable(bridge.link, config));
  const Status prepared = prepare(host, config, bridge, !present);
  if (!prepared.ok()) return explain_lost_bridge(host, bridge.link, prepared.error());
  return bridge;
}

Status require_vlan_filtering(const Config& config) {
  if (!config.filters_vlans()) return {};
  // Only a bridge can tell, and trying must not show on the host.
  return net::Namespace::run_in_new([&]() -> Status {
    CNIO_LET(net::Netlink elsewhere, net::Netlink::open(NETLINK_ROUTE));
    CNIO_TRY(create(elsewhere, config, MacAddr::random()));
    return {};
  });
}

Status remove_bridge_if_empty(net::Netlink& host, const Config& config) {
  return remove_empty_bridge(host, config, [](const net::Link& bridge) {
    if (is_our_bridge(bridge)) return true;
    protocol::note("bridge",
                   "bridge " + bridge.name + " is empty and stays: it has not the mark of one that was made here");
    return false;
  });
}

}  // namespace cnio::bridge
