// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "attachment/release.hpp"

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
  if (!network.ipam_type.empty() || pairs.empty() || pairs.back().config.empty()) return request;
  auto then = protocol::with_config(request, pairs.back().config);
  return then.ok() ? std::move(then).value() : request;
}

void release_as_then(const Request& request, const Network& network, const MakeDriver& make_driver,
                     const std::vector<RecordedPair>& pairs) {
  if (network.ipam_type.empty() || pairs.empty() || pairs.back().config.empty()) return;
  const auto then = protocol::with_config(request, pairs.back().config);
  if (!then.ok()) return;
  const protocol::Json* before = then.value().fields().find("ipam");
  const protocol::Json* now = request.fields().find("ipam");
  if (before == nullptr || now == nullptr || protocol::format_json(*before) == protocol::format_json(*now)) return;
  const auto released = [&]() -> Status {
    CNIO_LET(const auto former, make_driver(then.value()));
    CNIO_LET(const auto ipam, find_ipam(then.value(), former->network()));
    return ipam ? ipam->run(Command::kDel) : Status();
  }();
  if (!released.ok()) protocol::note(request.plugin, "as configured when it was added: " + released.error().msg());
}

}  // namespace cnio::attachment
