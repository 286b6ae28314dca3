// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/address.hpp"

#include <cerrno>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

std::optional<OwnedAddress> parse_address(nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWADDR) return std::nullopt;
  nlattr* at[IFA_PROTO + 1] = {};
  if (nlmsg_parse(&header, sizeof(ifaddrmsg), at, IFA_PROTO, nullptr) < 0) return std::nullopt;
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(&header));
  // IPv4: the local address; IFA_ADDRESS is the other side of a point-to-point link.
  const nlattr* own = at[IFA_LOCAL] != nullptr ? at[IFA_LOCAL] : at[IFA_ADDRESS];
  if (own == nullptr || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)) return std::nullopt;
  const uint32_t flags = at[IFA_FLAGS] != nullptr ? value_of<uint32_t>(at[IFA_FLAGS]) : info->ifa_flags;
  Address address;
  address.cidr = {to_ip(own), info->ifa_prefixlen};
  address.scope = info->ifa_scope;
  address.tentative = (flags & IFA_F_TENTATIVE) != 0;
  address.permanent = (flags & IFA_F_PERMANENT) != 0;
  // Before 5.18 the kernel did not say so. Then it may also be DHCP's, on a network where nothing but an advertisement
  // gives a route.
  address.learned = at[IFA_PROTO] != nullptr ? value_of<uint8_t>(at[IFA_PROTO]) == IFAPROT_KERNEL_RA
                                             : info->ifa_family == AF_INET6 && !address.permanent;
  address.dad_failed = (flags & IFA_F_DADFAILED) != 0;
  return OwnedAddress{IfIndex{static_cast<int>(info->ifa_index)}, address};
}

Result<RtnlAddrPtr> to_rtnl(const Link& link, const Cidr& cidr, const std::string& operation) {
  RtnlAddrPtr address(checked(rtnl_addr_alloc()));
  rtnl_addr_set_ifindex(address.get(), static_cast<int>(link.index));
  CNIO_TRY(built(rtnl_addr_set_local(address.get(), to_nl_addr(cidr).get()), operation));
  rtnl_addr_set_prefixlen(address.get(), cidr.prefix);
  return address;
}

// Of one link, as far as the kernel is not too old to select; of all if it is none.
Result<std::vector<OwnedAddress>> dump_addresses(Netlink& route, IfIndex link, std::optional<Family> family,
                                                 const std::string& operation) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP)));
  ifaddrmsg info{};
  info.ifa_family = static_cast<unsigned char>(family ? af_of(*family) : AF_UNSPEC);
  info.ifa_index = static_cast<unsigned>(link);
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  std::vector<OwnedAddress> addresses;
  const auto add = [&](nlmsghdr& answer) {
    if (auto found = parse_address(answer)) addresses.push_back(*found);
  };
  CNIO_TRY(route.query(message.get(), operation, add, [&] { addresses.clear(); }));
  return addresses;
}

}  // namespace

Result<std::vector<OwnedAddress>> list_addresses(Netlink& route, std::optional<Family> family) {
  return dump_addresses(route, IfIndex::kNone, family, "list the host's addresses");
}

Result<std::vector<Address>> list_addresses(Netlink& route, const Link& link, std::optional<Family> family) {
  auto listed = dump_addresses(route, link.index, family, "list addresses of " + link.name);
  std::vector<Address> addresses;
  // The kernel, which selects by link, says so if that is gone.
  if (!listed.ok() && listed.error().errnum() == ENODEV) return addresses;
  CNIO_LET(const std::vector<OwnedAddress> all, std::move(listed));
  for (const OwnedAddress& each : all) {
    if (each.owner == link.index) addresses.push_back(each.address);
  }
  return addresses;
}

Status add_address(Netlink& route, const Link& link, const Cidr& cidr, DuplicateDetection detection,
                   PrefixRoute prefix_route) {
  const std::string operation = "add address " + cidr.to_string() + " to " + link.name;
  CNIO_LET(const RtnlAddrPtr address, to_rtnl(link, cidr, operation));
  if (cidr.addr.is_v4() && cidr.prefix < 31) {
    const NlAddrPtr broadcast = to_nl_addr(Cidr::host(cidr.last()));
    CNIO_TRY(built(rtnl_addr_set_broadcast(address.get(), broadcast.get()), operation));
  }
  unsigned flags = prefix_route == PrefixRoute::kNone ? IFA_F_NOPREFIXROUTE : 0;
  if (!cidr.addr.is_v4() && detection == DuplicateDetection::kOff) flags |= IFA_F_NODAD;
  rtnl_addr_set_flags(address.get(), flags);
  nl_msg* message = nullptr;
  CNIO_TRY(built(rtnl_addr_build_add_request(address.get(), NLM_F_CREATE | NLM_F_EXCL, &message), operation));
  return route.request(MsgPtr(message).get(), operation);
}

Status remove_address(Netlink& route, const Link& link, const Cidr& cidr) {
  const std::string operation = "remove address " + cidr.to_string() + " from " + link.name;
  CNIO_LET(const RtnlAddrPtr address, to_rtnl(link, cidr, operation));
  nl_msg* message = nullptr;
  CNIO_TRY(built(rtnl_addr_build_delete_request(address.get(), 0, &message), operation));
  const Status removed = route.request(MsgPtr(message).get(), operation);
  if (!removed.ok() && removed.error().errnum() != EADDRNOTAVAIL && removed.error().errnum() != ENODEV) {
    return removed.error();
  }
  return {};
}

Result<AddressEvents> AddressEvents::open() {
  CNIO_LET(Netlink events, Netlink::open(NETLINK_ROUTE, {RTNLGRP_IPV6_IFADDR}));
  return AddressEvents(std::move(events));
}

Status AddressEvents::wait_settled(Netlink& route, const Link& link, int timeout_ms) {
  std::optional<Address> undecided;
  std::optional<Address> refused;
  // The kernel removes an address that fails detection with a last notification, or keeps it flagged.
  const auto is_settled = [&]() -> Result<bool> {
    CNIO_LET(const std::vector<Address> addresses, list_addresses(route, link, Family::kIpv6));
    undecided.reset();
    for (const Address& address : addresses) {
      if (address.dad_failed) refused = address;
      if (address.tentative) undecided = address;
    }
    return refused || !undecided;
  };
  CNIO_TRY(events_.look_until(timeout_ms, is_settled, [](nlmsghdr&) { return true; }));
  if (refused) {
    return Error::make(Code::kConflict, "address " + refused->cidr.to_string() + " of " + link.name +
                                            ": duplicate address detection failed, another host on the link has it");
  }
  if (undecided) {
    return Error::make(Code::kTryAgain, "address " + undecided->cidr.to_string() + " of " + link.name +
                                            ": duplicate address detection not done within " +
                                            std::to_string(timeout_ms) + " ms");
  }
  return {};
}

}  // namespace cnio::net
