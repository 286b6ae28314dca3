// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/bridge_vlan.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

constexpr uint16_t kFirstVlan = 1;  // IEEE 802.1Q
constexpr uint16_t kLastVlan = 4094;

// Room for 4094 VLANs, each an attribute of its own.
constexpr size_t kMessageSize = 1 << 16;

uint16_t flags_of(const PortVlan& vlan) {
  return static_cast<uint16_t>((vlan.native ? BRIDGE_VLAN_INFO_PVID : 0) |
                               (vlan.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
}

// The end of the run of successive ids of the same kind that begins at `first`.
template <class Iterator>
Iterator end_of_run(Iterator first, Iterator last) {
  Iterator next = first + 1;
  while (next != last && next->id == (next - 1)->id + 1 && flags_of(*next) == flags_of(*first)) ++next;
  return next;
}

void put_vlan(nl_msg* message, uint16_t id, uint16_t flags) {
  const bridge_vlan_info info = {flags, id};
  must(nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof info, &info));
}

Status change(Netlink& route, int type, const Link& port, std::vector<PortVlan> vlans, const std::string& operation) {
  if (vlans.empty()) return {};
  std::sort(vlans.begin(), vlans.end());
  const MsgPtr message(checked(nlmsg_alloc_size(kMessageSize)));
  (void)checked(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST));
  ifinfomsg info{};
  info.ifi_family = AF_BRIDGE;
  info.ifi_index = static_cast<int>(port.index);
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  nlattr* spec = checked(nla_nest_start(message.get(), IFLA_AF_SPEC));
  for (auto run = vlans.cbegin(); run != vlans.cend();) {
    const auto end = end_of_run(run, vlans.cend());
    // The kernel takes no range that says "native".
    if (end - run == 1) {
      put_vlan(message.get(), run->id, flags_of(*run));
    } else {
      put_vlan(message.get(), run->id, static_cast<uint16_t>(flags_of(*run) | BRIDGE_VLAN_INFO_RANGE_BEGIN));
      put_vlan(message.get(), (end - 1)->id, static_cast<uint16_t>(flags_of(*run) | BRIDGE_VLAN_INFO_RANGE_END));
    }
    run = end;
  }
  nla_nest_end(message.get(), spec);
  return route.request(message.get(), operation + " " + to_string(vlans));
}

// One entry of RTM_NEWVLAN: an id, or a range of them, with their flags.
void parse_entry(nlattr* entry, std::vector<PortVlan>& vlans) {
  nlattr* at[BRIDGE_VLANDB_ENTRY_RANGE + 1] = {};
  if (nla_parse_nested(at, BRIDGE_VLANDB_ENTRY_RANGE, entry, nullptr) < 0 || at[BRIDGE_VLANDB_ENTRY_INFO] == nullptr)
    return;
  const auto info = value_of<bridge_vlan_info>(at[BRIDGE_VLANDB_ENTRY_INFO]);
  const uint16_t last =
      at[BRIDGE_VLANDB_ENTRY_RANGE] != nullptr ? value_of<uint16_t>(at[BRIDGE_VLANDB_ENTRY_RANGE]) : info.vid;
  for (uint16_t id = std::max(info.vid, kFirstVlan); id <= std::min(last, kLastVlan); ++id) {
    vlans.push_back({id, (info.flags & BRIDGE_VLAN_INFO_PVID) != 0, (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
  }
}

}  // namespace

std::string to_string(const std::vector<PortVlan>& vlans) {
  std::string text;
  for (auto run = vlans.begin(); run != vlans.end();) {
    const auto end = end_of_run(run, vlans.end());
    if (!text.empty()) text += ", ";
    text += std::to_string(run->id);
    if (end - run > 1) text.append("-").append(std::to_string((end - 1)->id));
    if (run->native) text += " native";
    if (run->untagged) text += " untagged";
    run = end;
  }
  return text.empty() ? "none" : text;
}

Result<std::vector<PortVlan>> list_port_vlans(Netlink& route, const Link& port) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETVLAN, NLM_F_DUMP)));
  br_vlan_msg about{};
  about.family = AF_BRIDGE;
  about.ifindex = static_cast<uint32_t>(port.index);
  must(nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO));
  std::vector<PortVlan> vlans;
  const auto keep = [&](nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWVLAN) return;
    nlattr* entry = nullptr;
    int remaining = 0;
    nlmsg_for_each_attr(entry, &answer, sizeof(br_vlan_msg), remaining) {
      if (nla_type(entry) == BRIDGE_VLANDB_ENTRY) parse_entry(entry, vlans);
    }
  };
  const Status listed =
      route.query(message.get(), "list the VLANs of bridge port " + port.name, keep, [&] { vlans.clear(); });
  if (!listed.ok() && listed.error().errnum() != ENODEV) return listed.error();
  std::sort(vlans.begin(), vlans.end());
  return vlans;
}

Status add_port_vlans(Netlink& route, const Link& port, const std::vector<PortVlan>& vlans) {
  return change(route, RTM_SETLINK, port, vlans, "give bridge port " + port.name + " VLAN");
}

Status remove_port_vlans(Netlink& route, const Link& port, const std::vector<PortVlan>& vlans) {
  return change(route, RTM_DELLINK, port, vlans, "take from bridge port " + port.name + " VLAN");
}

}  // namespace cnio::net
