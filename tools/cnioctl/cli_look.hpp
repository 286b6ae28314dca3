// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cnioctl/check.hpp"
#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// What is said to the verbs that look at the node.
struct LookOptions {
  std::string thing;  // who, why
  std::string state;  // ipam
  std::string file;   // metrics
  CheckOptions check;
  std::string bin = "/opt/cni/bin";  // check: where the plugins are
  bool all = false;                  // pods
};

// status, pods, who, ipam, check, tree, why and metrics.
std::span<const Verb> look_verbs();

}  // namespace cnio::cnioctl
