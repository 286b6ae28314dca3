// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sandbox.hpp"

#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

// NETNSA_NSID_NOT_ASSIGNED if there is none.
Result<int> namespace_id(Netlink& route, const Namespace& other) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETNSID, 0)));
  rtgenmsg about{};
  if (nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO) < 0 ||
      nla_put_u32(message.get(), NETNSA_FD, static_cast<uint32_t>(other.fd())) < 0) {
    throw std::bad_alloc();
  }
  int id = NETNSA_NSID_NOT_ASSIGNED;
  CNIO_TRY(route.query_together(
      {message.get()}, "look up the number of the sandbox's network namespace", [&](nlmsghdr& answer) {
        const nlattr* number = nlmsg_find_attr(&answer, NLMSG_ALIGN(sizeof about), NETNSA_NSID);
        if (number != nullptr) id = value_of<int>(number);
      }));
  return id;
}

Result<Netlink> open_in(const Namespace& netns, const Namespace& home, const std::vector<int>& groups) {
  std::optional<Netlink> opened;
  const auto work = [&]() -> Status {
    CNIO_LET(opened, Netlink::open(NETLINK_ROUTE, groups));
    return {};
  };
  CNIO_TRY(netns.run(work, home));
  return *std::move(opened);
}

}  // namespace

Result<std::optional<int>> find_number(Netlink& route, const Namespace& other) {
  CNIO_LET(const int id, namespace_id(route, other));
  return id == NETNSA_NSID_NOT_ASSIGNED ? std::nullopt : std::optional(id);
}

Result<Sandbox> Sandbox::enter(Namespace netns) {
  CNIO_LET(Namespace home, Namespace::current());
  CNIO_LET(Netlink route, open_in(netns, home, {}));
  return Sandbox(std::move(netns), std::move(home), std::move(route));
}

Result<Netlink> Sandbox::listen(const std::vector<int>& groups) const { return open_in(netns_, home_, groups); }

Result<Sandbox> Sandbox::open(const std::string& path) {
  CNIO_LET(Namespace netns, Namespace::open(path));
  return enter(std::move(netns));
}

Result<std::optional<Sandbox>> Sandbox::find(const std::string& path) {
  if (path.empty()) return std::optional<Sandbox>();
  CNIO_LET(std::optional<Namespace> netns, Namespace::find(path));
  if (!netns) return std::optional<Sandbox>();
  CNIO_LET(Sandbox sandbox, enter(*std::move(netns)));
  return std::optional(std::move(sandbox));
}

Result<bool> Sandbox::holds_peer_of(Netlink& host, const Link& host_end) const {
  if (!host_end.peer_namespace) {
    // Both ends are on the host, which the sandbox may be as well (CNI_NETNS_OVERRIDE).
    return home_.number() == netns_.number();
  }
  CNIO_LET(const int sandbox_id, namespace_id(host, netns_));
  return *host_end.peer_namespace == sandbox_id;
}

Result<std::optional<Link>> Sandbox::find_host_end(Netlink& host, const Link& link) const {
  CNIO_LET(std::optional<Link> found, find_link(host, link.peer));
  // Indexes are numbers of their own in each namespace: the two must name each other, namespace included.
  if (!found || found->kind != "veth" || found->peer != link.index) return std::optional<Link>();
  CNIO_LET(const bool here, holds_peer_of(host, *found));
  if (!here) found.reset();
  return found;
}

}  // namespace cnio::net
