// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/progress.hpp"

#include <unistd.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio::cnioctl {
namespace {

constexpr std::chrono::milliseconds kUntilItIsShown{1'000};
constexpr std::chrono::milliseconds kPause{100};
constexpr char kEmptyLine[] = "\r\x1b[K";

// Whether it can be read is nobody's concern.
void say(const std::string& text) { (void)write_all(STDERR_FILENO, text, "stderr"); }

}  // namespace

Progress::Progress(std::string what, size_t total)
    : what_(std::move(what)), total_(total), seen_(isatty(STDERR_FILENO) == 1), next_(Clock::now() + kUntilItIsShown) {}

Progress::~Progress() {
  if (written_) say(kEmptyLine);
}

void Progress::step() {
  ++done_;
  if (!seen_ || Clock::now() < next_) return;
  next_ = Clock::now() + kPause;
  written_ = true;
  say(kEmptyLine + what_ + ": " + std::to_string(done_) + " of " + std::to_string(total_));
}

}  // namespace cnio::cnioctl
