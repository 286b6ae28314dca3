// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace cnio::cnioctl {

// A line on standard error that says how far something is, for whoever waits at a terminal; none for what is done
// within a second, and none in a pipe.
class Progress {
 public:
  Progress(std::string what, size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One more is done.
  void step();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  size_t total_;
  size_t done_ = 0;
  bool seen_;               // by somebody
  Clock::time_point next_;  // when the line is to be written
  bool written_ = false;
};

}  // namespace cnio::cnioctl
