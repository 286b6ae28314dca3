// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cnio/firewall/masquerade.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Rules of the reference, of both of its forms as far as they are nf_tables rules: those of its nft form, and those of
// iptables-nft (which our own iptables form makes too). Found and removed through netlink: no program runs, and no
// table comes into being where none was.
namespace cnio::firewall {

// The sources of rules that went, and of the other attachments' that stay.
struct RemovedSources {
  std::set<IpAddr> gone;
  std::set<IpAddr> kept;

  // Both only if it is one address.
  void note(const std::optional<Cidr>& source, bool goes);
  void add_to(MasqueradeRecord& record) const;
};

// The rules of the nft form of one attachment, or of all attachments of a network that are not valid.
Status remove_reference_rules(net::NftConnection& nft, const MasqueradeIdentity& who, MasqueradeRecord& record);
Status collect_reference_rules(net::NftConnection& nft, const StaleOwners& stale);

// A chain of the iptables form belongs to all interfaces of a container in a network, and its name, a hash of network
// and container run together, may even be shared by two containers. This is the part of it that is to go.
struct SharedChain {
  std::string name;
  std::string comment_prefix;   // of the rules of this container, or of this network
  std::vector<IpAddr> sources;  // of these addresses; none: of all

  // Does a jump into the chain belong to that part? `source` is what it matches, nothing for everybody.
  [[nodiscard]] bool holds_jump(const std::optional<Cidr>& source, const std::string& comment) const;
};

// Removes the jumps of that part, and the chain if no other is left.
Status remove_iptables_nft_chain(net::NftConnection& nft, const SharedChain& chain, MasqueradeRecord& record);
Status collect_iptables_nft_chains(net::NftConnection& nft, const std::string& network,
                                   const std::vector<protocol::Attachment>& valid);

// True if the reference's rules masquerade all of the spec's addresses.
Result<bool> masqueraded_by_reference(net::NftConnection& nft, const MasqueradeSpec& spec);

// The names of the iptables chains of valid attachments.
std::vector<std::string> valid_iptables_chains(const std::string& network,
                                               const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::firewall
