// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/port_map.hpp"

#include <netinet/in.h>

#include "cnio/base/error_list.hpp"
#include "cnio/net/conntrack.hpp"

#include "firewall/leave_closing.hpp"
#include "firewall/nft_words.hpp"
#include "firewall/port_map_listeners.hpp"
#include "firewall/port_map_nftables.hpp"
#include "firewall/port_map_program.hpp"
#include "firewall/port_map_reference.hpp"
#include "firewall/port_map_visible.hpp"

namespace cnio::firewall {
namespace {

using net::NftConnection;

// Whose clients go on sending from the same port, and so would go on being led as before.
bool has_no_end(uint8_t protocol) { return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE; }

// Connections that began before the port led to the pod.
Status forget_earlier(const PortMapSpec& spec) {
  std::vector<net::HostPort> ports;
  for (const PortMapping& mapping : spec.mappings) {
    if (!has_no_end(mapping.protocol)) continue;
    for (const Cidr& pod : spec.pod) {
      if (!mapping.serves(pod.family())) continue;
      ports.push_back({mapping.protocol, pod.family(), mapping.only_address(), mapping.host_port});
    }
  }
  return net::forget_connections_to(ports);
}

Status forget_led(NftConnection& nft, const PortMapRecord& record) {
  std::vector<net::LedConnections> led;
  for (const LedPort& port : record.ports) {
    if (has_no_end(port.protocol)) led.push_back({port.protocol, port.host_port, port.pod, port.pod_port});
  }
  return net::forget_led_connections(led, &nft.netfilter());
}

Status remove_with(NftConnection& nft, const RuleOwner& owner) {
  CNIO_LET(const PortMapRecord record, remove_nftables_port_map(nft, owner));
  return record.empty() ? Status() : forget_led(nft, record);
}

}  // namespace

Status check_conditions(PortMapBackend backend, Family family, const std::vector<std::string>& conditions,
                        std::string_view key) {
  if (conditions.empty()) return {};
  const std::string& first = conditions.front();
  if (first.empty()) return Error::config(key, "must not begin with an empty condition");
  const bool of_iptables = first.front() == '-' || first.front() == '!';
  if (of_iptables && backend == PortMapBackend::kNftables) {
    return Error::config(key,
                         "holds words of iptables, " + quote(first) + ", but the backend \"nftables\" takes nft's");
  }
  if (backend != PortMapBackend::kNftables) {
    if (of_iptables) return {};
    return Error::config(key, "holds " + quote(first) + ", which is not iptables' language (`-s`, `!`, ...)")
        .hint("conditions of nft are for the backend \"nftables\"");
  }
  const auto parsed = parse_nft_words(family, conditions);
  if (parsed.ok()) return {};
  return Error::config(key, parsed.error().msg()).hint(parsed.error().details());
}

namespace {

// By which programs iptables' chains are to be written; none: by netlink. Those for the old tables, where these are in
// use: nobody sees them otherwise. Conditions are in iptables' own language.
Result<IptablesPrograms> programs_for(const PortMapSpec& spec, const protocol::Environment& environment) {
  if (spec.backend == PortMapBackend::kShown) {
    CNIO_LET(IptablesPrograms legacy, legacy_programs(environment));
    if (!legacy.empty()) return legacy;
  }
  const bool conditional = !spec.conditions_v4.empty() || !spec.conditions_v6.empty();
  if (spec.backend == PortMapBackend::kIptables || conditional) return require_programs(spec, environment);
  return IptablesPrograms();
}

// The chains lead; the table of our own keeps a record, and does what they cannot: the loopback addresses' ports.
Status install_shown(NftConnection& nft, const PortMapSpec& spec, const protocol::Environment& environment,
                     Rollback& undo, std::vector<std::string>& notes) {
  CNIO_LET(const IptablesPrograms programs, programs_for(spec, environment));
  CNIO_TRY(refuse_taken_ports(nft, spec));
  Status installed;
  if (programs.empty()) {
    installed = install_visible_port_map(nft, spec);
  } else {
    installed = install_port_map_by_program(programs, spec);
  }
  if (installed.ok() || installed.error().code() == Code::kKernel) {
    undo.add("remove port maps", [owner = spec.owner, environment] { return remove_port_map(owner, environment); });
  }
  CNIO_TRY(std::move(installed));
  return install_nftables_port_map(nft, spec, notes);
}

Status install_native(NftConnection& nft, const PortMapSpec& spec, const protocol::Environment& environment,
                      Rollback& undo, std::vector<std::string>& notes) {
  CNIO_TRY(refuse_visible_ports(nft, spec));
  Status installed = install_nftables_port_map(nft, spec, notes);
  // Also if it failed: it may be done although its answer is lost. But what is in the way is no reason to take away
  // what the attachment has.
  if (installed.ok() || installed.error().code() == Code::kKernel) {
    undo.add("remove port maps", [owner = spec.owner, environment] { return remove_port_map(owner, environment); });
  }
  CNIO_TRY(std::move(installed));
  return remove_visible_port_map(nft, spec.owner);
}

}  // namespace

Status install_port_map(const PortMapSpec& spec, const protocol::Environment& environment, Rollback& undo,
                        std::vector<std::string>& notes) {
  if (spec.mappings.empty() || spec.pod.empty()) return remove_port_map(spec.owner, environment);
  CNIO_LET(NftConnection nft, NftConnection::require(kPortMapNeeds));
  if (spec.backend == PortMapBackend::kNftables) {
    CNIO_TRY(install_native(nft, spec, environment, undo, notes));
  } else {
    CNIO_TRY(install_shown(nft, spec, environment, undo, notes));
  }
  if (const Status forgotten = forget_earlier(spec); !forgotten.ok()) notes.push_back(forgotten.error().msg());
  note_listeners(spec, notes);
  leave_closing(nft);
  return {};
}

Status remove_port_map(const RuleOwner& owner, const protocol::Environment& environment) {
  ErrorList errors;
  CNIO_LET(std::optional<NftConnection> nft, NftConnection::open());
  if (nft) {
    errors.collect(remove_visible_port_map(*nft, owner));
    errors.collect(remove_reference_port_map(*nft, owner.attachment.container_id));
    errors.collect(remove_with(*nft, owner));
    leave_closing(*nft);
  }
  const auto programs = legacy_programs(environment);
  errors.collect(programs.ok() ? remove_port_map_by_program(programs.value(), owner) : Status(programs.error()));
  return errors.status();
}

Status check_port_map(const PortMapSpec& spec, const protocol::Environment& environment) {
  if (spec.mappings.empty() || spec.pod.empty()) return {};
  CNIO_LET(NftConnection nft, NftConnection::require(kPortMapNeeds));
  if (spec.backend != PortMapBackend::kNftables) {
    CNIO_LET(const IptablesPrograms programs, programs_for(spec, environment));
    CNIO_TRY(programs.empty() ? check_visible_port_map(nft, spec) : check_port_map_by_program(programs, spec));
  }
  return check_nftables_port_map(nft, spec);
}

Status collect_port_map_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                const protocol::Environment& environment) {
  ErrorList errors;
  CNIO_LET(std::optional<NftConnection> nft, NftConnection::open());
  if (nft) {
    errors.collect(collect_visible_port_map(*nft, network, valid));
    errors.collect(collect_nftables_port_map(*nft, StaleOwners(network, valid)));
    leave_closing(*nft);
  }
  const auto programs = legacy_programs(environment);
  errors.collect(programs.ok() ? collect_port_map_by_program(programs.value(), network, valid)
                               : Status(programs.error()));
  return errors.status();
}

Status rehearse_port_map(PortMapBackend backend, const protocol::Environment& environment) {
  CNIO_TRY(NftConnection::require(kPortMapNeeds));
  if (backend == PortMapBackend::kIptables) CNIO_TRY(Iptables::find(Family::kIpv4, environment, "backend"));
  if (backend == PortMapBackend::kShown) CNIO_TRY(rehearse_visible_port_map());
  return rehearse_nftables_port_map();
}

}  // namespace cnio::firewall
