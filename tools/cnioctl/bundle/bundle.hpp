// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/plugin_call.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

struct BundleOptions {
  std::string conf_dir = "/etc/cni/net.d";
  std::string output = {};  // -: standard output
  bool dry_run = false;     // lists what would be in it
  bool redact = false;
  bool json = false;  // of the list
};

// What somebody needs to understand a node from afar, as a tar: what this program says of it, networks' files without
// secrets, which plugins there are, and what the kernel is told. `facts` with names and routes. kBlind if something is
// not in it.
Outcome bundle(Facts& facts, const Plugins& plugins, const BundleOptions& options);

}  // namespace cnio::cnioctl
