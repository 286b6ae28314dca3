// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_nftables.hpp"

#include <algorithm>
#include <optional>

#include "cnio/base/error_list.hpp"

#include "firewall/localnet.hpp"
#include "firewall/port_map_plan.hpp"
#include "firewall/port_map_table.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;

// What the kernel answers when a table family, chain type or expression is not built in and no module has it.
bool lacks_support(int errnum) { return errnum == ENOENT || errnum == EOPNOTSUPP || errnum == EAFNOSUPPORT; }

Status explain(Status failed) {
  if (failed.ok() || failed.error().code() != Code::kKernel) return failed;
  if (lacks_support(failed.error().errnum())) return std::move(failed).error().hint(kPortMapNeeds);
  return std::move(failed).error().hint("nft list table inet " + kPortMapTable.name + " shows what is there");
}

void put_plan(NftBatch& batch, const PortMapPlan& plan) {
  batch.create_chain(ports_chain(plan.hash), plan.comment);
  for (const auto& [rule, comment] : plan.ports) batch.append_program(ports_chain(plan.hash), rule, comment);
  // Several pods may be behind one interface.
  for (const auto& [map, element] : plan.elements) batch.add_element(map, element, map != kLocalnet);
}

Error taken(const LedPort& port, std::string_view holder) {
  std::string whose(owner_text(holder));
  if (whose.empty()) whose = "somebody unknown";
  return Error::make(Code::kConflict,
                     "host port " + port.text().substr(0, port.text().find(" -> ")) + " is taken by " + whose +
                         " (network/container/interface)",
                     "remove that container, or let GC remove what is left of it; nft list table inet " +
                         kPortMapTable.name + " shows all ports");
}

// Whoever has an address that is our pod's now is gone.
bool leads_to_us(const net::NftElement& element, const PortMapPlan& plan) {
  return std::any_of(plan.record.ports.begin(), plan.record.ports.end(), [&](const LedPort& port) {
    return element.data.starts_with(net::expr::bytes_of(port.pod)) && element.data.size() == port.pod.size() + 4;
  });
}

// Sets in which a key can be of one only, too, though it leads nowhere.
bool is_claimed_in(const std::string& set) {
  const auto holds = [&](const PortMapNames& names) { return set == names.quiet || set == names.pods; };
  return holds(port_map_names(Family::kIpv4)) || holds(port_map_names(Family::kIpv6));
}

// Owners whose rules have to go before ours can stand: ourselves, in an earlier life, and those who are gone.
Result<std::set<std::string>> find_predecessors(NftConnection& nft, const PortMapPlan& plan) {
  std::set<std::string> hashes = {plan.hash};
  for (const LedPort& port : plan.record.ports) {
    CNIO_LET(const auto element, nft.find_element(kPortMapTable, port.map(), port.key()));
    if (!element) continue;
    const std::string hash(hash_in_comment(element->comment));
    if (hash != plan.hash && (hash.empty() || !leads_to_us(*element, plan))) return taken(port, element->comment);
    hashes.insert(hash);
  }
  // Whoever kept a port of ours for the loopback address, or had our pod's address, has it no more.
  for (const auto& [map, kept] : plan.elements) {
    if (!is_claimed_in(map)) continue;
    CNIO_LET(const auto element, nft.find_element(kPortMapTable, map, kept.key));
    if (element) hashes.insert(std::string(hash_in_comment(element->comment)));
  }
  return hashes;
}

Result<PortMapRemoval> removal_of_predecessors(NftConnection& nft, const PortMapPlan& plan) {
  CNIO_LET(const std::set<std::string> hashes, find_predecessors(nft, plan));
  PortMapRemoval removal;
  for (const std::string& hash : hashes) {
    CNIO_LET(PortMapRecord record, read_port_map_record(nft, hash));
    // Its record may be lost.
    if (hash == plan.hash) record.ports.insert(record.ports.end(), plan.record.ports.begin(), plan.record.ports.end());
    CNIO_LET(const PortMapRemoval one, careful_removal_of(nft, hash, record));
    removal.add(one);
  }
  return removal;
}

Status install_once(NftConnection& nft, const PortMapPlan& plan) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const PortMapTableState state, look_at_port_map_table(nft, plan.hash, plan.prefixes));
  CNIO_LET(const PortMapRemoval removal, removal_of_predecessors(nft, plan));
  const bool rewrite = !state.fault.empty();
  NftBatch batch(kPortMapTable, rewrite || !removal.empty() ? std::optional(generation) : std::nullopt);
  put_port_map_table(batch, rewrite ? std::optional(state.prefixes) : std::nullopt);
  removal.put(batch);
  put_plan(batch, plan);
  return nft.commit(batch, "install port maps");
}

Status install(NftConnection& nft, const PortMapPlan& plan) {
  CNIO_LET(const PortMapTableState state, look_at_port_map_table(nft, plan.hash, plan.prefixes));
  if (state.fault.empty() && !state.has_attachment) {
    NftBatch batch(kPortMapTable);
    put_plan(batch, plan);
    if (nft.commit(batch, "install port maps").ok()) return {};
  }
  return net::retry_while_changing([&] { return install_once(nft, plan); });
}

// The IPv4 address that is reached from 127.0.0.1, too.
std::optional<IpAddr> pod_of_loopback(const PortMapSpec& spec) {
  const bool serves = std::any_of(spec.mappings.begin(), spec.mappings.end(),
                                  [](const PortMapping& mapping) { return mapping.serves(Family::kIpv4); });
  for (const Cidr& pod : spec.pod) {
    if (spec.snat && serves && pod.addr.is_v4()) return pod.addr;
  }
  return std::nullopt;
}

Error missing(const std::string& what) {
  return Error::make(Code::kCheckFailed, "port maps are incomplete: " + what,
                     "nft list table inet " + kPortMapTable.name + " shows what there is");
}

Status check_localnet(const PortMapSpec& spec) {
  const auto pod = pod_of_loopback(spec);
  if (!pod) return {};
  CNIO_LET(const bool routed, routes_localnet(*pod));
  return routed ? Status() : missing("route_localnet of the interface to " + pod->to_string() + " is 0");
}

Status check_elements(NftConnection& nft, const PortMapPlan& plan) {
  for (const auto& [map, wanted] : plan.elements) {
    if (map == kLocalnet) continue;  // what counts is the setting itself
    CNIO_LET(const auto found, nft.find_element(kPortMapTable, map, wanted.key));
    const std::string which = "an element of map " + map + " of " + std::string(owner_text(plan.comment));
    if (!found) return missing(which + " is not there");
    if (found->data != wanted.data || found->chain != wanted.chain || found->comment != wanted.comment) {
      return missing(which + " leads elsewhere, or is of " + std::string(owner_text(found->comment)));
    }
  }
  return {};
}

Status check_rules(NftConnection& nft, const std::string& chain, const std::vector<PortMapPlan::Rule>& wanted) {
  CNIO_LET(const auto rules, nft.list_programs(kPortMapTable, chain));
  const bool same = std::equal(wanted.begin(), wanted.end(), rules.begin(), rules.end(),
                               [](const PortMapPlan::Rule& ours, const net::NftProgramRule& there) {
                                 return ours.first.same_effect(there.program) && ours.second == there.comment;
                               });
  return same ? Status() : missing("chain " + chain + " has other rules than the configuration asks for");
}

}  // namespace

Status install_nftables_port_map(NftConnection& nft, const PortMapSpec& spec, std::vector<std::string>& notes) {
  std::optional<HostLock> lock;
  std::optional<Localnet> localnet;
  if (const auto pod = pod_of_loopback(spec)) {
    lock = lock_localnet(LockKind::kShared);
    CNIO_LET(localnet, find_localnet(*pod));
  }
  CNIO_LET(const PortMapPlan plan, plan_port_map(spec, localnet, notes));
  if (plan.record.empty()) return {};
  CNIO_TRY(explain(install(nft, plan)));
  return localnet ? set_localnet(localnet->interface, true) : Status();
}

Status refuse_taken_ports(NftConnection& nft, const PortMapSpec& spec) {
  std::vector<std::string> notes;
  CNIO_LET(const PortMapPlan plan, plan_port_map(spec, std::nullopt, notes));
  CNIO_TRY(find_predecessors(nft, plan));
  return {};
}

Status check_nftables_port_map(NftConnection& nft, const PortMapSpec& spec) {
  std::vector<std::string> notes;
  CNIO_LET(const PortMapRecord record, read_port_map_record(nft, owner_hash(spec.owner)));
  const auto localnet = record.localnet.empty() ? std::nullopt : std::optional(Localnet{record.localnet, true});
  CNIO_LET(const PortMapPlan plan, plan_port_map(spec, localnet, notes));
  if (plan.record.empty()) return {};
  CNIO_LET(const PortMapTableState state, look_at_port_map_table(nft, plan.hash, plan.prefixes));
  if (!state.fault.empty()) return missing(state.fault);
  CNIO_TRY(check_elements(nft, plan));
  CNIO_TRY(check_rules(nft, ports_chain(plan.hash), plan.ports));
  return check_localnet(spec);
}

Status rehearse_nftables_port_map() {
  NftBatch batch(kPortMapTable);
  put_port_map_table(batch, std::set<SourcePrefix>{{Family::kIpv4, 24}, {Family::kIpv6, 64}});
  return explain(NftConnection::rehearse(batch, "try whether port maps could be installed"));
}

}  // namespace cnio::firewall
