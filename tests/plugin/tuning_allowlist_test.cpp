// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Which sysctls the host's allowlist lets tuning set.
#include "plugin/tuning_fixture.hpp"

namespace cnio::test {
namespace {

class TuningAllowlist : public TuningTest {
 protected:
  TuningAllowlist() { std::filesystem::create_directories(kFolder); }

  /// With this folder as the host's /etc/cni/tuning.
  Outcome call(const std::string& verb, const Json& config) const {
    Command command = plugin_command({"tuning", verb, pod_, config.dump()});
    command.binds = {{"/run/etc", "/etc"}};
    return run(command);
  }
  Outcome add_setting(const std::string& name) const { return call("ADD", sysctls({{name, "2"}})); }
  static void allow(const std::string& lines) { write_file(kFile, lines); }

  static constexpr char kFolder[] = "/run/etc/cni/tuning";
  static constexpr char kFile[] = "/run/etc/cni/tuning/allowlist.conf";
  static constexpr char kName[] = "net.ipv4.conf.IFNAME.rp_filter";
};

TEST_F(TuningAllowlist, WithoutFileAllIsAllowed) {
  PARITY("T-U22");
  EXPECT_TRUE(succeeded(add_setting(kName)));
  std::filesystem::remove_all("/run/etc/cni");
  EXPECT_TRUE(succeeded(add_setting(kName)));
}

TEST_F(TuningAllowlist, OnePatternALine) {
  PARITY("T-U22 U17");
  allow("# what pods may set\n\n   ^net.ipv4.conf.IFNAME.[a-z_]*$  \r\ncore/somax\n");
  EXPECT_TRUE(succeeded(add_setting(kName)));
  EXPECT_TRUE(succeeded(add_setting("net/core/somaxconn")));
  EXPECT_TRUE(failed(add_setting("net.ipv4.conf.all.rp_filter"), code::kConfig, {"net.ipv4.conf.all.rp_filter"}));
  EXPECT_TRUE(failed(add_setting("net.ipv4.ip_forward"), code::kConfig, {"not allowed", "allowlist.conf"}));
  EXPECT_EQ(value("ipv4/ip_forward"), "0");
}

TEST_F(TuningAllowlist, AnotherSpellingOfWhatIsAllowedIsAllowed) {
  PARITY("T-U22 U17");
  allow("^net\\.ipv4\\.conf\\.IFNAME\\.rp_filter$\n");
  for (const char* name : {kName, "net.ipv4.conf.eth0.rp_filter", "net/ipv4/conf/IFNAME/rp_filter",
                           "net/ipv4/conf/eth0/rp_filter", "net.ipv4.conf/eth0.rp_filter"}) {
    EXPECT_TRUE(succeeded(add_setting(name))) << name;
  }
  EXPECT_TRUE(failed(add_setting("net.ipv4.conf.all.rp_filter"), code::kConfig));
  allow("^net\\.ipv4\\.conf\\.eth0\\.rp_filter$\n");
  EXPECT_TRUE(succeeded(add_setting(kName)));
}

// As a pattern has it that was written for the spelling by slashes.
TEST_F(TuningAllowlist, PatternsMatchWhatIsSpelled) {
  PARITY("T-U22");
  allow("^net/core/");
  EXPECT_TRUE(succeeded(call("ADD", sysctls({{"net/core/somaxconn", "77"}}))));
  EXPECT_TRUE(failed(call("ADD", sysctls({{"net.core.somaxconn", "77"}})), code::kConfig));
}

TEST_F(TuningAllowlist, EmptyFileAllowsNothing) {
  PARITY("T-U22");
  for (const char* lines : {"", "\n", "# nothing\n"}) {
    allow(lines);
    EXPECT_TRUE(failed(add_setting(kName), code::kConfig));
    EXPECT_TRUE(succeeded(call("ADD", config({{"mtu", 1400}}))));
  }
}

TEST_F(TuningAllowlist, ABadPatternIsSeenWhereverItStands) {
  PARITY("T-U22 U17");
  for (const char* bad : {"net.core.[", "(?=net)", "a(b", "*"}) {
    allow("^net.*\n" + std::string(bad) + "\n");
    EXPECT_TRUE(failed(add_setting(kName), code::kConfig, {"line 2", bad})) << bad;
    EXPECT_TRUE(failed(call("STATUS", config(Json::object())), code::kUnavailable, {"line 2"})) << bad;
  }
  EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "0");
}

TEST_F(TuningAllowlist, LanguageIsThatOfRe2) {
  PARITY("T-U22");
  allow("(?i)^NET\\.ipv4\\.(conf|neigh)\\.\\w+\\.rp_filter\\z|\\p{Greek}");
  EXPECT_TRUE(succeeded(add_setting(kName)));
  EXPECT_TRUE(failed(add_setting("net.ipv4.conf.eth0.forwarding"), code::kConfig));
}

TEST_F(TuningAllowlist, WhatCannotBeReadAllowsNothing) {
  PARITY("T-U22 U17");
  const auto refused = [&](const char* what) {
    for (const Json& each : {sysctls({{kName, "2"}}), config({{"mtu", 1400}})}) {
      EXPECT_TRUE(failed(call("ADD", each), code::kIo, {"allowlist.conf"})) << what;
    }
    EXPECT_TRUE(failed(call("STATUS", config(Json::object())), code::kUnavailable)) << what;
    EXPECT_TRUE(succeeded_silently(call("DEL", sysctls({{kName, "2"}})))) << what;
    std::filesystem::remove_all(kFile);
  };
  std::filesystem::create_symlink("/run/nowhere", kFile);
  refused("a link that leads nowhere");
  std::filesystem::create_directory(kFile);
  refused("a folder");
  must_run({"mkfifo", kFile});
  refused("a pipe");
  EXPECT_EQ(link().at("mtu"), 1500);
}

// Each reading of a name for itself: what the kernel does not have says nothing about what it has.
TEST_F(TuningAllowlist, AReadingThatIsAllowedOpensNoOther) {
  PARITY("U17");
  allow("^net\\.core/somaxconn$|^net\\.core\\.$");
  EXPECT_TRUE(succeeded(add_setting("net.core/somaxconn"))) << "as it is spelled";
  allow("^net\\.ipv4/ip_forward$");
  EXPECT_TRUE(failed(add_setting("net/ipv4.ip_forward"), code::kConfig));
  EXPECT_EQ(value("ipv4/ip_forward"), "0");
}

TEST_F(TuningAllowlist, DelAndCheckDoNotLookAtIt) {
  PARITY("T-U22");
  EXPECT_TRUE(succeeded(add_setting(kName)));
  allow("nothing");
  EXPECT_TRUE(succeeded_silently(call("CHECK", sysctls({{kName, "2"}}))));
  EXPECT_TRUE(succeeded_silently(call("DEL", sysctls({{kName, "2"}}))));
  EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "0");
}

}  // namespace
}  // namespace cnio::test
