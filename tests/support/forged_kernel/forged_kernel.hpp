// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <sys/types.h>

namespace cnio::test {

/// The system calls that carry netlink messages are this library's instead of the C library's: while a ForgedKernel
/// lives, nothing is sent, and what is received are its answers, one a call. libnl and the code under test are what
/// nodes run. One at a time.
class ForgedKernel {
 public:
  /// Messages with the sequence number 0 answer the question that was asked last.
  explicit ForgedKernel(std::deque<std::string> answers);
  ~ForgedKernel();
  ForgedKernel(const ForgedKernel&) = delete;
  ForgedKernel& operator=(const ForgedKernel&) = delete;

  ssize_t take_question(const std::string& question);
  /// Without another answer the call fails: none may wait for one.
  ssize_t give_answer(void* to, size_t room);
  [[nodiscard]] bool has_answer() const { return !answers_.empty(); }

 private:
  std::deque<std::string> answers_;
  uint32_t sequence_ = 0;
};

}  // namespace cnio::test
