// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What `cnioctl lint` ends with, and the plugins that it looks for.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/lint.hpp"
#include "support/temp_folder.hpp"

namespace cnio::test {
namespace {

using cnioctl::Exit;
using cnioctl::LintOptions;
using cnioctl::Outcome;

class LintVerb : public ::testing::Test {
 protected:
  void put(const std::string& text) const { folder_.write("10-x.conflist", text); }
  void put_plugin(const std::string& name) const {
    folder_.write("bin/" + name, "");
    std::filesystem::permissions(folder_.at("bin/" + name), std::filesystem::perms::owner_all);
  }
  [[nodiscard]] Outcome look(LintOptions options) const {
    options.places = {folder_.at("10-x.conflist")};
    Outcome out = cnioctl::run_lint(options, false);
    const std::string path = folder_.path() + "/";
    for (size_t at = out.out.find(path); at != std::string::npos; at = out.out.find(path))
      out.out.erase(at, path.size());
    return out;
  }
  [[nodiscard]] std::string lines(const LintOptions& options) const { return look(options).out; }

  TempFolder folder_;
};

TEST_F(LintVerb, WarningsEndItAsErrorsDoIfThatIsWanted) {
  put(R"({"cniVersion": "1.1.0", "name": "n", "plugins": [{"type": "bridge", "ipMasqExlude": [], "ipam": {}}]})");
  LintOptions options;
  EXPECT_EQ(look(options).exit, Exit::kWell);
  options.strict = true;
  const Outcome strict = look(options);
  EXPECT_EQ(strict.exit, Exit::kFound) << strict.out;
  EXPECT_THAT(strict.out, ::testing::HasSubstr("warning: unknown key"));
  put(R"({"cniVersion": "1.1.0", "name": "n", "plugins": [{"type": "bridge", "ipam": {}}]})");
  EXPECT_EQ(look(options).exit, Exit::kWell);
  put(R"({"cniVersion": "1.1.0", "name": "n", "plugins": [{"type": "bridge", "mtu": "x", "ipam": {}}]})");
  EXPECT_EQ(look({}).exit, Exit::kFound);
}

TEST_F(LintVerb, NamesPluginsThatAreNotThere) {
  put("{\"cniVersion\": \"1.1.0\", \"name\": \"n\",\n\"plugins\": [\n"
      "{\"type\": \"bridge\", \"isGateway\": true,\n \"ipam\": {\"type\": \"dhcp\"}},\n{\"type\": \"portmap\"}]}");
  put_plugin("bridge");
  folder_.write("bin/portmap", "nobody may run it");
  std::filesystem::permissions(folder_.at("bin/portmap"), std::filesystem::perms::owner_read);
  LintOptions options;
  options.bin = folder_.at("bin");
  EXPECT_EQ(lines(options),
            "10-x.conflist:4: error: dhcp is not in bin [no-plugin]\n"
            "10-x.conflist:5: error: portmap is not in bin [no-plugin]\n");
  EXPECT_EQ(look(options).exit, Exit::kFound);
  EXPECT_EQ(lines({}), "");  // it needs no node
  put_plugin("dhcp");
  put_plugin("portmap");
  EXPECT_EQ(lines(options), "");
}

TEST_F(LintVerb, LooksForWhatFlannelCalls) {
  put(R"({"cniVersion": "1.1.0", "name": "n", "plugins": [{"type": "flannel"}]})");
  put_plugin("flannel");
  LintOptions options;
  options.bin = folder_.at("bin");
  EXPECT_EQ(lines(options),
            "10-x.conflist:1: error: bridge is not in bin [no-plugin]\n"
            "10-x.conflist:1: error: host-local is not in bin [no-plugin]\n");
}

TEST_F(LintVerb, AFleetIsAboutOtherNodes) {
  LintOptions options;
  options.fleet = options.here = true;
  EXPECT_EQ(look(options).exit, Exit::kUsage);
  options.here = false;
  options.with = "x";
  EXPECT_EQ(look(options).exit, Exit::kUsage);
}

}  // namespace
}  // namespace cnio::test
