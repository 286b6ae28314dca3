// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/life.hpp"

#include <array>

namespace cnio::cnioctl {
namespace {

constexpr std::array<std::string_view, 4> kLives = {"live", "rebooted", "gone", "unknown"};

std::string by_host_end(const Evidence& evidence) {
  const std::string end = "host end " + evidence.host_end;
  if (!evidence.present) return end;
  return *evidence.present ? end + " and sandbox are there"
                           : end + ", but " + evidence.path + " is not its sandbox now";
}

}  // namespace

std::string_view to_string(Life life) { return kLives.at(static_cast<size_t>(life)); }

Verdict judge(const Evidence& evidence) {
  if (!evidence.host_end.empty()) return {Life::kLive, by_host_end(evidence)};
  if (evidence.present == true) return {Life::kLive, evidence.path + " is there"};
  if (evidence.earlier_boot) return {Life::kRebooted, "made before the last boot"};
  if (evidence.present == false) return {Life::kGone, evidence.path + " is not there any more, and no host end"};
  if (evidence.lacks_host_end) return {Life::kGone, "its host end is gone, and no sandbox is known"};
  return {Life::kUnknown, "nothing says where its sandbox is"};
}

}  // namespace cnio::cnioctl
