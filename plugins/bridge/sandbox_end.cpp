// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cnio/net/sysctl.hpp"
#include "cnio/protocol/plugin.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using protocol::AddResult;
using protocol::IpConfig;

// What needs IPv6 in the sandbox; nothing if nothing does.
std::optional<std::string> ipv6_purpose(const AddResult& result, const std::vector<net::RouteSpec>& routes) {
  for (const IpConfig& ip : result.ips) {
    if (ip.address.family() == Family::kIpv6) return "the address " + ip.address.to_string();
  }
  for (const net::RouteSpec& route : routes) {
    if (route.dst.family() == Family::kIpv6) return "the route to " + route.dst.to_string();
  }
  return std::nullopt;
}

Status switch_on_ipv6(const std::string& link) {
  auto written = net::write_sysctl(net::LinkSetting{Family::kIpv6, link, "disable_ipv6"}, "0");
  if (!written.ok()) {
    return std::move(written)
        .error()
        .context("switch IPv6 on in the sandbox")
        .hint("have the runtime start pods with IPv6 on, let the plugin write to /proc/sys, or use IPv4 ranges alone");
  }
  if (written.value()) return {};
  return Error::make(Code::kKernel, "interface " + link + " vanished from the sandbox during ADD");
}

// IPv6 must be on. That addresses outlive a link that goes down for a moment, or routes would be lost with them, is a
// comfort.
Status prepare_ipv6(const net::Link& link, const Config& config, const std::string& purpose) {
  net::Link on = link;
  if (on.ipv6) on.ipv6->disabled = false;  // which is ours to change
  CNIO_TRY(require_ipv6(on, config, purpose));
  for (const std::string& each : {std::string("lo"), link.name}) CNIO_TRY(switch_on_ipv6(each));
  const auto kept = net::change_sysctl(net::LinkSetting{Family::kIpv6, link.name, "keep_addr_on_down"}, "1");
  if (!kept.ok()) {
    protocol::note("bridge",
                   "IPv6 addresses of " + link.name + " will be lost when it is set down: " + kept.error().msg());
  }
  return {};
}

// Best effort, as in the reference: a kernel without these settings serves as well.
void set(const net::Link& link, std::string_view name, std::string_view value) {
  (void)net::change_sysctl(net::LinkSetting{Family::kIpv6, link.name, name}, value);
}

// Inside the sandbox, for IPv6 addresses and routes. Without any, nothing below its /proc/sys/net is touched: names
// that were looked up there stay in the way of all such look-ups on the host, see net/forwarding.cpp.
Status prepare_settings(const net::Link& link, const Config& config, const std::string& purpose) {
  CNIO_TRY(prepare_ipv6(link, config, purpose));
  set(link, "ndisc_notify", "1");  // see take_over_addresses
  prepare_duplicate_detection(link, config);
  return {};
}

}  // namespace

void prepare_duplicate_detection(const net::Link& link, const Config& config) {
  if (config.detect_duplicates) set(link, "enhanced_dad", "1");
  set(link, "accept_dad", config.detect_duplicates ? "1" : "0");
}

Status configure_sandbox_end(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth, const Config& config,
                             const AddResult& result, const std::vector<net::RouteSpec>& routes) {
  const net::Link& link = veth.sandbox_end;
  std::optional<net::AddressEvents> events;
  if (const auto purpose = ipv6_purpose(result, routes)) {
    CNIO_TRY(sandbox.run([&]() -> Status {
      CNIO_TRY(prepare_settings(link, config, *purpose));
      if (config.detect_duplicates) {
        CNIO_LET(events, net::AddressEvents::open());
      }
      return {};
    }));
  }
  const auto detection = config.detect_duplicates ? net::DuplicateDetection::kOn : net::DuplicateDetection::kOff;
  const auto add_routes = [&]() -> Status {
    for (const net::RouteSpec& route : routes) CNIO_TRY(net::add_route(sandbox.route(), link, route));
    return {};
  };
  CNIO_TRY(sandbox.route().together([&]() -> Status {
    for (const IpConfig& ip : result.ips) {
      CNIO_TRY(net::add_address(sandbox.route(), link, ip.address, detection));
    }
    CNIO_TRY(net::set_link_up(sandbox.route(), link));
    CNIO_TRY(net::set_arp_notify(sandbox.route(), link));  // see take_over_addresses
    return events ? Status() : add_routes();
  }));
  CNIO_TRY(net::set_link_up(host, veth.host_end));
  if (!events) return {};
  CNIO_TRY(events->wait_settled(sandbox.route(), link, kDuplicateDetectionTimeoutMs));
  return sandbox.route().together(add_routes);
}

}  // namespace cnio::bridge
