// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Takes ports away again: by owner alone, whatever else is in the table.
#include <set>

#include "cnio/base/error_list.hpp"

#include "firewall/localnet.hpp"
#include "firewall/port_map_nftables.hpp"
#include "firewall/port_map_table.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;

constexpr uint32_t kMostPrefixes = 33 + 129;

Result<bool> is_last(NftConnection& nft) {
  CNIO_LET(const auto table, nft.find_table(kPortMapTable));
  // Nobody needs to count the prefixes where there are more things than that.
  const uint32_t size = size_of_port_map_table();
  if (!table || table->use > size + kMostPrefixes) return false;
  CNIO_LET(const auto prefixes, list_prefixes(nft));
  return table->use <= size + prefixes.size();
}

// With the last port the host stops to route packets from and to 127.0.0.1. Nobody may begin to rely on it meanwhile.
Status end_localnet(NftConnection& nft) {
  CNIO_LET(const bool nobody, is_last(nft));
  if (!nobody) return {};
  const auto lock = lock_localnet(LockKind::kAlone);
  CNIO_LET(const bool still_nobody, is_last(nft));
  if (!lock || !still_nobody) return {};
  CNIO_LET(const auto interfaces, nft.list_elements(kPortMapTable, kLocalnet));
  NftBatch batch(kPortMapTable);
  for (const net::NftElement& interface : interfaces) {
    CNIO_TRY(set_localnet(interface.key.substr(0, interface.key.find('\0')), false));
    batch.delete_element(kLocalnet, std::string_view(interface.key));
  }
  return nft.commit(batch, "forget interfaces that route packets of 127.0.0.1");
}

Status commit(NftConnection& nft, const PortMapRemoval& removal) {
  NftBatch batch(kPortMapTable);
  removal.put(batch);
  return nft.commit(batch, "remove port maps");
}

// As it is recorded, or else, if somebody has changed the table by hand, what there is.
Status remove_recorded(NftConnection& nft, std::string_view hash, const PortMapRecord& record) {
  if (!record.empty() && commit(nft, removal_of(hash, record)).ok()) return {};
  return net::retry_while_changing([&]() -> Status {
    CNIO_LET(const PortMapRemoval removal, careful_removal_of(nft, hash, record));
    return commit(nft, removal);
  });
}

Result<PortMapRecord> remove(NftConnection& nft, std::string_view hash) {
  CNIO_LET(PortMapRecord record, read_port_map_record(nft, hash));
  if (record.empty()) {
    CNIO_LET(const bool there, nft.has_chain(kPortMapTable, ports_chain(hash)));
    if (!there) return record;
  }
  CNIO_TRY(remove_recorded(nft, hash, record));
  if (!record.localnet.empty()) CNIO_TRY(set_localnet(record.localnet, false));
  CNIO_TRY(end_localnet(nft));
  return record;
}

// Those of which only elements are left.
Status collect_elements(NftConnection& nft, const StaleOwners& stale) {
  std::vector<std::string> maps;
  for (const Family family : kFamilies) {
    const PortMapNames& names = port_map_names(family);
    maps.insert(maps.end(), {names.hosts, names.ports, names.hosts_if, names.ports_if, names.pods, names.quiet});
  }
  CNIO_LET(const auto prefixes, list_prefixes(nft));
  for (const SourcePrefix& prefix : prefixes) maps.push_back(prefix.set());
  NftBatch batch(kPortMapTable);
  for (const std::string& map : maps) {
    CNIO_LET(const auto elements, nft.list_elements(kPortMapTable, map));
    for (const net::NftElement& element : elements) {
      if (stale.contain(element.comment)) batch.delete_element(map, std::string_view(element.key));
    }
  }
  return nft.commit(batch, "remove port maps without owner");
}

}  // namespace

Result<PortMapRecord> remove_nftables_port_map(NftConnection& nft, const RuleOwner& owner) {
  return remove(nft, owner_hash(owner));
}

Status collect_nftables_port_map(NftConnection& nft, const StaleOwners& stale) {
  CNIO_LET(const auto chains, nft.list_chains(kPortMapTable));
  ErrorList errors;
  for (const net::NftChain& chain : chains) {
    if (!is_ports_chain(chain.name) || !stale.contain(chain.comment)) continue;
    auto removed = remove(nft, hash_in_chain(chain.name));
    if (!removed.ok()) errors.collect(std::move(removed).error());
  }
  if (!chains.empty()) errors.collect(collect_elements(nft, stale));
  return errors.status();
}

}  // namespace cnio::firewall
