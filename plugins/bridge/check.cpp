// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/check.hpp"

#include <algorithm>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/compare.hpp"
#include "cnio/attachment/forwarding.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using attachment::check_mac;
using attachment::differs;
using attachment::find_entry;
using protocol::AddResult;
using protocol::Interface;
using protocol::Request;

std::string on_or_off(bool value) { return value ? "on" : "off"; }

Result<net::Link> check_bridge(net::Netlink& host, const Config& config, const AddResult& prev) {
  const std::string object = "bridge " + config.bridge;
  const Interface* reported = find_entry(prev, config.bridge, false);
  if (reported == nullptr) return differs("prevResult", "an entry for the bridge " + config.bridge, "none");
  CNIO_LET(const std::optional<net::Link> link, net::find_link(host, config.bridge));
  if (!link) return differs(object, "a bridge", "no interface of that name");
  if (link->kind != "bridge") return differs(object, "a bridge", "an interface of kind \"" + link->kind + "\"");
  if (!link->up) return differs(object, "up", "down");
  // Otherwise the reference leaves its bridge's address following the ports': then it says nothing.
  if (config.is_gateway && config.vlan == 0) CNIO_TRY(check_mac(object, *reported, *link));
  if (config.promiscuous && !link->promiscuous) return differs(object, "promiscuous mode on", "off");
  if (config.filters_vlans() && !link->vlan_filtering) return differs(object, "VLAN filtering on", "off");
  return *link;
}

Status check_gateway(net::Netlink& host, const Config& config, const net::Link& bridge, const AddResult& prev) {
  const std::string object = (config.vlan == 0 ? "bridge " : "interface ") + config.gateway_interface();
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  if (!gateway) return differs(object, "the gateway's interface", "no interface of that name");
  if (!gateway->up) return differs(object, "up", "down");
  CNIO_TRY(check_gateway_vlan(host, *gateway, bridge, config));
  const std::vector<Cidr> addresses = attachment::gateway_addresses(prev);
  CNIO_TRY(attachment::check_addresses(host, *gateway, object, "gateway address", addresses));
  CNIO_TRY(check_overlap(host, config, gateway, addresses, Code::kCheckFailed));
  CNIO_TRY(attachment::check_forwarding(host, *gateway, addresses, Code::kCheckFailed));
  return attachment::check_forward_chains(host, *gateway, attachment::networks_of(prev), Code::kCheckFailed);
}

Status check_port(net::Netlink& host, net::Sandbox& sandbox, const net::Link& sandbox_end, const net::Link& bridge,
                  const Request& request, const Config& config, const AddResult& prev) {
  CNIO_LET(const net::Link link, attachment::check_host_end(host, sandbox, sandbox_end, network_of(config), prev));
  const std::string object = "host end " + link.name;
  const Interface& reported = *find_entry(prev, link.name, false);
  // Nobody sends to it. One that the kernel had drawn, of an older version or of another implementation, udev may have
  // changed since.
  if (reported.mac.starts_with("fe:")) CNIO_TRY(check_mac(object, reported, link));
  if (link.master != bridge.index) return differs(object, "in bridge " + bridge.name, "not in it");
  if (link.hairpin.value_or(false) != config.hairpin) {
    return differs(object, "hairpin mode " + on_or_off(config.hairpin), on_or_off(!config.hairpin));
  }
  if (link.isolated.value_or(false) != config.isolated) {
    return differs(object, "port isolation " + on_or_off(config.isolated), on_or_off(!config.isolated));
  }
  CNIO_TRY(check_vlans(host, link, config));
  return config.spoof_check ? firewall::check_spoof_check(spoof_check_of(request, link, sandbox_end)) : Status();
}

}  // namespace

Status check_links(net::Netlink& host, net::Sandbox& sandbox, const Request& request, const Config& config,
                   const AddResult& prev_result) {
  CNIO_LET(const net::Link bridge, check_bridge(host, config, prev_result));
  if (config.is_gateway && !config.layer2()) CNIO_TRY(check_gateway(host, config, bridge, prev_result));
  CNIO_LET(const net::Link sandbox_end,
           attachment::check_sandbox_end(sandbox, request, network_of(config), prev_result));
  CNIO_TRY(check_port(host, sandbox, sandbox_end, bridge, request, config, prev_result));
  CNIO_TRY(attachment::check_addresses(sandbox, sandbox_end, prev_result));
  CNIO_LET(const std::vector<net::RouteSpec> routes, attachment::kernel_routes(prev_result));
  return attachment::check_routes(sandbox, sandbox_end, routes);
}

}  // namespace cnio::bridge
