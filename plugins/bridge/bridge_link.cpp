// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <linux/netlink.h>

#include "cnio/feature/turns.hpp"
#include "cnio/net/forwarding.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sysctl.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

// Settings of a new bridge. The node's own routing must not follow what a pod advertises; and the first pod must be
// reachable at once, not only when the bridge's link-local address has passed duplicate address detection. Neither is
// vital, and a read-only /proc/sys (a runtime inside a container) must not stop pods from starting, so a failure is let
// pass, as in the reference.
void prepare_new_bridge(const std::string& bridge) {
  (void)net::write_sysctl("ipv6/conf/" + bridge + "/accept_ra", "0");
  (void)net::write_sysctl("ipv6/conf/" + bridge + "/accept_dad", "0");
}

Result<bool> create(net::Netlink& host, const Config& config) {
  auto created = net::create_bridge(
      host,
      {.name = config.bridge, .mtu = config.mtu, .mac = MacAddr::random(), .vlan_filtering = config.filters_vlans()});
  if (created.ok() || created.error().errnum() != EOPNOTSUPP) return created;
  return std::move(created).error().hint(config.filters_vlans()
                                             ? "vlan and vlanTrunk need a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
                                             : "the kernel module bridge is missing");
}

bool conflicts(const Cidr& present, const Cidr& wanted) {
  if (present.family() != wanted.family() || present == wanted) return false;
  // A bridge has its own link-local address besides any gateway.
  if (present.addr.is_link_local_unicast() && !present.addr.is_v4()) return false;
  return present.addr.is_v4() || present.overlaps(wanted);
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

}  // namespace

Status check_bridge_name(net::Netlink& host, const Config& config) {
  CNIO_LET(const std::optional<net::Link> link, net::find_name_owner(host, config.bridge));
  return link ? refuse_unsuitable(*link, config) : Status();
}

Result<BridgeLink> ensure_bridge(net::Netlink& host, const Config& config, Rollback& undo) {
  BridgeLink bridge;
  bool made = false;  // by us or, meanwhile, by another ADD
  CNIO_LET(std::optional<net::Link> link, net::find_link(host, config.bridge));
  if (!link) {
    auto created = create(host, config);
    // It may be there although its answer is lost. Another ADD may rely on it by then: its port, or its lock, keeps it.
    if (!created.ok() || created.value()) {
      undo.add("remove bridge " + config.bridge, [config]() -> Status {
        CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
        return remove_bridge_if_empty(again, config);
      });
    }
    // "Exists" means that another ADD was faster: its bridge is as good.
    CNIO_LET(bridge.created, std::move(created));
    CNIO_LET(link, net::find_name_owner(host, config.bridge));
    if (!link) return lost_bridge(config.bridge);
    made = true;
  }
  CNIO_TRY(refuse_unsuitable(*link, config));
  if (made) prepare_new_bridge(config.bridge);
  if (config.promiscuous && !link->promiscuous) CNIO_TRY(net::set_promiscuous(host, *link));
  if (!link->up) {
    Status up = net::set_link_up(host, *link);
    if (!up.ok()) return explain_lost_bridge(host, *link, std::move(up).error());
  }
  bridge.link = *std::move(link);
  return bridge;
}

Status require_vlan_filtering(const Config& config) {
  if (!config.filters_vlans()) return {};
  // Only a bridge can tell, and trying must not show on the host.
  return net::Namespace::run_in_new([&]() -> Status {
    CNIO_LET(net::Netlink elsewhere, net::Netlink::open(NETLINK_ROUTE));
    CNIO_TRY(create(elsewhere, config));
    return {};
  });
}

Result<GatewayPlan> plan_gateway(net::Netlink& host, const Config& config, const std::vector<Cidr>& wanted) {
  GatewayPlan plan;
  if (wanted.empty()) return plan;
  const std::string name = config.gateway_interface();
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, name));
  std::vector<net::Address> present;
  if (gateway) {
    CNIO_LET(present, net::list_addresses(host, *gateway));
  }
  const auto is_wanted = [&](const Cidr& cidr) {
    return std::find(wanted.begin(), wanted.end(), cidr) != wanted.end();
  };
  for (const net::Address& address : present) {
    const auto conflict =
        std::find_if(wanted.begin(), wanted.end(), [&](const Cidr& cidr) { return conflicts(address.cidr, cidr); });
    if (conflict == wanted.end() || is_wanted(address.cidr)) continue;
    if (!config.force_address) {
      return Error::make(Code::kConflict, (config.vlan == 0 ? "bridge " : "interface ") + name + " has the address " +
                                              address.cidr.to_string() + ", which conflicts with the gateway address " +
                                              conflict->to_string())
          .hint("set \"forceAddress\": true to have it replaced, or use another bridge for this network");
    }
    plan.remove.push_back(address.cidr);
  }
  for (const Cidr& cidr : wanted) {
    const bool there =
        std::any_of(present.begin(), present.end(), [&](const net::Address& address) { return address.cidr == cidr; });
    if (!there) plan.add.push_back(cidr);
  }
  return plan;
}

Status configure_gateway(net::Netlink& host, const BridgeLink& bridge, const Config& config, const GatewayPlan& plan,
                         const std::vector<Cidr>& wanted) {
  if (wanted.empty()) return {};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool needed =
        std::any_of(wanted.begin(), wanted.end(), [&](const Cidr& cidr) { return cidr.family() == family; });
    if (needed) CNIO_TRY(net::switch_on_forwarding(host, family));
  }
  CNIO_LET(const net::Link gateway, ensure_gateway_interface(host, bridge.link, config));
  for (const Cidr& cidr : plan.remove) CNIO_TRY(net::remove_address(host, gateway, cidr));
  for (const Cidr& cidr : plan.add) {
    const Status added = net::add_address(host, gateway, cidr, net::DuplicateDetection::kOff);
    if (!added.ok() && added.error().errnum() != EEXIST) return added;
  }
  // A bridge made by others may still take its MAC from its ports, and change it when pods come and go. What it is now
  // stays, not what it was when this ADD began: another ADD may have settled it since, and reported it.
  if (!plan.add.empty() && !bridge.created && config.vlan == 0) {
    CNIO_LET(const std::optional<net::Link> now, net::find_link(host, bridge.link.index));
    const MacAddr mac = now.value_or(bridge.link).mac.value_or(MacAddr());
    CNIO_TRY(net::set_mac(host, bridge.link, mac.is_zero() ? MacAddr::random() : mac));
  }
  return {};
}

Status remove_bridge_if_empty(net::Netlink& host, const Config& config) {
  const auto alone = feature::Turns::open("bridge").alone_with_bridges();
  if (!alone.granted) return {};  // it is about to get a port
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  if (!bridge || bridge->kind != "bridge") return {};
  CNIO_LET(const std::vector<net::Link> ports, net::list_links(host, bridge->index));
  const bool in_use = std::any_of(ports.begin(), ports.end(),
                                  [&](const net::Link& port) { return !is_gateway_port(port, config.bridge); });
  if (in_use) return {};
  for (const net::Link& port : ports) CNIO_TRY(net::remove_link(host, port));
  return net::remove_link(host, *bridge);
}

}  // namespace cnio::bridge
