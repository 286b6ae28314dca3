// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/nftables/nftables.hpp"

// The addresses that attachments' chains were made for, and who has an address that several were made for (tenants with
// equal subnets, or a pod that vanished without a DEL): the map leads to one of their chains.
namespace cnio::firewall {

// The comment of the rule that names an address, and that of one whose address led to another chain before.
inline constexpr const char* kOwnSubnet = "own subnet";
inline constexpr const char* kTakenOver = "own subnet, taken over";

// The addresses that a chain's rules name, and whether one was taken over.
std::map<IpAddr, bool> sources_in(const std::vector<net::NftRule>& rules);

// Who gets an address next.
struct Heir {
  IpAddr address;
  std::string chain;
  // The chain's rule that is to say from now on that still others wait for the address.
  std::optional<net::NftRule> unmarked;
};

// The chains of other attachments that name the addresses which `chain` gives up; reads the whole table, unless there
// is none.
Result<std::vector<Heir>> find_heirs(net::NftConnection& nft, const std::string& chain,
                                     const std::set<IpAddr>& addresses);

// Leads the addresses to their heirs, or nowhere.
void put_release(net::NftBatch& batch, const std::set<IpAddr>& addresses, const std::vector<Heir>& heirs);

}  // namespace cnio::firewall
