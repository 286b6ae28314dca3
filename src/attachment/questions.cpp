// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <linux/netlink.h>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/masquerading.hpp"
#include "cnio/attachment/stories.hpp"

// The verbs that change nothing.
namespace cnio::attachment {

using protocol::AddResult;
using protocol::Command;
using protocol::Request;

Status check(const Request& request, const Network& network, const Compare& compare) {
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const std::optional<AddResult> prev_result, protocol::parse_prev_result(request.fields(), request.version));
  if (!prev_result) return Error::config("prevResult", "is missing: CHECK compares it with what is there");
  CNIO_LET(const std::optional<Delegate> ipam, find_ipam(request, network));
  if (ipam) CNIO_TRY(ipam->run(Command::kCheck));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_TRY(compare(host, sandbox, *prev_result));
  return check_masquerade(request, network, *prev_result);
}

Status status(const Request& request, const Network& network, const std::function<Status()>& rehearse) {
  auto ipam = find_ipam(request, network);
  std::optional<Result<Delegate::Prepared>> answer;
  if (ipam.ok() && ipam.value()) answer = ipam.value()->prepare(Command::kStatus);
  if (Status ready = rehearse(); !ready.ok()) {
    if (ready.error().code() == Code::kLimited) return ready;
    return std::move(ready).error().unavailable();
  }
  if (!ipam.ok()) {
    const bool missing = ipam.error().code() == Code::kDelegate;
    return missing ? std::move(ipam).error().unavailable() : std::move(ipam).error();
  }
  if (!answer) return {};
  CNIO_LET(Delegate::Prepared call, *std::move(answer));
  return call.run();
}

Status require_kinds(net::Netlink& host, const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds) {
    CNIO_LET(const bool possible, net::can_create(host, kind));
    if (possible) continue;
    return Error::make(Code::kKernel, "this kernel cannot make links of kind " + kind)
        .hint("the kernel module " + kind + " is missing");
  }
  return {};
}

}  // namespace cnio::attachment
