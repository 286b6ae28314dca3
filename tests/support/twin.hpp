// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/host.hpp"
#include "support/plugin.hpp"

// Two implementations are given the same work, each in a host of its own, and everything they do is written down in
// words that do not depend on chance: names and MACs made at random get names that say what they are.
namespace cnio::test {

enum class Side { kReference, kOurs };

/// The folder with an implementation's executables.
std::string side_dir(Side side);

/// Does the reference know specification 1.1.0? The newest does; Debian 12's (1.1.1) does not.
bool reference_is_new();

/// A host and its pods, worked on by one implementation.
class Twin {
 public:
  explicit Twin(Side side) : side_(side) {}

  /// Runs a command line of the shell on the host, in which "<host end of c1/eth0>" stands for that interface's name.
  Outcome shell(std::string line) const;

  /// One plugin call. The result of an ADD is kept, and passed to CHECK and DEL of that attachment as prevResult, as
  /// runtimes do, unless the configuration has one. `env` is set over what a runtime would set; empty: unset.
  Outcome call(const std::string& verb, const Attachment& attachment, const Json& config,
               const std::map<std::string, std::string>& env);

  /// As call(), with any text on stdin.
  Outcome call_raw(const std::string& verb, const Attachment& attachment, const std::string& plugin,
                   const std::string& text, const std::map<std::string, std::string>& env) const;

  /// A MAC that the test chose is compared as it is.
  void keep_mac(const std::string& mac) { fixed_macs_.insert(mac); }

  /// The state of everything, sorted.
  std::vector<std::string> state();

  /// Text with the random parts named.
  std::string named(std::string text) const;
  /// Text of a result: MACs are either those that the kernel knows for these interfaces, or wrong.
  std::string named_result(const std::string& text) const;

  void add_pod(const std::string& id);

 private:
  void learn_names(const std::map<std::string, Json>& links);
  static void add_links(const std::string& where, const Json& links, std::vector<std::string>& lines);
  static void add_routes(const std::string& where, const std::string& netns, std::vector<std::string>& lines);
  static void add_sysctls(const std::string& where, const std::string& netns, std::vector<std::string>& lines);
  static void add_rules(const std::string& where, const std::string& netns, std::vector<std::string>& lines);
  static void add_tree(const std::string& folder, std::vector<std::string>& lines);

  Side side_;
  IsolatedHost host_;
  std::map<std::string, std::string> pods_;  ///< id and path of the namespace
  std::map<std::string, Json> results_;
  std::map<std::string, std::string> names_;
  std::set<std::string> fixed_macs_;
};

}  // namespace cnio::test
