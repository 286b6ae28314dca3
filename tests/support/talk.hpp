// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <sys/types.h>

namespace cnio::test {

enum class Talk { kTcp, kUdp, kSctp };

/// A server in a namespace that answers everybody with the address that they come from, on all addresses.
class Mirror {
 public:
  Mirror(const std::string& netns, Talk kind, int port);
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

 private:
  pid_t pid_ = -1;
};

/// For what is expected to be silent, which can only be waited for.
inline constexpr int kShortPatienceMs = 700;
inline constexpr int kLongPatienceMs = 10'000;

/// What the server at the address answers to a client in the namespace (empty: the host); "refused", "silence".
/// `from`: the client's port, if it matters.
std::string talk(const std::string& netns, Talk kind, const std::string& address, int port,
                 int patience_ms = kLongPatienceMs, int from = 0);

}  // namespace cnio::test
