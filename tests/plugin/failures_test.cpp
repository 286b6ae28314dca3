// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Calls that fail are kept for `cnioctl why`, and nothing keeps an answer from being given.
#include <filesystem>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Failures : public CnioctlTest {
 protected:
  static constexpr char kFile[] = "/run/cnio/failures";

  static Attachment pod_named(const std::string& args) {
    Attachment out = pod("c1");
    out.args = args;
    return out;
  }
  static Outcome fail(const std::string& args = {}) {
    const Attachment attachment{"c1", "/run/netns/none", "eth0", args};
    return add({{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "host-local"}, {"ipam", 7}}, attachment);
  }
  static std::vector<Json> kept() {
    std::vector<Json> out;
    std::istringstream lines(read_file(kFile));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) out.push_back(Json::parse(line));
    }
    return out;
  }
};

TEST_F(Failures, AreKeptWithThePodsName) {
  const Outcome outcome = fail("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;TOKEN=secret");
  EXPECT_EQ(outcome.exit_code, 1);
  ASSERT_EQ(kept().size(), 1U);
  const Json line = kept().front();
  EXPECT_EQ(line.at("verb"), "ADD");
  EXPECT_EQ(line.at("plugin"), "host-local");
  EXPECT_EQ(line.at("code"), 7);
  EXPECT_EQ(line.at("network"), "net");
  EXPECT_EQ(line.at("container"), "c1");
  EXPECT_EQ(line.at("pod"), "default/web");
  EXPECT_THAT(line.at("msg").get<std::string>(), HasSubstr("ipam"));
  EXPECT_THAT(read_file(kFile), Not(HasSubstr("secret")));
  struct stat info {};
  ASSERT_EQ(stat(kFile, &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(Failures, WhatWorksLeavesNone) {
  add_pod(full_list(), "c1", 8001);
  EXPECT_FALSE(std::filesystem::exists(kFile));
}

TEST_F(Failures, AreWhatWhySays) {
  fail("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  fail("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  const Outcome outcome = cnioctl({"why", "default/web", "--conf-dir", "/run/net.d"});
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("ADD  net  default/web  code 7"), HasSubstr("2 times since"),
                                 HasSubstr("now: nothing of it is here")));
  EXPECT_THAT(cnioctl({"metrics", "--conf-dir", "/run/net.d"}).out,
              HasSubstr("cnio_failures_total{verb=\"ADD\",plugin=\"host-local\",code=\"7\"} 2\n"));
}

TEST_F(Failures, FillNoDisk) {
  std::filesystem::create_directory("/run/cnio");
  std::filesystem::permissions("/run/cnio", std::filesystem::perms::owner_all);
  fail();
  const std::string line = read_file(kFile);
  std::string all;
  while (all.size() + line.size() <= 256 * 1024) all += line;
  const size_t before = all.size() / line.size();
  write_file(kFile, all);
  std::filesystem::permissions(kFile, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  fail();
  EXPECT_LT(read_file(kFile).size(), 140U * 1024);
  EXPECT_EQ(kept().front().at("count").get<size_t>() + kept().size() - 1, before + 1);
}

// Whoever is in the way gets no answer, and nobody waits for him.
TEST_F(Failures, WaitForNobody) {
  fail();
  const std::string before = read_file(kFile);
  const Command locked{{"flock", kFile, "true"}};
  EXPECT_EQ(run(locked).exit_code, 0);
  std::filesystem::remove(kFile);
  ASSERT_EQ(mkfifo(kFile, 0600), 0);
  EXPECT_EQ(fail().exit_code, 1);
  std::filesystem::remove(kFile);
  write_file("/run/elsewhere", "");
  ASSERT_EQ(symlink("/run/elsewhere", kFile), 0);
  EXPECT_EQ(fail().exit_code, 1);
  EXPECT_EQ(read_file("/run/elsewhere"), "");
  std::filesystem::remove(kFile);
  write_file(kFile, "");
  ASSERT_EQ(chown(kFile, 1000, 1000), 0);
  EXPECT_EQ(fail().exit_code, 1);
  EXPECT_EQ(read_file(kFile), "") << "another user's";
}

TEST_F(Failures, ThePodsNameIsRecordedAndShownWithoutACache) {
  must_add(full_config(), pod_named("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web"));
  EXPECT_THAT(cnioctl({"pods", "--conf-dir", "/run/net.d"}).out, HasSubstr("default/web"));
  const std::string end = host_ends().front();
  EXPECT_THAT(cnioctl({"who", end, "--conf-dir", "/run/net.d"}).out, HasSubstr("default/web"));
}

}  // namespace
}  // namespace cnio::test
