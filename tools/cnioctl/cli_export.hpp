// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "cnioctl/bundle/bundle.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace CLI {
class App;
}

namespace cnio::cnioctl {

// What is said to the verbs that make a file of the node, for somebody else or for later.
struct ExportOptions {
  Places places;
  std::string output;  // picture, snapshot
  std::string before;  // diff
  std::string after;   // diff; empty: now
  std::string bin = "/opt/cni/bin";
  BundleOptions bundle;
};

// Adds picture, snapshot, diff and bundle; the one that is chosen is put into `verb`.
void add_export(CLI::App& app, ExportOptions& options, const bool& json, std::function<Outcome()>& verb);

}  // namespace cnio::cnioctl
