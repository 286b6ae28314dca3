// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/address.hpp"

#include <cerrno>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>

#include "nl_ptr.hpp"

namespace cnio::net {
namespace {

struct OwnedAddress {
  IfIndex owner;
  Address address;
};

std::optional<OwnedAddress> parse_address(nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWADDR) return std::nullopt;
  nlattr* attributes[IFA_FLAGS + 1] = {};
  if (nlmsg_parse(&header, sizeof(ifaddrmsg), attributes, IFA_FLAGS, nullptr) < 0) return std::nullopt;
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(&header));
  // IPv4: the local address; IFA_ADDRESS is the other side of a point-to-point link.
  const nlattr* own = attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  if (own == nullptr || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)) return std::nullopt;
  const uint32_t flags = attributes[IFA_FLAGS] != nullptr ? value_of<uint32_t>(attributes[IFA_FLAGS]) : info->ifa_flags;
  Address address;
  address.cidr = {to_ip(own), info->ifa_prefixlen};
  address.scope = info->ifa_scope;
  address.tentative = (flags & IFA_F_TENTATIVE) != 0;
  address.dad_failed = (flags & IFA_F_DADFAILED) != 0;
  return OwnedAddress{IfIndex{static_cast<int>(info->ifa_index)}, address};
}

RtnlAddrPtr to_rtnl(const Link& link, const Cidr& cidr) {
  RtnlAddrPtr address(checked(rtnl_addr_alloc()));
  rtnl_addr_set_ifindex(address.get(), static_cast<int>(link.index));
  if (rtnl_addr_set_local(address.get(), to_nl_addr(cidr).get()) < 0) throw std::bad_alloc();
  rtnl_addr_set_prefixlen(address.get(), cidr.prefix);
  return address;
}

}  // namespace

Result<std::vector<Address>> list_addresses(Netlink& route, const Link& link, std::optional<Family> family) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP)));
  ifaddrmsg info{};
  info.ifa_family = static_cast<unsigned char>(family ? af_of(*family) : AF_UNSPEC);
  info.ifa_index = static_cast<unsigned>(link.index);
  if (nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  std::vector<Address> addresses;
  const auto add = [&](nlmsghdr& answer) {
    auto found = parse_address(answer);
    if (found && found->owner == link.index) addresses.push_back(found->address);
  };
  const Status listed = route.query(message.get(), "list addresses of " + link.name, add, [&] { addresses.clear(); });
  // The kernel, which selects by link, says so if that is gone.
  if (!listed.ok() && listed.error().errnum() != ENODEV) return listed.error();
  return addresses;
}

Status add_address(Netlink& route, const Link& link, const Cidr& cidr, DuplicateDetection detection) {
  const RtnlAddrPtr address = to_rtnl(link, cidr);
  if (cidr.addr.is_v4() && cidr.prefix < 31) {
    const NlAddrPtr broadcast = to_nl_addr(Cidr::host(cidr.last()));
    if (rtnl_addr_set_broadcast(address.get(), broadcast.get()) < 0) throw std::bad_alloc();
  }
  if (!cidr.addr.is_v4() && detection == DuplicateDetection::kOff) rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
  nl_msg* message = nullptr;
  if (rtnl_addr_build_add_request(address.get(), NLM_F_CREATE | NLM_F_EXCL, &message) < 0) throw std::bad_alloc();
  return route.request(MsgPtr(message).get(), "add address " + cidr.to_string() + " to " + link.name);
}

Status remove_address(Netlink& route, const Link& link, const Cidr& cidr) {
  nl_msg* message = nullptr;
  if (rtnl_addr_build_delete_request(to_rtnl(link, cidr).get(), 0, &message) < 0) throw std::bad_alloc();
  const Status removed =
      route.request(MsgPtr(message).get(), "remove address " + cidr.to_string() + " from " + link.name);
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
  const auto look = [&]() -> Status {
    CNIO_LET(const std::vector<Address> addresses, list_addresses(route, link, Family::kIpv6));
    undecided.reset();
    for (const Address& address : addresses) {
      if (address.dad_failed) refused = address;
      if (address.tentative) undecided = address;
    }
    return {};
  };
  CNIO_TRY(look());
  Status failure;
  if (undecided && !refused) {
    CNIO_LET(const bool settled, events_.wait_for(timeout_ms, [&](nlmsghdr*) {
      failure = look();
      return !failure.ok() || refused || !undecided;
    }));
    (void)settled;  // `undecided` says it with its name
  }
  CNIO_TRY(std::move(failure));
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
