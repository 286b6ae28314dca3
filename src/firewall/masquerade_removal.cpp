// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Takes attachments' chains away again: by name exactly what is ours, whatever else is in the table.
#include <cerrno>
#include <optional>
#include <set>

#include "cnio/base/error_list.hpp"

#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_nftables.hpp"
#include "firewall/masquerade_shared.hpp"
#include "firewall/masquerade_sources.hpp"
#include "firewall/take_away.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;

// The objects of a table with one attachment and nothing of others: its chain, the one that the kernel calls, two maps.
constexpr uint32_t kLastUse = 4;

constexpr Way kByRules = Way::kFirst;  // its rules name the addresses that lead to it
// Otherwise somebody changed its rules: the whole maps are read.

struct Removal {
  std::set<IpAddr> elements;  // that lead to the chain
  std::vector<Heir> heirs;    // of these
  MasqueradeRecord record;
};

Status add_elements_by_maps(NftConnection& nft, const std::string& chain, std::set<IpAddr>& elements) {
  for (const Family family : kFamilies) {
    CNIO_LET(const auto keys, nft.list_keys_to(kMasqueradeTable, masquerade_map(family), chain));
    for (const IpAddr& key : keys) {
      if (key.family() == family) elements.insert(key);
    }
  }
  return {};
}

Result<Removal> plan_removal(NftConnection& nft, const std::string& chain, const net::NftView& view, Way way) {
  Removal out;
  std::set<IpAddr> awaited;
  for (const auto& [address, taken_over] : sources_in(view.rules)) {
    CNIO_LET(const auto leads_to, find_chain_of(nft, address));
    out.record.addresses.push_back(address);
    if (leads_to == chain) out.elements.insert(address);
    if (leads_to && *leads_to != chain) out.record.of_others.push_back(address);
    if (leads_to == chain && taken_over) awaited.insert(address);
  }
  if (way != kByRules) {
    CNIO_TRY(add_elements_by_maps(nft, chain, out.elements));
    awaited = out.elements;  // the remark may be gone with the rules
  }
  CNIO_LET(out.heirs, find_heirs(nft, chain, awaited));
  for (const Heir& heir : out.heirs) out.record.of_others.push_back(heir.address);
  return out;
}

void put_removal(NftBatch& batch, const std::string& chain, const Removal& removal, Way way) {
  put_release(batch, removal.elements, removal.heirs);
  batch.flush_chain(chain);
  if (way != Way::kEmptyOnly) batch.delete_chain(chain);
}

// With the table. False if it does not go: something of others is in it.
Result<bool> remove_last(NftConnection& nft, const std::string& chain, const Removal& removal, uint32_t generation) {
  CNIO_LET(const net::NftView shared, view_masquerade_entry(nft));
  NftBatch batch(kMasqueradeTable, generation);
  put_removal(batch, chain, removal, kByRules);
  put_masquerade_table_removal(batch, shared);
  const Status status = nft.commit(batch, "remove masquerading");
  if (!status.ok() && status.error().errnum() == EBUSY) return false;
  CNIO_TRY(status);
  return true;
}

Status remove_once(NftConnection& nft, const std::string& chain, Way way, MasqueradeRecord& record) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const net::NftView view, view_masquerade_chain(nft, chain));
  record = {};
  if (view.chains.empty()) return {};
  CNIO_LET(const Removal removal, plan_removal(nft, chain, view, way));
  record = removal.record;
  if (view.table && view.table->use <= kLastUse && way != Way::kEmptyOnly) {
    CNIO_LET(const bool gone, remove_last(nft, chain, removal, generation));
    if (gone) return {};
  }
  NftBatch batch(kMasqueradeTable, generation);
  put_removal(batch, chain, removal, way);
  return nft.commit(batch, "remove masquerading");
}

Result<std::optional<Error>> take_chain_away(NftConnection& nft, const std::string& chain, MasqueradeRecord& record) {
  return take_away([&](Way way) { return remove_once(nft, chain, way, record); });
}

}  // namespace

Status remove_attachment_chain(NftConnection& nft, const std::string& chain, MasqueradeRecord& record) {
  CNIO_TRY(take_chain_away(nft, chain, record));
  return {};
}

Status collect_nftables_garbage(NftConnection& nft, const StaleOwners& stale) {
  CNIO_LET(const auto chains, nft.list_chains(kMasqueradeTable));
  ErrorList errors;
  for (const net::NftChain& chain : chains) {
    if (!stale.contain_hash(hash_in_attachment_chain(chain.name))) continue;
    MasqueradeRecord record;
    collect(errors, chain.name, take_chain_away(nft, chain.name, record));
  }
  return errors.status();
}

}  // namespace cnio::firewall
