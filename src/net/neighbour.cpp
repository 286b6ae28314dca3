// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/neighbour.hpp"

#include <cerrno>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

MsgPtr neighbour_message(int type, int flags, const Link& link, const IpAddr& address, uint16_t state = NUD_NONE) {
  MsgPtr message(checked(nlmsg_alloc_simple(type, flags)));
  ndmsg info{};
  info.ndm_family = static_cast<uint8_t>(af_of(address.family()));
  info.ndm_ifindex = static_cast<int>(link.index);
  info.ndm_state = state;
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  must(nla_put(message.get(), NDA_DST, static_cast<int>(address.size()), address.data()));
  return message;
}

std::string of(const IpAddr& address, const Link& link) { return address.to_string() + " on " + link.name; }

// Also where such a question cannot be asked (Linux before 5.0, an emulator): nobody knows of an entry then.
bool is_absent(const Error& error) {
  return error.errnum() == ENOENT || error.errnum() == ENODEV || error.errnum() == EOPNOTSUPP;
}

}  // namespace

Result<std::optional<Neighbour>> find_neighbour(Netlink& route, const Link& link, const IpAddr& address) {
  const MsgPtr message = neighbour_message(RTM_GETNEIGH, 0, link, address);
  std::optional<Neighbour> found;
  const Status asked = route.query(message.get(), "look up the neighbour " + of(address, link), [&](nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWNEIGH) return;
    const nlattr* mac = nlmsg_find_attr(&answer, sizeof(ndmsg), NDA_LLADDR);
    found.emplace();
    // An entry that has none in use may still show one of before.
    const auto* info = static_cast<const ndmsg*>(nlmsg_data(&answer));
    const bool usable = (info->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) == 0;
    if (usable && mac != nullptr && nla_len(mac) == 6) found->mac = MacAddr::from_bytes(nla_data(mac));
  });
  if (!asked.ok() && !is_absent(asked.error())) return asked.error();
  return found;
}

Result<bool> replace_neighbour(Netlink& route, const Link& link, const IpAddr& address, const MacAddr& mac) {
  const MsgPtr message = neighbour_message(RTM_NEWNEIGH, NLM_F_REPLACE, link, address, NUD_STALE);
  must(nla_put(message.get(), NDA_LLADDR, 6, mac.data()));
  const Status replaced = route.request(message.get(), "replace the neighbour " + of(address, link));
  if (replaced.ok()) return true;
  if (is_absent(replaced.error())) return false;
  return replaced.error();
}

Status remove_neighbour(Netlink& route, const Link& link, const IpAddr& address) {
  const MsgPtr message = neighbour_message(RTM_DELNEIGH, 0, link, address);
  Status removed = route.request(message.get(), "remove the neighbour " + of(address, link));
  if (!removed.ok() && is_absent(removed.error())) return {};
  return removed;
}

}  // namespace cnio::net
