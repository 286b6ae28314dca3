// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// What libcni has kept of an ADD, so that the runtime can call CHECK and DEL. The names in it are those that a runtime
// was given: nothing here has to be printable.
struct CachedAdd {
  firewall::RuleOwner who;
  std::string netns;          // the sandbox's path, as the runtime gave it, or else as the result has it
  std::string pod;            // "default/web-7f9c": of Kubernetes' pod; empty: no such
  std::string config;         // of the network, as a text of JSON: a list, or a plugin's own; empty: not kept
  std::string cni_args = {};  // "K=V;K2=V2"
  protocol::Json capability_args = protocol::Json::object();
  protocol::Json result = protocol::Json::object();
};

// Errors: code 6 if it is none.
Result<CachedAdd> parse_cached(std::string_view text);

// libcni's folder: <cache dir>/results.
class Cache {
 public:
  explicit Cache(const std::string& cache_dir) : folder_(cache_dir + "/results") {}

  [[nodiscard]] std::string path_of(const firewall::RuleOwner& who) const;
  // Errors: code 5, with ENOENT if there is none; code 6.
  [[nodiscard]] Result<CachedAdd> read(const firewall::RuleOwner& who) const { return read_path(path_of(who)); }
  static Result<CachedAdd> read_path(const std::string& path);
  // "<namespace>/<name>" of the attachment's pod, or nothing: the cache is a help for people alone.
  [[nodiscard]] std::string pod_of(const firewall::RuleOwner& who) const;
  // The paths of all that is kept, ordered. `report` gains what could not be listed.
  [[nodiscard]] std::vector<std::string> paths(Report& report) const;

 private:
  std::string folder_;
};

// The names in a folder, ordered; one that is not there has nothing in it. `report` gains what could not be listed.
std::vector<std::string> names_in(const std::string& folder, Report& report);

// Those of them that may be the store of a network in host-local's folder: a file is none.
std::vector<std::string> stores_in(const std::string& folder, Report& report);

}  // namespace cnio::cnioctl
