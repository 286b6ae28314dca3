// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/cli_export.hpp"
#include "cnioctl/cli_look.hpp"
#include "cnioctl/explain.hpp"
#include "cnioctl/gc.hpp"
#include "cnioctl/lint.hpp"
#include "cnioctl/resync.hpp"
#include "cnioctl/subnet.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// All that can be said on the command line.
struct Line {
  bool help = false;
  bool version = false;
  bool json = false;
  std::string colour = "auto";

  Places places = {};  // of verbs that look
  LookOptions look = {};
  ExportOptions exports = {};
  SubnetOptions subnet = {};
  LintOptions lint = {};
  GcOptions gc = {};
  bool gc_dry_run = false;
  ResyncOptions resync = {};
  ExplainOptions explain = {};
  std::string shell = {};                  // completion
  std::vector<std::string> help_for = {};  // help: which verb
};

}  // namespace cnio::cnioctl
