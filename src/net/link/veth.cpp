// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/veth.hpp"

#include <cerrno>
#include <linux/if.h>
#include <linux/netlink.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>

#include "net/link/message.hpp"
#include "net/link/removal.hpp"

namespace cnio::net {

namespace {

constexpr int kMaxBridgePorts = 1023;  // the kernel's BR_MAX_PORTS, of which 0 is none

// Requests with IFLA_* attributes on an existing link, or on one to be made.
Result<MsgPtr> build_link(rtnl_link* link, int flags, const std::string& operation) {
  nl_msg* message = nullptr;
  CNIO_TRY(built(rtnl_link_build_add_request(link, flags, &message), operation));
  return MsgPtr(message);
}

void set_address(rtnl_link* link, const std::optional<MacAddr>& mac) {
  if (!mac) return;
  const NlAddrPtr address(checked(nl_addr_build(AF_LLC, mac->data(), 6)));
  rtnl_link_set_addr(link, address.get());
}

}  // namespace

Status create_veth(Netlink& route, const VethSpec& spec) {
  const RtnlLinkPtr host(checked(rtnl_link_veth_alloc()));
  rtnl_link_set_name(host.get(), spec.host_name.c_str());
  if (spec.master != IfIndex::kNone) rtnl_link_set_master(host.get(), raw(spec.master));
  const RtnlLinkPtr sandbox(checked(rtnl_link_veth_get_peer(host.get())));
  rtnl_link_set_name(sandbox.get(), spec.sandbox_name.c_str());
  if (spec.sandbox_fd >= 0) rtnl_link_set_ns_fd(sandbox.get(), spec.sandbox_fd);
  if (spec.mtu != 0) {
    rtnl_link_set_mtu(host.get(), spec.mtu);
    rtnl_link_set_mtu(sandbox.get(), spec.mtu);
  }
  set_address(host.get(), spec.host_mac);
  set_address(sandbox.get(), spec.sandbox_mac);
  const std::string operation = "create veth pair " + spec.host_name + " - " + spec.sandbox_name;
  CNIO_LET(const MsgPtr message, build_link(host.get(), NLM_F_CREATE | NLM_F_EXCL, operation));
  Status created = route.request(message.get(), operation);
  if (created.ok() || created.error().errnum() != EXFULL) return created;
  return std::move(created)
      .error()
      .note("the bridge has " + std::to_string(kMaxBridgePorts) + " ports, and no bridge can have more")
      .hint("run fewer pods on this host, or connect some of them to another bridge");
}

Status remove_pair(Netlink& host, const Link& host_end, Netlink& sandbox, const Link& sandbox_end,
                   const std::vector<int>& slow, const Crowd* crowd) {
  const auto removed = remove_swiftly(host_end, sandbox, sandbox_end, slow, crowd);
  return removed.ok() && removed.value() ? Status() : remove_link(host, host_end);
}

}  // namespace cnio::net
