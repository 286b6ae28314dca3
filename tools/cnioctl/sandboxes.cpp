// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/sandboxes.hpp"

#include <linux/netlink.h>
#include <optional>

#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sandbox.hpp"

#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

constexpr char kFolder[] = "/run/netns";

// Nothing if it is no namespace by now, or none that the host has a link into.
Result<std::optional<int>> number_of(net::Netlink& host, const std::string& path) {
  CNIO_LET(const std::optional<net::Namespace> netns, net::Namespace::find(path));
  if (!netns) return std::optional<int>();
  return net::find_number(host, *netns);
}

}  // namespace

std::map<int, std::string> find_sandboxes(Report& report) {
  std::map<int, std::string> out;
  auto host = net::Netlink::open(NETLINK_ROUTE);
  if (!host.ok()) {
    report.blind(kFolder, host.error());
    return out;
  }
  for (const std::string& name : names_in(kFolder, report)) {
    const std::string path = std::string(kFolder) + "/" + name;
    const auto number = number_of(host.value(), path);
    if (!number.ok()) report.blind(path, number.error());
    if (number.ok() && number.value()) out.emplace(*number.value(), path);
  }
  return out;
}

}  // namespace cnio::cnioctl
