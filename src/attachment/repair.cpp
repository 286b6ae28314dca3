// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <linux/netlink.h>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/masquerading.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/base/no_rollback.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

Result<Places> take_places(const Request& request, const Network& network) {
  CNIO_LET(auto nft, require_masquerade(request, network));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  auto record = AttachmentRecord::read(request.attachment);
  return Places{Turns::open(request.plugin),
                record.ok() ? std::optional(std::move(record).value()) : std::nullopt,
                {},
                std::move(host),
                std::move(sandbox),
                std::move(nft)};
}

// What the host knows of the link, without what the pod says: it has been recorded, is marked, or was reported by ADD.
bool is_ours(const net::Link& host_end, const Request& request, const Places& at, const AddResult& prev) {
  const std::vector<RecordedPair> pairs =
      at.record ? at.record->pairs_on(at.turns.host()) : std::vector<RecordedPair>();
  return host_end.alias == host_end_alias(request.network, request.attachment) ||
         find_entry(prev, host_end.name, false) != nullptr ||
         std::any_of(pairs.begin(), pairs.end(), [&](const RecordedPair& pair) {
           return pair.network == request.network && is_recorded_end(host_end, pair);
         });
}

Error lost_pair(const Request& request, const std::string& what) {
  return Error::make(Code::kConflict, "interface " + request.attachment.ifname + " of the pod " + what)
      .hint("this cannot be mended from outside: make the pod anew");
}

// With the MAC address that ADD has given: the pod may have another by now, under which it is not to send.
Result<Veth> find_pair(const Request& request, Places& at, const AddResult& prev) {
  CNIO_LET(std::optional<net::Link> sandbox_end, net::find_link(at.sandbox.route(), request.attachment.ifname));
  if (!sandbox_end) return lost_pair(request, "is gone");
  CNIO_LET(const std::optional<net::Link> host_end, at.sandbox.find_host_end(at.host, *sandbox_end));
  if (!host_end) return lost_pair(request, "has no other end on this host");
  if (!is_ours(*host_end, request, at, prev)) {
    return lost_pair(request, "ends in " + host_end->name + ", which is not this attachment's");
  }
  const protocol::Interface* reported = find_entry(prev, request.attachment.ifname, true);
  if (const auto mac = reported == nullptr ? std::nullopt : MacAddr::parse(reported->mac)) sandbox_end->mac = mac;
  return Veth{*host_end, *sandbox_end};
}

// Goes on where one of the two is not to be had.
Status put_back(const Request& request, Driver& driver, Places& at, const AddResult& prev) {
  CNIO_LET(const Veth veth, find_pair(request, at, prev));
  ErrorList errors;
  errors.collect(driver.rejoin(at, veth, prev));
  NoRollback kept;
  if (!check_masquerade(request, driver.network(), prev).ok()) {
    errors.collect(masquerade(request, driver.network(), prev, at.nft, kept.steps()));
  }
  return errors.status();
}

}  // namespace

Result<std::string> repair(const Request& request, Driver& driver, const Compare& compare) {
  CNIO_LET(const std::optional<AddResult> prev, protocol::parse_prev_result(request.fields(), request.version));
  if (!prev) return Error::config("prevResult", "is missing: it says what is to be made again");
  CNIO_LET(Places at, take_places(request, driver.network()));
  const auto look = [&]() -> Status {
    CNIO_TRY(compare(at.host, at.sandbox, *prev));
    return check_masquerade(request, driver.network(), *prev);
  };
  const Status found = look();
  if (found.ok()) return std::string();
  CNIO_TRY(put_back(request, driver, at, *prev));
  CNIO_TRY(look());
  return found.error().msg();
}

}  // namespace cnio::attachment
