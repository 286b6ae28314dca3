// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/ears.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

namespace cnio::cnioctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kQuiet{50};
constexpr std::chrono::milliseconds kLongestBurst{250};
// Of one reading: whoever never stops talking is not listened to for ever.
constexpr size_t kMany = 4096;

constexpr uint16_t of_rules(int type) { return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type); }

template <class Header>
const Header* header_in(const nlmsghdr& message) {
  return message.nlmsg_len >= NLMSG_LENGTH(sizeof(Header)) ? static_cast<const Header*>(NLMSG_DATA(&message)) : nullptr;
}

net::IfIndex limited_link(const nlmsghdr& message) {
  const auto* info = header_in<tcmsg>(message);
  return info == nullptr ? net::IfIndex::kNone : net::IfIndex{info->tcm_ifindex};
}

// What a bridge says of its ports: flags and VLANs.
net::IfIndex changed_port(const nlmsghdr& message) {
  const auto* info = header_in<ifinfomsg>(message);
  return info == nullptr || info->ifi_family != AF_BRIDGE ? net::IfIndex::kNone : net::IfIndex{info->ifi_index};
}

void touch(net::IfIndex index, Heard& heard) {
  if (index != net::IfIndex::kNone) heard.touched.insert(index);
}

// What is only added loses nobody anything; of links it cannot be told.
bool understand_route(const nlmsghdr& message, Heard& heard) {
  switch (message.nlmsg_type) {
    case RTM_DELQDISC:
    case RTM_DELTFILTER:
      touch(limited_link(message), heard);
      return true;
    case RTM_NEWLINK:
    case RTM_DELLINK:
      touch(changed_port(message), heard);
      return true;
    case RTM_DELADDR:
    case RTM_NEWNETCONF:
      return true;
    default:
      return false;
  }
}

bool understand_rules(const nlmsghdr& message, Heard& heard) {
  static constexpr std::array<uint16_t, 5> kLosses = {of_rules(NFT_MSG_DELTABLE), of_rules(NFT_MSG_DELCHAIN),
                                                      of_rules(NFT_MSG_DELRULE), of_rules(NFT_MSG_DELSET),
                                                      of_rules(NFT_MSG_DELSETELEM)};
  if (message.nlmsg_type == kLosses.front()) heard.table_deleted = true;
  return std::find(kLosses.begin(), kLosses.end(), message.nlmsg_type) != kLosses.end();
}

Status empty(net::Netlink& socket, Heard& heard, bool (*understand)(const nlmsghdr&, Heard&)) {
  size_t read = 0;
  const auto seen = [&](nlmsghdr* message) {
    if (message == nullptr) heard.lost = true;
    if (message == nullptr || understand(*message, heard)) ++heard.count;
    return ++read >= kMany;
  };
  CNIO_TRY(socket.wait_for(0, seen));
  return {};
}

}  // namespace

void Heard::add(const Heard& other) {
  lost = lost || other.lost;
  table_deleted = table_deleted || other.table_deleted;
  touched.insert(other.touched.begin(), other.touched.end());
  count += other.count;
}

Result<Ears> Ears::open() {
  CNIO_LET(net::Netlink route,
           net::Netlink::open(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_TC, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                              RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF}));
  CNIO_LET(net::Netlink rules, net::Netlink::open(NETLINK_NETFILTER, {NFNLGRP_NFTABLES}));
  return Ears(std::move(route), std::move(rules));
}

Result<bool> Ears::poll(int timeout_ms) const {
  pollfd waiting[] = {{route_.fd(), POLLIN, 0}, {rules_.fd(), POLLIN, 0}};
  const int ready = ::poll(waiting, 2, timeout_ms);
  if (ready < 0 && errno != EINTR) return Error::sys("wait for the kernel's notifications", errno, Code::kKernel);
  return ready != 0;
}

Status Ears::take(Heard& heard) {
  CNIO_TRY(empty(route_, heard, understand_route));
  return empty(rules_, heard, understand_rules);
}

Result<Heard> Ears::wait(int timeout_ms) {
  Heard heard;
  while (heard.count == 0) {
    CNIO_LET(const bool ready, poll(timeout_ms));
    if (!ready) return heard;
    CNIO_TRY(take(heard));
  }
  for (const auto end = Clock::now() + kLongestBurst; Clock::now() < end;) {
    CNIO_LET(const bool more, poll(static_cast<int>(kQuiet.count())));
    if (!more) break;
    CNIO_TRY(take(heard));
  }
  return heard;
}

}  // namespace cnio::cnioctl
