// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/ipam/range_set.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// What a configuration says that its attachments are to have; of a list, its first plugin's.
struct Setup {
  std::string type = {};
  std::string bridge = {};  // that the host ends are ports of; empty: none
  int vlan = 0;
  bool gateway = false;  // the host is the pods' way out
  bool masquerade = false;
  std::string backend = "nftables";  // of that
  bool spoof_check = false;
  std::vector<std::string> exclude = {};  // destinations that are not masqueraded

  // Are there rules of ours in nf_tables?
  [[nodiscard]] bool has_rules() const { return masquerade && backend == "nftables"; }
};
// What cannot be understood is as if it were not there. Errors: code 6 if it is not JSON.
Result<Setup> parse_setup(std::string_view text);

// The plugins' own configurations, as libcni makes them of a list or of one alone: with name and cniVersion. Errors:
// code 6.
Result<std::vector<protocol::Json>> plugin_configs(std::string_view text);

// A network as a file of the folder has it, or, if there is none any more, as an attachment was made.
struct NetworkView {
  std::string name;
  std::string file = {};  // its path; empty: none
  bool used = false;      // it is the one that runtimes take
  Setup setup = {};
  std::string data_dir = {};              // host-local's; empty: the default
  std::vector<ipam::RangeSet> sets = {};  // of host-local
};

// Of the files in the folder, in the order of their names, but for those that are for loopback alone. `report` gains
// what could not be looked at or understood.
std::vector<NetworkView> read_networks(const std::string& conf_dir, Report& report);

}  // namespace cnio::cnioctl
