// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "tuning/allowlist.hpp"
#include "tuning/setting_name.hpp"

namespace cnio::tuning {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> paths(std::string_view name, const std::string& ifname = "eth0") {
  return read_name(name, ifname).paths;
}

TEST(TuningNames, TheFirstSeparatorIsTheOneBetweenParts) {
  PARITY("T-U03 U2");
  EXPECT_THAT(paths("net.ipv4.ip_forward"), ElementsAre("ipv4/ip_forward"));
  EXPECT_THAT(paths("net/ipv4/ip_forward"), ElementsAre("ipv4/ip_forward"));
  EXPECT_THAT(paths("/net/ipv4/ip_forward"), ElementsAre("ipv4/ip_forward"));
  EXPECT_THAT(paths("net..ipv4..ip_forward"), ElementsAre("ipv4/ip_forward"));
  EXPECT_THAT(paths("net.ipv4.conf.e/100.x"), ElementsAre("ipv4/conf/e.100/x", "ipv4/conf/e/100/x"));
  EXPECT_THAT(paths("net/ipv4/conf/e.100/x"), ElementsAre("ipv4/conf/e.100/x", "ipv4/conf/e/100/x"));
  EXPECT_THAT(paths("net.core/somaxconn"), ElementsAre("core.somaxconn", "core/somaxconn"));
  EXPECT_THAT(paths("/net.core.somaxconn"), ElementsAre("core/somaxconn"));
}

TEST(TuningNames, TheFirstPlaceholderIsTheInterface) {
  PARITY("T-U03 T-U04");
  EXPECT_THAT(paths("net.ipv4.conf.IFNAME.x"), ElementsAre("ipv4/conf/eth0/x"));
  EXPECT_THAT(paths("net.ipv4.conf.IFNAME.IFNAME"), ElementsAre("ipv4/conf/eth0/IFNAME"));
  EXPECT_THAT(paths("net.ipv4.conf.IFNAME.x", "e.1"), ElementsAre("ipv4/conf/e.1/x"));
  EXPECT_THAT(paths("net/ipv4/conf/IFNAME/x", "e.1"), ElementsAre("ipv4/conf/e.1/x"));
}

TEST(TuningNames, NothingElseThanBelowNet) {
  PARITY("T-U03");
  for (const char* name : {"", ".", "net", "net.", "net/", "kernel.sem", "Net.core.x", " net.core.x", "/", "netcore.x",
                           "IFNAME", "proc/sys/net/core/x"}) {
    EXPECT_THAT(paths(name), IsEmpty()) << name;
  }
  EXPECT_THAT(paths(std::string_view("net.core.x\0.y", 13)), IsEmpty());
}

// By slashes dots stay: there, and only there, a name could climb.
TEST(TuningNames, NobodyClimbs) {
  for (const char* name : {"net/../kernel/sem", "net/core/../../kernel/sem", "net/./core/x", "net.core.//./x"}) {
    for (const std::string& path : paths(name)) {
      EXPECT_TRUE(is_setting_path(path)) << path;
      EXPECT_EQ(path.find(".."), std::string::npos) << path;
    }
  }
  EXPECT_THAT(paths("net/../kernel/sem"), ElementsAre("kernel/sem")) << "net/kernel/sem, as the reference reads it";
}

TEST(TuningNames, OneSettingHasOneIdentity) {
  PARITY("T-U06 U1");
  const auto id = [](std::string_view name) { return read_name(name, "e.1").id; };
  EXPECT_EQ(id("net.ipv4.conf.IFNAME.x"), id("net/ipv4/conf/e.1/x"));
  EXPECT_EQ(id("net.ipv4.conf.IFNAME.x"), id("net.ipv4.conf.e/1.x"));
  EXPECT_EQ(id("net.core/somaxconn"), id("/net//core.somaxconn"));
  EXPECT_NE(id("net.ipv4.conf.IFNAME.x"), id("net.ipv4.conf.all.x"));
}

TEST(TuningNames, AsAnAllowlistHasThem) {
  PARITY("U17");
  EXPECT_THAT(dotted_names("core/somaxconn", "eth0"), ElementsAre("net.core.somaxconn"));
  EXPECT_THAT(dotted_names("ipv4/conf/eth0/x", "eth0"), ElementsAre("net.ipv4.conf.eth0.x", "net.ipv4.conf.IFNAME.x"));
  EXPECT_THAT(dotted_names("ipv4/conf/e.1/x", "e.1"), ElementsAre("net.ipv4.conf.e/1.x", "net.ipv4.conf.IFNAME.x"));
  EXPECT_THAT(dotted_names("ipv4/conf/eth1/x", "eth0"), ElementsAre("net.ipv4.conf.eth1.x"));
  EXPECT_THAT(dotted_names("core/eth0/eth0", "eth0"), ElementsAre("net.core.eth0.eth0"));
}

TEST(TuningNames, PathsThatABackupMayName) {
  for (const char* path : {"core/somaxconn", "ipv4/conf/e.100/x"}) EXPECT_TRUE(is_setting_path(path)) << path;
  for (const char* path : {"", "/", "..", "../kernel/sem", "core/../../kernel/sem", "core//x", "/core/x", "core/x/"}) {
    EXPECT_FALSE(is_setting_path(path)) << path;
  }
}

Status limited(std::string_view lines, const std::string& name) {
  CNIO_LET(const Allowlist list, Allowlist::parse(lines));
  std::vector<Setting> settings = {{"sysctl." + name, name, "1", read_name(name, "eth0")}};
  return list.limit(settings, "eth0");
}

TEST(TuningAllowlist, LinesArePatterns) {
  PARITY("T-U22 U17");
  EXPECT_OK(limited("net.core", "net.core.somaxconn"));
  EXPECT_OK(limited("  \t^net.core.somaxconn$\r", "net/core/somaxconn"));
  EXPECT_ERROR(limited("", "net.core.somaxconn"), Code::kInvalidConfig, "net.core.somaxconn");
  EXPECT_ERROR(limited("#net", "net.core.somaxconn"), Code::kInvalidConfig);
  EXPECT_ERROR(limited("^core", "net.core.somaxconn"), Code::kInvalidConfig);
  EXPECT_ERROR(limited("net\n(", "net.core.somaxconn"), Code::kInvalidConfig, "line 2");
  EXPECT_ERROR(limited("net\n(?<=x)y", "net.core.somaxconn"), Code::kInvalidConfig, "line 2");
}

TEST(TuningAllowlist, OnlyAllowedReadingsStay) {
  PARITY("U17");
  const auto list = Allowlist::parse("^net.ipv4.conf.e/100.x$");
  ASSERT_OK(list);
  const std::string name = "net/ipv4/conf/e.100/x";
  std::vector<Setting> settings = {{"sysctl." + name, name, "1", read_name(name, "eth0")}};
  ASSERT_OK(list.value().limit(settings, "eth0"));
  EXPECT_THAT(settings.front().name.paths, ElementsAre("ipv4/conf/e.100/x"));
}

}  // namespace
}  // namespace cnio::tuning
