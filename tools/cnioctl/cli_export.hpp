// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cnioctl/bundle/bundle.hpp"
#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// What is said to the verbs that make a file of the node, for somebody else or for later.
struct ExportOptions {
  std::string output;  // picture, snapshot
  std::string before;  // diff
  std::string after;   // diff; empty: now
  std::string bin = "/opt/cni/bin";
  BundleOptions bundle;
};

// picture, snapshot, diff and bundle.
std::span<const Verb> export_verbs();

}  // namespace cnio::cnioctl
