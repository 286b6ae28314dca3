// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/protocol/request.hpp"

// Masquerading: what a pod sends beyond its own subnet leaves the host under the host's address. All functions act in
// the calling thread's network namespace, on rules found by the attachment's identity, so that they can be removed when
// pod, interface and addresses are long gone. The picture of the rules is in docs/masquerade.md.
namespace cnio::firewall {

// Whose rules they are.
using MasqueradeIdentity = RuleOwner;

enum class MasqueradeBackend {
  kNftables,  // netlink alone, no program needed
  kIptables,  // the iptables and ip6tables programs, rules as the reference makes them
};

// The value of the key `ipMasqBackend`: "nftables" or "iptables"; nf_tables if it is not `given`. Error: code 7.
Result<MasqueradeBackend> parse_backend(std::string_view text, bool given);

// Is what the backend needs there at all: nf_tables in the kernel, or iptables in PATH? For asking before the first
// change. Returns the connection to nf_tables if that is the backend. Errors: as install_masquerade.
Result<std::optional<net::NftConnection>> require_masquerade_backend(MasqueradeBackend backend,
                                                                     const protocol::Environment& environment);

// For STATUS: would install_masquerade work? Asks the kernel for everything that it needs, and changes nothing. Errors:
// as install_masquerade.
Status rehearse_masquerade(MasqueradeBackend backend, const protocol::Environment& environment);

struct MasqueradeSpec {
  MasqueradeIdentity who;
  std::vector<Cidr> addresses;  // the pod's, each with the prefix of its own subnet, which is not masqueraded
  std::vector<Cidr> exclude;    // destinations that are not masqueraded either
  // The only destinations that are: a family of which none is listed is not masqueraded. Absent: no such limit.
  std::optional<std::vector<Cidr>> only = {};
  MasqueradeBackend backend = MasqueradeBackend::kNftables;
};

// Masquerades new connections from the given addresses; multicast is left alone. Rules that this identity had before
// are replaced, and an address that still belongs to another attachment is taken over: the pod that has it now is
// right. If the other one lives (tenants with equal subnets), the address goes back to it later. With nf_tables all of
// it happens at once or not at all. What was made is registered in `undo`, with iptables step by step. `nft` is what
// require_masquerade_backend has returned. Errors: code 100, naming what the kernel lacks or the program says; code 7
// if iptables is asked for and not there. Our own table, if somebody bent it, is mended, or it is code 103 where that
// would change what belongs to others.
Status install_masquerade(std::optional<net::NftConnection>& nft, const MasqueradeSpec& spec,
                          const protocol::Environment& environment, Rollback& undo);

// What an attachment's rules told of it when they were removed: a record on the host that no pod can change.
struct MasqueradeRecord {
  std::vector<IpAddr> addresses;  // that they were made for
  // Those of them that belong to another attachment by now, or again: its rules name them, too. What the host
  // remembers of these (connections, neighbours) is the other's.
  std::vector<IpAddr> of_others;
};

// Removes the attachment's rules of either backend, and those that the reference made for it with nft, iptables-nft or
// iptables-legacy; what is not there is success. Goes on past failures. `known_addresses` are the attachment's own, if
// known: in the iptables form all interfaces of a container in one network share a chain, of which then only the part
// of these addresses goes; with none known all of it goes. They choose among this container's own rules and do nothing
// else, so they may come from the pod. An address that another attachment's rules name, too, goes on being masqueraded
// by these. `nft`: nothing if this kernel has no nf_tables. `record`, if given, gets what the rules told, also if
// something failed; an attachment that has none leaves it empty.
Status remove_masquerade(std::optional<net::NftConnection>& nft, const MasqueradeIdentity& who,
                         const std::vector<IpAddr>& known_addresses, const protocol::Environment& environment,
                         MasqueradeRecord* record = nullptr);

// Do our nf_tables rules lead from this address to another attachment than `who`? For addresses that a record does not
// tell of, for example those of a prevResult after the rules went with an earlier DEL. One look-up.
Result<bool> owned_by_other(net::NftConnection& nft, const MasqueradeIdentity& who, const IpAddr& address);

// Success if everything that `install_masquerade` makes is in place and reached by packets, or if the reference's rules
// do the same; an address may also lead to another attachment's chain that treats it alike. Error: code 104, naming
// what is missing.
Status check_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment);

// Removes the rules of all attachments of this network that are not valid, the reference's included. Goes on past
// failures and reports all.
Status collect_masquerade_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                  const protocol::Environment& environment);

}  // namespace cnio::firewall
