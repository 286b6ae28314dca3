// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "attachment/release.hpp"

#include <algorithm>

#include "cnio/attachment/addressing.hpp"
#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {

using protocol::Command;
using protocol::Request;

Release::Release(const Delegate* ipam) {
  if (ipam == nullptr) return;
  if (releases_over_link(ipam->type())) {
    begun_ = ipam->release();
  } else {
    later_ = ipam->prepare(Command::kDel);
  }
}

Status Release::finish() {
  if (!later_) return begun_;
  CNIO_LET(Delegate::Prepared call, *std::move(later_));
  return call.run();
}

Result<Request> releasing_request(const Request& request, const Network& network,
                                  const std::vector<RecordedPair>& pairs) {
  if (!network.ipam_type.empty()) return request;
  return former_request(request, pairs).value_or(request);
}

std::optional<Request> former_request(const Request& request, const std::vector<RecordedPair>& pairs) {
  if (pairs.empty() || pairs.back().config.empty()) return std::nullopt;
  auto then = protocol::with_config(request, pairs.back().config);
  return then.ok() ? std::optional(std::move(then).value()) : std::nullopt;
}

bool may_be_recorded(const Request& request, const std::vector<RecordedPair>& pairs) {
  if (pairs.empty()) return false;
  const auto prev = protocol::parse_prev_result(request.fields(), request.version);
  if (!prev.ok() || !prev.value()) return true;
  const std::vector<IpAddr> told = recorded_attachment(prev.value(), request.attachment.ifname).addresses;
  const std::vector<IpAddr>& recorded = pairs.back().addresses;
  return std::all_of(told.begin(), told.end(), [&](const IpAddr& each) {
    return std::find(recorded.begin(), recorded.end(), each) != recorded.end();
  });
}

void release_as_then(const Request& request, const Network& network, const MakeDriver& make_driver,
                     const std::vector<RecordedPair>& pairs) {
  const std::optional<Request> then = network.ipam_type.empty() ? std::nullopt : former_request(request, pairs);
  if (!then) return;
  const protocol::Json* before = then->fields().find("ipam");
  const protocol::Json* now = request.fields().find("ipam");
  if (before == nullptr || now == nullptr || protocol::format_json(*before) == protocol::format_json(*now)) return;
  const auto released = [&]() -> Status {
    CNIO_LET(const auto former, make_driver(*then));
    CNIO_LET(const auto ipam, find_ipam(*then, former->network()));
    return ipam ? ipam->run(Command::kDel) : Status();
  }();
  if (!released.ok()) protocol::note(request.plugin, "as configured when it was added: " + released.error().msg());
}

}  // namespace cnio::attachment
