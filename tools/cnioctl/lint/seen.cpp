// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint/seen.hpp"

#include <fcntl.h>
#include <filesystem>

#include "cnio/base/list_files.hpp"
#include "cnio/base/unique_fd.hpp"

#include "cnioctl/inside/inside.hpp"
#include "cnioctl/network_file.hpp"

namespace cnio::cnioctl {
bool by_name(const SeenFile& a, const SeenFile& b) { return a.name < b.name; }

std::string name_of(const std::string& path) { return std::filesystem::path(path).filename(); }

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::symlink_status(path, ignored).type() == std::filesystem::file_type::directory;
}

void read(SeenFile& file, Report& report) {
  auto text = read_file(file.path, kMaxNetworkFile);
  if (!text.ok()) return report.blind(file.path, text.error());
  file.text = std::move(text).value();
  auto network = parse_network_file(file.text);
  if (network.ok()) {
    file.network = std::move(network).value();
  } else {
    report.add({Level::kWarning, file.path, network.error().msg(), "not-json"});
  }
}

std::vector<SeenFile> list_folder(const std::string& path, Report& report) {
  std::vector<SeenFile> files;
  const auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  const Status listed = !fd.ok() ? Status(fd.error()) : list_files(fd.value().get(), path, [&](const FileName& file) {
    const std::string at = path + "/" + file.name;
    if (is_network_file_name(file.name) && (file.may_be_regular || !is_folder(at))) files.push_back({at, file.name});
  });
  if (!listed.ok() && listed.error().errnum() != ENOENT) report.blind(path, listed.error());
  return files;
}

void check_placeholder(const SeenFile& file, Report& report) {
  const std::string found = find_placeholder(file.text);
  if (!found.empty()) report.add({Level::kError, file.path, found + " was not filled in", "placeholder"});
}

// What nobody has filled in is no value.
void look_inside(const SeenFile& file, Report& report) {
  if (file.network && find_placeholder(file.text).empty()) lint_inside(file.path, file.text, report);
}

}  // namespace cnio::cnioctl
