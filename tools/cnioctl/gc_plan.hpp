// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"

#include "cnioctl/world/witness.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

// What a person has said of it.
struct GcChoice {
  std::vector<std::string> networks = {};  // none: all
  Witness valid = {};                      // the containers that a runtime knows
  bool include_unknown = false;            // also those of which nothing tells whether they live
  bool no_pods = false;                    // that none lives is no mistake

  bool operator==(const GcChoice&) const = default;
};

// One thing that goes with an attachment.
struct DoomedObject {
  std::string kind;   // "address", "link", "record", "cache", or as to_string(RuleKind)
  std::string name;   // for people
  std::string stamp;  // by which it is known again

  auto operator<=>(const DoomedObject&) const = default;
};

// An attachment that goes, and why.
struct Doomed {
  firewall::RuleOwner who;
  std::string pod;  // "default/web-7f9c", for people; empty: not known
  Life life = Life::kGone;
  std::string reason;
  std::vector<DoomedObject> objects;

  auto operator<=>(const Doomed&) const = default;
  // "default/web-7f9c (mynet/c1/eth0)".
  [[nodiscard]] std::string name() const { return pod.empty() ? who.text() : pod + " (" + who.text() + ")"; }
};

struct GcPlan {
  uint64_t host = 0;  // the number of its network namespace
  int64_t made = 0;   // in seconds since 1970
  GcChoice choice;
  std::vector<Doomed> remove;  // by network, container and interface
  size_t live = 0;             // that stay
  size_t unknown = 0;
  size_t foreign = 0;  // files in the store that are no reservations
};

// Of what nothing alive has: whoever a runtime knows, has a sandbox, or a cable that leads into one, is alive, and
// nothing tells is alive, too. Error: code 11 if this does not see enough to tell, so that nothing may be removed.
Result<GcPlan> plan_gc(const World& world, const GcChoice& choice, const LookAtFile& look);

// Is all of it in `now` as well, with the same things? Error: code 11, naming what has changed.
Status check_plan(const GcPlan& plan, const GcPlan& now);

// {"schema": "cnioctl/1", "gc": {...}}
std::string format_plan(const GcPlan& plan);
// Errors: code 6.
Result<GcPlan> parse_plan(std::string_view text);

// For people: "would remove ..., keep ..." and a line for each attachment and what it has; no byte drives a terminal.
std::string plan_text(const GcPlan& plan);

}  // namespace cnio::cnioctl
