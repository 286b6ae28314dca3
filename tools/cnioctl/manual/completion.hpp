// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/manual/words.hpp"

namespace cnio::cnioctl {

// A script for the shell that completes what is typed: verbs, options, their values where these are known, else files.
std::string bash_completion(const std::vector<VerbWords>& verbs);
std::string zsh_completion(const std::vector<VerbWords>& verbs);
std::string fish_completion(const std::vector<VerbWords>& verbs);

}  // namespace cnio::cnioctl
