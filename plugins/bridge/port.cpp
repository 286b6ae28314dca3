// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/identity.hpp"
#include "cnio/net/link/bridge.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {

using protocol::Request;

Status configure_attachment(net::Netlink& host, const Request& request, const Config& config,
                            const attachment::Veth& veth) {
  CNIO_TRY(net::configure_port(host, veth.host_end,
                               {.alias = attachment::host_end_alias(request.network, request.attachment),
                                .hairpin = config.hairpin,
                                .isolated = config.isolated}));
  return configure_vlans(host, veth.host_end, config);
}

Status rejoin_bridge(net::Netlink& host, const Request& request, const Config& config, const attachment::Veth& veth,
                     const net::Link& bridge) {
  const bool there = veth.host_end.master == bridge.index;
  // As it joins a bridge it is in the default VLAN, and not isolated.
  const bool apart = !there && (config.filters_vlans() || config.isolated);
  if (apart && veth.host_end.up) CNIO_TRY(net::set_link_down(host, veth.host_end));
  if (!there) CNIO_TRY(net::join_bridge(host, veth.host_end, bridge));
  CNIO_TRY(configure_attachment(host, request, config, veth));
  return apart || !veth.host_end.up ? net::set_link_up(host, veth.host_end) : Status();
}

firewall::SpoofCheckSpec spoof_check_of(const Request& request, const net::Link& host_end,
                                        const net::Link& sandbox_end) {
  return {.network = request.network,
          .attachment = request.attachment,
          .port = host_end.name,
          .mac = sandbox_end.mac.value_or(MacAddr())};
}

}  // namespace cnio::bridge
