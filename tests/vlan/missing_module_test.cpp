// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Kernels without a module that bridge needs. The modules are taken out for a while, which only a machine of one's own
// allows: the virtual one.
#include <algorithm>
#include <sstream>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class MissingModule : public BridgeTest {
 protected:
  // What a test does not take out is there, as is usual.
  MissingModule() { must_run({"modprobe", "-a", "bridge", "veth", "nft_masq", "nft_chain_nat", "nft_meta_bridge"}); }
  ~MissingModule() override { set_sysctl("kernel/modprobe", loader_); }

  /// Takes the module out, and those that need it; nothing brings it back before the end of the test.
  void remove_module(const std::string& name) {
    set_sysctl("kernel/modprobe", "/bin/false");
    // The namespaces of earlier tests may still be going away, and use it until then.
    for (int attempts = 0; is_loaded(name); ++attempts) {
      ASSERT_LT(attempts, 1000) << must_run({"cat", "/proc/modules"});
      for (const std::string& user : users_of(name)) remove_module(user);
      (void)run({.argv = {"rmmod", name}});
    }
  }

  /// ADD fails without a trace, and STATUS has said so before.
  static void expect_unavailable(const Json& config, const std::vector<std::string>& words) {
    EXPECT_TRUE(failed(status(config), code::kUnavailable, words));
    EXPECT_TRUE(failed(add(config, pod()), code::kKernel, words));
    EXPECT_TRUE(link_names().empty());
    EXPECT_TRUE(link_names(pod().netns).empty());
    EXPECT_FALSE(store_holds("10.1.0.2"));
  }

 private:
  /// The module's line of /proc/modules: name, size, use count, "user,user," or "-", and more.
  static std::vector<std::string> line_of(const std::string& name) {
    std::istringstream modules(read_file("/proc/modules"));
    for (std::string line; std::getline(modules, line);) {
      std::istringstream stream(line);
      std::vector<std::string> words;
      for (std::string word; stream >> word;) words.push_back(word);
      if (words.at(0) == name) return words;
    }
    return {};
  }

  static bool is_loaded(const std::string& name) { return !line_of(name).empty(); }

  static std::vector<std::string> users_of(const std::string& name) {
    const std::vector<std::string> line = line_of(name);
    std::vector<std::string> users;
    if (line.empty() || line.at(3) == "-") return users;
    std::istringstream stream(line.at(3));
    for (std::string user; std::getline(stream, user, ',');) users.push_back(user);
    return users;
  }

  const std::string loader_ = sysctl("kernel/modprobe");
};

TEST_F(MissingModule, Bridge) {
  PARITY("T62");
  remove_module("bridge");
  expect_unavailable(layer2_config(), {"bridge", "kernel module"});
}

TEST_F(MissingModule, Veth) {
  PARITY("T62");
  remove_module("veth");
  expect_unavailable(layer2_config(), {"veth", "kernel module"});
}

TEST_F(MissingModule, FirewallForMasquerade) {
  PARITY("T62");
  Json config = bridge_config();
  config["ipMasq"] = true;
  for (const char* module : {"nft_masq", "nft_chain_nat", "nf_tables"}) {
    remove_module(module);
    expect_unavailable(config, {"nf_tables"});
  }
  config["ipMasq"] = false;
  EXPECT_TRUE(succeeded_silently(status(config))) << "nobody needs it then";
  must_add(config, pod());
}

TEST_F(MissingModule, FirewallForSpoofCheck) {
  PARITY("T62");
  Json config = layer2_config();
  config["macspoofchk"] = true;
  for (const char* module : {"nft_meta_bridge", "nf_tables"}) {
    remove_module(module);
    expect_unavailable(config, {"nf_tables"});
  }
}

TEST_F(MissingModule, TheInstallerSaysSoAndChangesNothing) {
  for (const char* module : {"nft_masq", "veth", "bridge"}) {
    remove_module(module);
    Command install;
    install.argv = {"sh", "/tests/install/install", "--from", plugin_dir(), "--to", "/run/bin"};
    const Outcome outcome = run(install);
    EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
    EXPECT_NE(outcome.out.find("missing  kernel: "), std::string::npos) << describe(outcome);
    EXPECT_NE(outcome.out.find(module), std::string::npos) << describe(outcome);
    EXPECT_FALSE(std::filesystem::exists("/run/bin"));
  }
}

}  // namespace
}  // namespace cnio::test
