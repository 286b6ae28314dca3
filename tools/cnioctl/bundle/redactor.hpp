// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"

namespace cnio::cnioctl {

// Replaces what tells strangers whose a node is: the names of pods and of their namespaces, the node's name, and
// addresses that all the internet knows. One name is the same everywhere, so that what belongs together can be seen.
class Redactor {
 public:
  // `pods` as "<namespace>/<name>"; what is no such name means nothing.
  Redactor(const std::vector<std::string>& pods, const std::string& node);

  std::string redacted(std::string_view text);

 private:
  std::map<std::string, std::string, std::less<>> names_;
  std::map<IpAddr, std::string> addresses_;

  std::string word(std::string_view word);
  std::string address(std::string_view word);
};

}  // namespace cnio::cnioctl
