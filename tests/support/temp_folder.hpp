// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <sys/stat.h>

namespace cnio::test {

/// An empty folder of the test's own, removed at the end; needs no rights.
class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "cnio-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make " + path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

  /// Makes the file and the folders above it.
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream(at(name), std::ios::binary) << content;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(at(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] bool has(const std::string& name) const { return std::filesystem::exists(at(name)); }
  /// Permission bits, 0 if there is no such file.
  [[nodiscard]] unsigned mode(const std::string& name) const {
    struct stat info {};
    return lstat(at(name).c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
  }
  /// Every file below the folder with its content; folders have none.
  [[nodiscard]] std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      const std::string name = std::filesystem::relative(entry.path(), path_).string();
      out[name] = entry.is_regular_file() ? read(name) : "";
    }
    return out;
  }

 private:
  std::string path_;
};

}  // namespace cnio::test
