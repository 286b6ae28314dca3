// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/protocol/request.hpp"

// MAC spoof check: frames that come in by an attachment's bridge port under another source MAC address than its own are
// dropped. The rules are the reference's, in the table `bridge nat`, so that each implementation removes the other's;
// its two chains carry whose they are as a comment besides, for GC. All functions act in the calling thread's network
// namespace, through netlink alone.
namespace cnio::firewall {

struct SpoofCheckSpec {
  std::string network;
  protocol::Attachment attachment;
  std::string port;  // the host end
  MacAddr mac;       // of the sandbox end
};

// Does the kernel have what it needs, and is the table, if it is there, fit for it? Errors: code 100, 103. Changes
// nothing.
Status require_spoof_check();

// Installs the rules at once or not at all, in place of any that the attachment has. Errors: code 100; 103 if the table
// is dormant, or the chain PREROUTING in it not called where it should be: they are shared, so what stands there is not
// changed.
Status install_spoof_check(const SpoofCheckSpec& spec, Rollback& undo);

// Removes the attachment's rules; none is success, and so is finding those of an attachment of the same name in another
// network, which stay. Table and chain PREROUTING, if they were made here, go with the last rule; rules, chains and
// other objects of somebody else in them stay, and so do then these.
Status remove_spoof_check(net::NftConnection& nft, const std::string& network, const protocol::Attachment& attachment);

// Error: code 104, naming what is missing or different.
Status check_spoof_check(const SpoofCheckSpec& spec);

// Removes the rules of the network's attachments that are not valid. Of those that the reference made, which do not say
// of which network they are, only those whose port is gone. Goes on past failures and reports all.
Status collect_spoof_check_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::firewall
