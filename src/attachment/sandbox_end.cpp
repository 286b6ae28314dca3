// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/sandbox_end.hpp"

#include <optional>

#include "cnio/net/address.hpp"
#include "cnio/net/sysctl.hpp"
#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {
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
Status prepare_ipv6(const net::Link& link, const Network& network, const std::string& purpose) {
  net::Link on = link;
  if (on.ipv6) on.ipv6->disabled = false;  // which is ours to change
  CNIO_TRY(require_ipv6(on, network, purpose));
  for (const std::string& each : {std::string("lo"), link.name}) CNIO_TRY(switch_on_ipv6(each));
  const auto kept = net::change_sysctl(net::LinkSetting{Family::kIpv6, link.name, "keep_addr_on_down"}, "1");
  if (!kept.ok()) {
    protocol::note(network.plugin,
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
Status prepare_settings(const net::Link& link, const Network& network, const std::string& purpose) {
  CNIO_TRY(prepare_ipv6(link, network, purpose));
  set(link, "ndisc_notify", "1");  // see take_over_addresses
  prepare_duplicate_detection(link, network);
  return {};
}

}  // namespace

Status require_ipv6(const net::Link& link, const Network& network, const std::string& purpose) {
  if (link.mtu < net::kMinIpv6Mtu) {
    return Error::make(Code::kKernel, "the MTU of interface " + link.name + " is " + std::to_string(link.mtu) +
                                          ", too small for " + purpose + ": IPv6 needs " +
                                          std::to_string(net::kMinIpv6Mtu))
        .hint(network.mtu_advice + ", or use IPv4 ranges alone");
  }
  if (!link.ipv6) {
    return Error::make(Code::kKernel, "IPv6 is not available in this kernel, but needed for " + purpose)
        .hint("boot without ipv6.disable=1, or use IPv4 ranges alone");
  }
  if (!link.ipv6->disabled) return {};
  return Error::make(Code::kKernel, "IPv6 is switched off on interface " + link.name + ", but needed for " + purpose)
      .hint("set " + to_string(net::LinkSetting{Family::kIpv6, link.name, "disable_ipv6"}) +
            " to 0, and for interfaces that are made from now on net.ipv6.conf.default.disable_ipv6; or use IPv4 "
            "ranges alone");
}

void prepare_duplicate_detection(const net::Link& link, const Network& network) {
  if (network.detect_duplicates) set(link, "enhanced_dad", "1");
  set(link, "accept_dad", network.detect_duplicates ? "1" : "0");
}

Status configure_sandbox_end(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth, const Network& network,
                             const AddResult& result, const std::vector<net::RouteSpec>& routes,
                             net::PrefixRoute prefix_route) {
  const net::Link& link = veth.sandbox_end;
  std::optional<net::AddressEvents> events;
  if (const auto purpose = ipv6_purpose(result, routes)) {
    CNIO_TRY(sandbox.run([&]() -> Status {
      CNIO_TRY(prepare_settings(link, network, *purpose));
      if (network.detect_duplicates) {
        CNIO_LET(events, net::AddressEvents::open());
      }
      return {};
    }));
  }
  const auto detection = network.detect_duplicates ? net::DuplicateDetection::kOn : net::DuplicateDetection::kOff;
  // Where all goes by routes, those of an interface that was there before stay in front.
  const auto if_there = prefix_route == net::PrefixRoute::kNone ? net::IfThere::kFollow : net::IfThere::kJoin;
  const auto add_routes = [&]() -> Status {
    for (const net::RouteSpec& route : routes) CNIO_TRY(net::add_route(sandbox.route(), link, route, if_there));
    return {};
  };
  CNIO_TRY(sandbox.route().together([&]() -> Status {
    for (const IpConfig& ip : result.ips) {
      CNIO_TRY(net::add_address(sandbox.route(), link, ip.address, detection, prefix_route));
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

}  // namespace cnio::attachment
