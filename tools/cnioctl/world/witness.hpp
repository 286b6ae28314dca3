// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/world/world.hpp"

// What a runtime says of who lives, where it is asked. What is seen on the node needs none.
namespace cnio::cnioctl {

struct WitnessOptions {
  std::string runtime = "none";  // whom to ask which containers it knows, as ask_runtime takes it
  std::string valid_file = {};   // container IDs that a runtime knows, one a line; -: standard input
};

// Containers that a runtime knows, running or not; nothing: none was asked.
using Witness = std::optional<std::set<std::string>>;

// By both, if both are given. Errors: as ask_runtime, and code 5.
Result<Witness> call_witness(const WitnessOptions& options, const protocol::Environment& environment);

// What is to be known of a file, besides what the world has.
struct FileFacts {
  std::string stamp;   // changes with the file; empty: it is gone
  bool young = false;  // its container may have been unknown to a runtime that was asked before
};
using LookAtFile = std::function<FileFacts(const std::string& path)>;
FileFacts look_at_file(const std::string& path);

// May it be in the middle of an ADD that has only begun?
bool may_be_starting(const Attached& attached, const LookAtFile& look);

// Who lives by what the node shows and the witness, who is believed before all else: whom it knows lives, and of whom
// nothing else tells is gone if it does not know it. But for whoever is so young that it may not know it yet: that is
// unknown, as is what may be starting, and what only partly is of before the last boot.
Verdict judge(const Attached& attached, const Witness& witness, const LookAtFile& look);

// All of the world, by a witness that was asked.
void believe(const std::set<std::string>& known, World& world);

}  // namespace cnio::cnioctl
