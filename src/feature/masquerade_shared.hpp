// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/nftables.hpp"

// Our table, and what all attachments share in it: the chain that the kernel calls, and the maps that lead from it to
// the attachments' chains.
namespace cnio::feature {

extern const net::NftTable kMasqueradeTable;
extern const net::NftBaseChain kMasqueradeEntry;

const std::string& masquerade_map(Family family);

Result<net::NftView> view_masquerade_entry(net::NftConnection& nft);
Result<net::NftView> view_masquerade_chain(net::NftConnection& nft, const std::string& chain);

// Why packets do not get from there to the attachments' chains as they should, as a clause; empty if they do.
std::string fault_of_masquerade_entry(const net::NftView& view);

// Could ADD mend a table that is at fault without harm to what others have in it? Error: code 103. Changes nothing.
Status check_masquerade_mendable(net::NftConnection& nft, const net::NftView& view);

// Likewise, and wakes up a dormant table. The rest is up to put_masquerade_entry.
Status prepare_masquerade_entry(net::NftConnection& nft, const net::NftView& view);

// The chain that the maps lead an address to. A map that somebody made anew in another form has nothing of ours.
Result<std::optional<std::string>> find_chain_of(net::NftConnection& nft, const IpAddr& address);

// Writes the shared part in full, and in the same batch as an attachment: so it does not matter who comes first, and
// what somebody took away or bent comes back.
void put_masquerade_entry(net::NftBatch& batch, const net::NftView& view);

// Code 103 in place of a failure that the state of the shared part explains.
Status explain_masquerade_failure(net::NftConnection& nft, Status failed);

// Removes the shared part and the table, as far as they are ours: without the parts that `view` shows to be missing.
void put_masquerade_table_removal(net::NftBatch& batch, const net::NftView& view);

}  // namespace cnio::feature
