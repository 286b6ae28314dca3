// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/feature/masquerade.hpp"
#include "cnio/net/nftables.hpp"

// Rules of the reference, of both of its forms as far as they are nf_tables rules: those of its nft form, and those of
// iptables-nft (which our own iptables form makes too). Found and removed through netlink: no program runs, and no
// table comes into being where none was.
namespace cnio::feature {

// The rules of the nft form of one attachment, or of all attachments of a network that are not valid.
Status remove_reference_rules(net::NftConnection& nft, const MasqueradeIdentity& who);
Status collect_reference_rules(net::NftConnection& nft, const std::string& network,
                               const std::vector<protocol::Attachment>& valid);

// One chain of iptables-nft in both families, as remove_masquerade says; or all of a network that belong to no valid
// attachment.
Status remove_iptables_nft_chain(net::NftConnection& nft, const std::string& chain, const std::vector<IpAddr>& known);
Status collect_iptables_nft_chains(net::NftConnection& nft, const std::string& network,
                                   const std::vector<protocol::Attachment>& valid);

// True if the reference's rules masquerade all of the spec's addresses.
Result<bool> masqueraded_by_reference(net::NftConnection& nft, const MasqueradeSpec& spec);

// Does a jump from this source (none: from everywhere) into the shared chain belong to one of the known addresses? With
// none known, all do.
bool jump_belongs_to(const std::optional<Cidr>& source, const std::vector<IpAddr>& known);

// The names of the iptables chains of valid attachments.
std::vector<std::string> valid_iptables_chains(const std::string& network,
                                               const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::feature
