// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cnio/protocol/request.hpp"

// Calls that failed, kept for whoever asks later: the runtime's log may be gone by then, or on another machine.
namespace cnio::protocol {

inline constexpr char kFailures[] = "/run/cnio/failures";
inline constexpr size_t kMostFailures = size_t{256} * 1024;  // bytes

struct Failure {
  std::string verb;    // "ADD"
  std::string plugin;  // "bridge"
  unsigned code = 0;
  int64_t time = 0;  // when it ended, in seconds since 1970
  int64_t took_ms = 0;
  std::string network = {};
  Attachment attachment = {};  // empty for GC and STATUS
  std::string pod = {};        // "default/web-7f9c"; empty: not known
  std::string msg = {};
  std::string details = {};
};

// One line of JSON in kFailures, 0600; a caller that has its answer is not kept waiting for any other process. When the
// file would be larger than kMostFailures, only the newer half stays, of the rest how many there were: a line with
// verb, plugin, code and "count". What cannot be written is lost. No configuration is kept, and of CNI_ARGS nothing.
void keep_failure(const Failure& failure);

// That line, without its end.
std::string failure_line(const Failure& failure);
// The newer lines of `all` and the counts of the others, in at most half of `most` bytes. What STATUS says, which
// runtimes ask every few seconds, gets an eighth of that.
std::string newer_failures(const std::string& all, size_t most = kMostFailures);

}  // namespace cnio::protocol
