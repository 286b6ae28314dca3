// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnio::cnioctl {

enum class Life : uint8_t {
  kLive,
  kRebooted,  // it was made before this machine was started the last time
  kGone,      // its sandbox is not there any more
  kUnknown,   // nothing tells: it counts as alive
};
// "live", "rebooted", "gone", "unknown".
std::string_view to_string(Life life);
inline bool is_stale(Life life) { return life == Life::kRebooted || life == Life::kGone; }

// All that tells of an attachment whether its sandbox is alive.
struct Evidence {
  std::string path;                  // of the sandbox; empty: not known
  std::optional<bool> present = {};  // is it there? nothing: that cannot be told
  bool earlier_boot = false;         // an address was reserved before the last boot, and none since
  std::string host_end = {};         // a host end whose other end is in some sandbox
  bool lacks_host_end = false;       // it had one that is gone
};

struct Verdict {
  Life life = Life::kUnknown;
  std::string reason;  // for people; may hold what a pod or a runtime says
};

// A cable whose other end is somewhere is alive, for it would have gone with that; and so is what has a sandbox.
Verdict judge(const Evidence& evidence);

}  // namespace cnio::cnioctl
