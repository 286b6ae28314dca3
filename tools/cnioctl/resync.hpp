// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cnio/firewall/owner.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/occupants.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

struct ResyncOptions {
  StorePlaces stores = {"/var/lib/cni/networks", "/var/lib/cni"};
  std::string plugins = "/opt/cni/bin";    // as CNI_PATH
  std::vector<std::string> networks = {};  // none: all
  bool dry_run = false;
  bool watch = false;  // goes on: watch.hpp
  bool json = false;
};

// Has the plugins make again what this node has lost under pods that live: their REPAIR (protocol::Plugin). Nothing in
// a pod is changed. With `dry_run` they are asked what is missing, by their CHECK. Kinds: put-back, missing (of a dry
// run), lost (not to be mended), well-again (was lost before, and nothing had to be done), no-repair (a plugin of
// others, or an old one), part (libcni's cache is missing, so port maps and the like are not known), unreadable (nobody
// tells how it was made).
Outcome resync(const ResyncOptions& options, const protocol::Environment& environment);

// The same, of a world that was looked at already and those of its attachments that are wanted. Of whom something was
// missing before (`given_up`), it is said, too, that all is well.
using Wanted = std::function<bool(const Attached&)>;
using Owners = std::set<firewall::RuleOwner>;
struct Mending {
  Report report;
  Owners given_up = {};  // of whom something is missing still
};
Mending mend(const World& world, const ResyncOptions& options, const protocol::Environment& environment,
             const Wanted& wanted, const Owners& given_up);

}  // namespace cnio::cnioctl
