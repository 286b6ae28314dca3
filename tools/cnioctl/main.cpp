// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/cli.hpp"
#include "cnioctl/large_pages.hpp"

int main(int argc, char** argv) {
  using namespace cnio;
  cnioctl::ask_for_large_pages();
  const cnioctl::Outcome outcome = cnioctl::run(argc, argv);
  const Status said = write_all(STDOUT_FILENO, outcome.out, "stdout");
  const Status complained = write_all(STDERR_FILENO, outcome.err, "stderr");
  const bool heard = said.ok() && complained.ok();
  return static_cast<int>(heard || outcome.exit != cnioctl::Exit::kWell ? outcome.exit : cnioctl::Exit::kBlind);
}
