// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/bandwidth.hpp"

#include <algorithm>
#include <linux/netlink.h>

#include "cnio/attachment/chained.hpp"
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sandbox.hpp"

#include "bandwidth/compare.hpp"
#include "bandwidth/config.hpp"
#include "bandwidth/keys.hpp"
#include "bandwidth/plan.hpp"
#include "bandwidth/shaping.hpp"

namespace cnio::bandwidth {
namespace {

using protocol::AddResult;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({"cniVersion": "1.1.0", "name": "demo", "plugins": [
  {"type": "bridge", "bridge": "cnio0", "isDefaultGateway": true, "ipam": {"type": "host-local",
   "ranges": [[{"subnet": "10.240.9.0/24"}]]}},
  {"type": "bandwidth", "capabilities": {"bandwidth": true}}]})";

Owner owner_of(const Request& request) { return {request.network, request.attachment}; }

bool is_on_host(const AddResult& result, const std::string& name) {
  return std::any_of(result.interfaces.begin(), result.interfaces.end(),
                     [&](const protocol::Interface& each) { return each.name == name && each.sandbox.empty(); });
}

Error not_to_be_limited(const Request& request, const std::string& why) {
  return Error::config("prevResult", "interface " + request.attachment.ifname + " cannot be limited: " + why)
      .hint("limits are set at the host's end of a veth pair, as bridge and ptp make it, which prevResult names");
}

// The pod's interface, if it is a veth, and its host end.
Result<std::optional<net::Link>> find_host_end(net::Netlink& host, net::Sandbox& sandbox, const Request& request) {
  CNIO_LET(const std::optional<net::Link> pod, net::find_link(sandbox.route(), request.attachment.ifname));
  if (!pod || pod->kind != "veth") return std::optional<net::Link>();
  return sandbox.find_host_end(host, *pod);
}

Result<net::Link> require_host_end(net::Netlink& host, const Request& request, const AddResult& result) {
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const std::optional<net::Link> host_end, find_host_end(host, sandbox, request));
  if (!host_end) {
    CNIO_LET(const std::optional<net::Link> pod, net::find_link(sandbox.route(), request.attachment.ifname));
    if (!pod) return not_to_be_limited(request, "it is not there");
    if (pod->kind != "veth") return not_to_be_limited(request, "it is no veth but " + quote(pod->kind));
    return not_to_be_limited(request, "its other end is not on this host");
  }
  if (!is_on_host(result, host_end->name)) {
    return not_to_be_limited(request, "its other end, " + host_end->name + ", is not an interface of the result");
  }
  return *host_end;
}

Limits plan(const Config& config, uint32_t mtu) {
  Limits limits;
  if (config.ingress) limits.ingress = plan_tbf(*config.ingress, mtu, config.latency_ms);
  if (config.egress) limits.egress = plan_tbf(*config.egress, mtu, config.latency_ms);
  return limits;
}

// Where ADD is done again, CHECK goes on comparing with the MAC address that the first one has reported.
std::optional<MacAddr> reported_mac(const AddResult& result, const Owner& owner) {
  const std::vector<std::string> names = ifb_names(owner);
  for (const protocol::Interface& each : result.interfaces) {
    if (each.sandbox.empty() && std::find(names.begin(), names.end(), each.name) != names.end()) {
      return MacAddr::parse(each.mac);
    }
  }
  return std::nullopt;
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::add_to_chain(request, [&](AddResult& result) -> Status {
    if (config.empty()) return {};
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const net::Link host_end, require_host_end(host, request, result));
    Limits limits = plan(config, host_end.mtu);
    limits.mac = reported_mac(result, owner_of(request));
    CNIO_LET(const auto ifb, limit(host, host_end, owner_of(request), limits, undo));
    if (!ifb) return {};
    protocol::Interface made;
    made.name = ifb->name;
    made.mac = ifb->mac->to_string();
    result.interfaces.push_back(std::move(made));
    return {};
  });
}

// By the pod's interface, or else what is recorded of its cable, or the result of the chain.
Result<std::optional<net::Link>> find_for_del(net::Netlink& host, const Request& request) {
  CNIO_LET(std::optional<net::Sandbox> sandbox, net::Sandbox::find(request.netns_path));
  std::optional<net::Link> found;
  if (sandbox) {
    CNIO_LET(found, find_host_end(host, *sandbox, request));
  }
  if (found) return found;
  CNIO_LET(const uint64_t number, net::Namespace::own_number());
  CNIO_LET(const auto record, attachment::AttachmentRecord::read(request.attachment));
  for (const attachment::RecordedPair& pair : record.pairs_on(number)) {
    if (pair.network != request.network) continue;
    CNIO_LET(found, attachment::find_recorded_end(host, pair));
    if (found) return found;
  }
  const AddResult result = attachment::readable_prev_result(request).value_or(AddResult());
  for (const protocol::Interface& each : result.interfaces) {
    if (!each.sandbox.empty()) continue;
    CNIO_LET(found, net::find_link(host, each.name));
    if (found && found->kind == "veth") return found;
  }
  return std::optional<net::Link>();
}

// Whatever the configuration says, and whatever has become of pod and result.
Status del(const Request& request) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  ErrorList errors;
  const auto host_end = find_for_del(host, request);
  if (!host_end.ok()) errors.collect(host_end.error());
  errors.collect(unlimit(host, host_end.ok() ? host_end.value() : std::nullopt, owner_of(request)));
  return errors.status();
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::check_in_chain(request, [&](const AddResult& result) -> Status {
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    if (!config.empty()) {
      CNIO_LET(const net::Link host_end, require_host_end(host, request, result));
      return compare(host, host_end, owner_of(request), config, result);
    }
    // Then it may be an interface of any kind.
    CNIO_LET(std::optional<net::Sandbox> sandbox, net::Sandbox::find(request.netns_path));
    if (!sandbox) return {};
    CNIO_LET(const std::optional<net::Link> host_end, find_host_end(host, *sandbox, request));
    return host_end ? compare(host, *host_end, owner_of(request), config, result) : Status();
  });
}

Result<std::string> repair(const Request& request) { return attachment::repair_in_chain(request, check, add); }

Status status(const Request& request) {
  CNIO_TRY(parse_config(request));
  return attachment::status_of(rehearse());
}

Status gc(const Request& request) {
  return attachment::collect_garbage(request, [&](const std::vector<protocol::Attachment>& valid) -> Status {
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    return unlimit_stale(host, request.network, valid);
  });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "bandwidth",
          .about = "Limits what a container receives and sends, behind a plugin that makes its veth pair.",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .repair = repair,
          .keys = kKeys};
}

}  // namespace cnio::bandwidth
