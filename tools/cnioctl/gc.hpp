// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/protocol/request.hpp"

#include "cnioctl/gc_plan.hpp"
#include "cnioctl/occupants.hpp"
#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

struct GcOptions {
  StorePlaces stores = {"/var/lib/cni/networks", "/var/lib/cni"};
  std::string plugins = "/opt/cni/bin";  // as CNI_PATH
  std::string apply = {};                // a plan that is to be carried out; -: standard input
  std::string output = {};               // where a new one goes
  WitnessOptions witness = {};
  GcChoice choice = {};
  bool json = false;
};

// Plans: what would go, with the evidence, and changes nothing. kFound if there is something.
Outcome gc_plan(const GcOptions& options);

// Carries a plan out. Looks again, and refuses one of which anything has changed (kStale; nothing is removed). What
// goes gets a DEL of its plugins, one attachment at a time, and not a GC with all that live: a pod that starts
// meanwhile is in no such list, and would be taken.
Outcome gc_apply(const GcOptions& options, const protocol::Environment& environment);

}  // namespace cnio::cnioctl
