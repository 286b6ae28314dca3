// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cnio/net/sysctl.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using protocol::AddResult;
using protocol::IpConfig;

bool has_ipv6(const AddResult& result) {
  return std::any_of(result.ips.begin(), result.ips.end(),
                     [](const IpConfig& ip) { return ip.address.family() == Family::kIpv6; });
}

// IPv6 must be on, and addresses must outlive a link that goes down for a moment, or routes would be lost with them.
Status prepare_ipv6(const std::string& link) {
  CNIO_LET(const bool available, net::write_sysctl("ipv6/conf/lo/disable_ipv6", "0"));
  if (!available) {
    return Error::make(Code::kKernel, "IPv6 is not available in this kernel, but the IPAM plugin gave an IPv6 address")
        .hint("boot without ipv6.disable=1, or use IPv4 ranges alone");
  }
  CNIO_LET(const bool there, net::write_sysctl("ipv6/conf/" + link + "/disable_ipv6", "0"));
  if (!there) return Error::make(Code::kKernel, "interface " + link + " vanished from the sandbox during ADD");
  CNIO_TRY(net::change_sysctl("ipv6/conf/" + link + "/keep_addr_on_down", "1"));
  return {};
}

// Inside the sandbox, for IPv6 addresses. Without any, nothing below its /proc/sys/net is touched: names that were
// looked up there stay in the way of all such look-ups on the host, see net/forwarding.cpp.
Status prepare_settings(const std::string& link, const Config& config) {
  CNIO_TRY(prepare_ipv6(link));
  // Best effort, as in the reference: a kernel without these settings serves as well.
  (void)net::change_sysctl("ipv6/conf/" + link + "/ndisc_notify", "1");  // see take_over_addresses
  if (config.detect_duplicates) (void)net::change_sysctl("ipv6/conf/" + link + "/enhanced_dad", "1");
  (void)net::change_sysctl("ipv6/conf/" + link + "/accept_dad", config.detect_duplicates ? "1" : "0");
  return {};
}

}  // namespace

Status configure_sandbox_end(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth, const Config& config,
                             const AddResult& result, const std::vector<net::RouteSpec>& routes) {
  const net::Link& link = veth.sandbox_end;
  std::optional<net::AddressEvents> events;
  if (has_ipv6(result)) {
    CNIO_TRY(sandbox.run([&]() -> Status {
      CNIO_TRY(prepare_settings(link.name, config));
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
