// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ptp/ptp.hpp"

#include <algorithm>
#include <linux/netlink.h>
#include <memory>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/compare.hpp"
#include "cnio/attachment/forwarding.hpp"
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/masquerading.hpp"
#include "cnio/attachment/routers.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/net/link/bridge.hpp"
#include "cnio/net/own_address.hpp"
#include "cnio/net/sysctl.hpp"

#include "ptp/config.hpp"
#include "ptp/keys.hpp"
#include "ptp/routes.hpp"

namespace cnio::ptp {
namespace {

using attachment::Places;
using attachment::Veth;
using protocol::AddResult;
using protocol::Interface;
using protocol::Request;

// The place of the pod's interface in a result, in the reference's order.
constexpr size_t kSandboxEntry = 1;

bool has_ipv6(const AddResult& result) {
  return std::any_of(result.ips.begin(), result.ips.end(),
                     [](const protocol::IpConfig& ip) { return !ip.address.addr.is_v4(); });
}

// Pods each at a cable of its own, whose other end is their router.
class PointToPoint : public attachment::Driver {
 public:
  PointToPoint(const Request& request, attachment::Network network) : request_(request), network_(std::move(network)) {}

  [[nodiscard]] const attachment::Network& network() const override { return network_; }

  Result<Veth> make(Places& at, Rollback& undo) override {
    CNIO_LET(Veth veth, attachment::create_pair(at.host, at.sandbox, request_, {network_.mtu, net::IfIndex::kNone},
                                                at.pair, at.record, undo));
    CNIO_TRY(net::set_alias(at.host, veth.host_end, attachment::host_end_alias(request_.network, request_.attachment)));
    host_end_ = veth.host_end;
    attachment::be_deaf_to_routers(network_.plugin, host_end_);
    return veth;
  }

  [[nodiscard]] attachment::Completion completion() const override { return {network_.ipam_type, kSandboxEntry}; }

  [[nodiscard]] Result<std::vector<net::RouteSpec>> routes(const AddResult& result) const override {
    return sandbox_routes(result);
  }
  [[nodiscard]] net::PrefixRoute prefix_route() const override { return net::PrefixRoute::kNone; }

  Status plan(Places& at, const AddResult& result) override {
    CNIO_LET(unknown_, check_addresses_free(at.host, result));
    return has_ipv6(result) ? prepare_ipv6() : Status();
  }

  Status connect_host(Places& at, const Veth& veth, const AddResult& result) override {
    const std::vector<Cidr> addresses = attachment::networks_of(result);
    CNIO_TRY(attachment::switch_on_forwarding(at.host, addresses, network_.host_prefix));
    CNIO_TRY(attachment::let_forward(veth.host_end, addresses));
    return connect_host_end(at.host, veth.host_end, result, unknown_);
  }

  // The end's own address, too: from there the host asks for the pod when others send to it.
  Result<std::optional<attachment::HostAddresses>> host_addresses(Places& at, const Veth& veth,
                                                                  const AddResult& result) override {
    CNIO_LET(std::vector<IpAddr> addresses, net::list_link_local_addresses(at.host, veth.host_end));
    for (const Cidr& gateway : gateways_of(result)) {
      if (!gateway.addr.is_v4()) addresses.push_back(gateway.addr);
    }
    return std::optional(attachment::HostAddresses{veth.host_end, std::move(addresses)});
  }

  // The host can know nobody behind a new cable.
  Result<std::optional<net::Link>> neighbourhood(Places& /*at*/) override { return std::optional<net::Link>(); }

  Result<std::vector<Interface>> interfaces(Places& /*at*/, const Veth& veth) override {
    return std::vector<Interface>{attachment::entry_of(veth.host_end),
                                  attachment::entry_of(veth.sandbox_end, request_.netns_path)};
  }

  Status rejoin(Places& at, const Veth& veth, const AddResult& prev) override {
    const AddResult own = attachment::part_of(prev, request_.attachment.ifname);
    host_end_ = veth.host_end;
    if (has_ipv6(own)) CNIO_TRY(prepare_ipv6());
    if (host_end_.master != net::IfIndex::kNone) CNIO_TRY(net::leave_master(at.host, host_end_));
    attachment::be_deaf_to_routers(network_.plugin, host_end_);
    if (!veth.host_end.up) CNIO_TRY(net::set_link_up(at.host, veth.host_end));
    return connect_host(at, veth, own);
  }

  // There is no neighbour's entry that would tell: the pod's link, and what the host knew there, is gone.
  Status leave_to_others(net::Netlink& host, std::vector<IpAddr>& addresses) override {
    return ptp::leave_to_others(host, addresses);
  }

 private:
  // IPv6 may be off for new interfaces of this host. That the kernel looks for duplicates of the end's own address
  // would make the pod wait; that it does is no reason to fail.
  Status prepare_ipv6() {
    auto on = net::write_sysctl(net::LinkSetting{Family::kIpv6, host_end_.name, "disable_ipv6"}, "0");
    if (!on.ok()) return std::move(on).error().context("switch IPv6 on at the host's end of the pod's cable");
    (void)net::change_sysctl(net::LinkSetting{Family::kIpv6, host_end_.name, "accept_dad"}, "0");
    return {};
  }

  const Request& request_;
  attachment::Network network_;
  net::Link host_end_;
  std::vector<IpAddr> unknown_;  // to which the host had no routes
};

Result<std::unique_ptr<attachment::Driver>> driver_of_the_rest(const Request& request) {
  CNIO_LET(attachment::Network network, parse_config(request, Validation::kTypes));
  return std::unique_ptr<attachment::Driver>(std::make_unique<PointToPoint>(request, std::move(network)));
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(attachment::Network network, parse_config(request, Validation::kFull));
  return attachment::add(request, std::make_shared<PointToPoint>(request, std::move(network)), undo);
}

Status del(const Request& request) { return attachment::del(request, driver_of_the_rest); }

Status gc(const Request& request) { return attachment::gc(request, driver_of_the_rest); }

Status check_router(net::Netlink& host, net::Sandbox& sandbox, const net::Link& sandbox_end,
                    const attachment::Network& network, const AddResult& prev) {
  CNIO_LET(const net::Link link, attachment::check_host_end(host, sandbox, sandbox_end, network, prev));
  if (link.master != net::IfIndex::kNone) {
    CNIO_LET(const std::optional<net::Link> master, net::find_link(host, link.master));
    return attachment::differs("host end " + link.name, "a router's interface of its own",
                               "a port of " + (master ? master->name : "another interface"));
  }
  CNIO_TRY(attachment::check_deafness(link));
  CNIO_TRY(check_host_routes(host, link, prev));
  const std::vector<Cidr> addresses = attachment::networks_of(prev);
  CNIO_TRY(attachment::check_forwarding(host, link, addresses, Code::kCheckFailed));
  return attachment::check_forward_chains(host, link, addresses, Code::kCheckFailed);
}

attachment::Compare compare_with(const Request& request, const attachment::Network& network) {
  return [&](net::Netlink& host, net::Sandbox& sandbox, const AddResult& all) -> Status {
    const AddResult prev = attachment::part_of(all, request.attachment.ifname);
    CNIO_LET(const net::Link sandbox_end, attachment::check_sandbox_end(sandbox, request, network, prev));
    CNIO_TRY(check_router(host, sandbox, sandbox_end, network, prev));
    CNIO_TRY(attachment::check_addresses(sandbox, sandbox_end, prev));
    CNIO_LET(const std::vector<net::RouteSpec> routes, sandbox_routes(prev));
    return attachment::check_routes(sandbox, sandbox_end, routes);
  };
}

Status check(const Request& request) {
  CNIO_LET(const attachment::Network network, parse_config(request, Validation::kFull));
  return attachment::check(request, network, compare_with(request, network));
}

Result<std::string> repair(const Request& request) {
  CNIO_LET(const attachment::Network network, parse_config(request, Validation::kFull));
  PointToPoint driver(request, network);
  return attachment::repair(request, driver, compare_with(request, network));
}

Status status(const Request& request) {
  CNIO_LET(const attachment::Network network, parse_config(request, Validation::kFull));
  return attachment::status(request, network, [&]() -> Status {
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    CNIO_TRY(attachment::require_kinds(host, {"veth"}));
    return attachment::rehearse_masquerade(request, network);
  });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "ptp",
          .about = "Connects a container to the host by a veth pair of its own, with addresses from an IPAM plugin.",
          .example_config =
              R"({"cniVersion": "1.1.0", "name": "demo", "type": "ptp", "ipMasq": true,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.240.9.0/24"}]],
         "routes": [{"dst": "0.0.0.0/0"}]}})",
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .repair = repair,
          .keys = kKeys};
}

}  // namespace cnio::ptp
