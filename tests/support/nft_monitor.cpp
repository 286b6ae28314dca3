// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/nft_monitor.hpp"

#include <stdexcept>

namespace cnio::test {
namespace {

constexpr const char* kFile = "changes";
// Told after all that was changed before it.
constexpr const char* kMark = "monitor_mark";

Command monitor(const TempFolder& folder) {
  folder.write(kFile, "");
  Command command;
  command.argv = {"nft", "monitor"};
  command.stdout_path = folder.at(kFile);
  return command;
}

}  // namespace

NftMonitor::NftMonitor() : program_(monitor(folder_)) { (void)seen(); }

std::string NftMonitor::seen() const {
  const size_t before = folder_.read(kFile).size();
  const bool told = happens([&] {
    must_run({"nft", "add", "table", "ip", kMark});
    must_run({"nft", "delete", "table", "ip", kMark});
    return folder_.read(kFile).find(kMark, before) != std::string::npos;
  });
  if (!told) throw std::runtime_error("nft monitor tells nothing");
  return folder_.read(kFile);
}

}  // namespace cnio::test
