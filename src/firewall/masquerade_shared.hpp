// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Our table, and what all attachments share in it: the chain that the kernel calls, and the maps that lead from it to
// the attachments' chains.
namespace cnio::firewall {

// NOLINTBEGIN(bugprone-dynamic-static-initializers): declared here, made in one place
extern const net::NftTable kMasqueradeTable;
extern const net::NftBaseChain kMasqueradeEntry;
// NOLINTEND(bugprone-dynamic-static-initializers)

const std::string& masquerade_map(Family family);

// With the maps, or without them to save time: then they are taken to be right.
Result<net::NftView> view_masquerade_entry(net::NftConnection& nft, bool with_maps = true);
Result<net::NftView> view_masquerade_chain(net::NftConnection& nft, const std::string& chain);

// Why packets do not get from there to the attachments' chains as they should, as a clause; empty if they do.
std::string fault_of_masquerade_entry(const net::NftView& view);

// Could ADD mend a table that is at fault without harm to what others have in it? Error: code 103. Changes nothing.
Status check_masquerade_mendable(net::NftConnection& nft, const net::NftView& view);

// Likewise, and wakes up a dormant table. The rest is up to put_masquerade_entry.
Status prepare_masquerade_entry(net::NftConnection& nft, const net::NftView& view);

// The chain that the maps lead an address to. A map that somebody made anew in another form has nothing of ours.
Result<std::optional<std::string>> find_chain_of(net::NftConnection& nft, const IpAddr& address);

// Does put_masquerade_entry remove a chain to make it anew? Only then does it depend on what was seen.
bool replaces_masquerade_chain(const net::NftView& view);

// Writes the shared part in full, and in the same batch as an attachment: so it does not matter who comes first, and
// what somebody took away or bent comes back.
void put_masquerade_entry(net::NftBatch& batch, const net::NftView& view);

// Only the maps: creates them, or the kernel refuses the batch if they are of another kind (since Linux 6.4; before
// that most of these show when an element is added).
void put_masquerade_maps(net::NftBatch& batch);

// Code 103 in place of a failure that the state of the shared part explains.
Status explain_masquerade_failure(net::NftConnection& nft, Status failed);

// Removes the shared part and the table, as far as they are ours: without the parts that `view` shows to be missing.
void put_masquerade_table_removal(net::NftBatch& batch, const net::NftView& view);

}  // namespace cnio::firewall
