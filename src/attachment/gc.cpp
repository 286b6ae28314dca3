// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <linux/netlink.h>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/leftover.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/firewall/masquerade.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::attachment {

using protocol::Command;
using protocol::Request;

Status gc(const Request& request, const MakeDriver& make_driver) {
  CNIO_LET(const auto driver, make_driver(request));
  const Network& network = driver->network();
  CNIO_LET(const std::vector<protocol::Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const uint64_t number, net::Namespace::own_number());
  ErrorList errors;
  errors.collect(firewall::collect_masquerade_garbage(request.network, valid, request.environment));
  errors.collect(driver->collect_rules(valid));
  const Status links = remove_stale_links(host, number, network, request.network, valid);
  errors.collect(links);
  if (!links.ok()) return errors.status();  // as in DEL: no address is released while a link may still use it
  errors.collect(driver->tidy_up(host));
  const auto ipam = find_ipam(request, network);
  if (!ipam.ok()) errors.collect(ipam.error());
  if (ipam.ok() && ipam.value()) errors.collect(ipam.value()->run(Command::kGc));
  return errors.status();
}

}  // namespace cnio::attachment
