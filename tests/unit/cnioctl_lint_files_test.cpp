// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl lint` of broken files, each with what is to be said of it in <file>.expected, and of those in order.
// CNIO_RENEW_LINT=1 in the environment writes what is said; look at the difference before it is believed.
#include <cstdlib>
#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/lint.hpp"
#include "support/host.hpp"

namespace cnio::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = CNIO_SOURCE_DIR;
const fs::path kFiles = kSource / "tests/unit/lint_files";

std::set<fs::path> files_in(const fs::path& folder) {
  std::set<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".expected") out.insert(entry.path());
  }
  return out;
}

// Without the folder's name.
std::string said_of(const fs::path& file) {
  std::string text = cnioctl::lint({{file.string()}}).text();
  const std::string folder = file.parent_path().string() + "/";
  for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) text.erase(at, folder.size());
  return text;
}

TEST(LintFiles, OfBrokenOnesSaysWhatIsWrong) {
  const auto files = files_in(kFiles);
  EXPECT_GE(files.size(), 40U);
  for (const fs::path& file : files) {
    const std::string expected = file.string() + ".expected";
    if (std::getenv("CNIO_RENEW_LINT") != nullptr) write_file(expected, said_of(file));
    EXPECT_EQ(said_of(file), fs::exists(expected) ? read_file(expected) : "") << file;
    EXPECT_NE(said_of(file), "") << file;
  }
}

TEST(LintFiles, OfOursRaisesNoAlarm) {
  for (const fs::path& file : files_in(kSource / "conf-examples")) {
    const cnioctl::Report report = cnioctl::lint({{file.string()}});
    for (const cnioctl::Finding& each : report.findings()) {
      if (each.kind == "placeholder") continue;  // it is a template
      const bool alarm = each.level == cnioctl::Level::kError || each.level == cnioctl::Level::kWarning;
      EXPECT_FALSE(alarm) << each.where << ": " << each.what;
    }
  }
}

}  // namespace
}  // namespace cnio::test
