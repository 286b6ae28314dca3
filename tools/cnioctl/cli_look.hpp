// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cnioctl/check.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace CLI {
class App;
}

namespace cnio::cnioctl {

// What is said to the verbs that look at the node.
struct LookOptions {
  Places places;
  std::string thing;  // who, why
  std::string state;  // ipam
  std::string file;   // metrics
  CheckOptions check;
  std::string bin = "/opt/cni/bin";  // check: where the plugins are
  bool all = false;                  // pods
};

// Who is asked who lives.
void add_witness(CLI::App* app, WitnessOptions& witness);
// Where is looked, and who is asked.
void add_look_places(CLI::App* app, Places& places);

// Adds the verbs; the one that is chosen is put into `verb`.
void add_look(CLI::App& app, LookOptions& options, const bool& json, std::function<Outcome()>& verb);

}  // namespace cnio::cnioctl
