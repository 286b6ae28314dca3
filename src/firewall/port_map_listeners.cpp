// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_listeners.hpp"

#include <algorithm>
#include <netinet/in.h>

#include "cnio/net/listener.hpp"

namespace cnio::firewall {
namespace {

bool is_wanted(const PortMapSpec& spec, uint8_t protocol) {
  return std::any_of(spec.mappings.begin(), spec.mappings.end(),
                     [&](const PortMapping& mapping) { return mapping.protocol == protocol; });
}

std::vector<net::Listener> listeners_of(uint8_t protocol) {
  std::vector<net::Listener> all;
  for (const Family family : kFamilies) {
    auto found = net::list_listeners(protocol, family);
    if (!found.ok()) continue;
    const std::vector<net::Listener> some = std::move(found).value();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

// One at :: may be asked by IPv4, too.
bool loses(const net::Listener& listener, const PortMapping& mapping) {
  if (listener.port != mapping.host_port) return false;
  const bool at_all = listener.address.is_unspecified();
  const bool of_family = mapping.serves(listener.address.family()) || (at_all && !listener.address.is_v4());
  return of_family && (!mapping.only_address() || listener.hears(*mapping.only_address()));
}

}  // namespace

void note_listeners(const PortMapSpec& spec, std::vector<std::string>& notes) {
  for (const uint8_t protocol : {uint8_t{IPPROTO_TCP}, uint8_t{IPPROTO_UDP}}) {
    if (!is_wanted(spec, protocol)) continue;
    const std::vector<net::Listener> listeners = listeners_of(protocol);
    for (const PortMapping& mapping : spec.mappings) {
      if (mapping.protocol != protocol) continue;
      const bool taken = std::any_of(listeners.begin(), listeners.end(),
                                     [&](const net::Listener& listener) { return loses(listener, mapping); });
      if (!taken) continue;
      notes.push_back("a program of the host listens at " + transport_name(protocol) + " port " +
                      std::to_string(mapping.host_port) + ", which leads to the container from now on");
    }
  }
}

}  // namespace cnio::firewall
