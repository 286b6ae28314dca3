// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What cnioctl makes of a node that the plugins have made: picture, snapshot, diff, bundle; and what shells complete.
#include <sys/stat.h>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CnioctlExport : public CnioctlTest {
 protected:
  CnioctlExport() {
    write_file(kConf + std::string("/10-net.conflist"), full_list().dump());
    set_sysctl("net/ipv4/ip_forward", "1");
  }

  static constexpr char kConf[] = "/run/net.d";
  static constexpr char kSnapshot[] = "/run/before.json";

  static Outcome look(std::vector<std::string> words) {
    words.insert(words.end(), {"--conf-dir", kConf});
    if (words.front() == "bundle") words.insert(words.end(), {"--bin", plugin_dir()});
    return cnioctl(std::move(words));
  }
  /// What bash offers after these words, as it does for a person.
  static std::string completed(const std::string& words) {
    return must_run(
        {"bash", "-c",
         "source <(\"$0\" completion bash); COMP_WORDS=(" + words +
             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }; _cnioctl; echo \"${COMPREPLY[*]}\"",
         tool("cnioctl")});
  }
};

TEST_F(CnioctlExport, APictureOfTheNode) {
  add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  const Outcome svg = look({"picture", "-o", "-"});
  EXPECT_EQ(svg.exit_code, 0) << describe(svg);
  EXPECT_THAT(svg.out, AllOf(HasSubstr("<svg "), HasSubstr(">default/pod-c2</text>"), HasSubstr(">br0</text>"),
                             HasSubstr(">10.1.0.3</text>")));
  EXPECT_EQ(look({"picture", "-o", "/run/node.dot"}).exit_code, 0);
  EXPECT_THAT(read_file("/run/node.dot"), HasSubstr("graph "));
  must_run({"nft", "flush", "ruleset"});
  EXPECT_THAT(look({"picture", "-o", "-"}).out, HasSubstr("class=\"bad\">no masquerade rule"));
}

TEST_F(CnioctlExport, WhatHasChangedSinceASnapshot) {
  add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  EXPECT_EQ(look({"snapshot", "-o", kSnapshot}).exit_code, 0);
  struct stat status {};
  ASSERT_EQ(stat(kSnapshot, &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U) << "it is root's alone";
  const Outcome same = look({"diff", kSnapshot});
  EXPECT_EQ(same.exit_code, 0) << describe(same);
  EXPECT_EQ(same.out, "");
  lose("c1");
  add_pod(full_list(), "c3", 8003);
  must_run({"ip", "link", "set", "br0", "down"});
  const Outcome other = look({"diff", kSnapshot});
  EXPECT_EQ(other.exit_code, 1) << describe(other);
  EXPECT_THAT(other.out, AllOf(HasSubstr("+ pod default/pod-c3 10.1.0.4"),
                               HasSubstr("- pod default/pod-c1 10.1.0.2 (address still reserved)"),
                               HasSubstr("~ link br0: up true -> false")));
  EXPECT_EQ(look({"diff", kConf + std::string("/10-net.conflist")}).exit_code, 2) << "that is no snapshot";
}

TEST_F(CnioctlExport, ABundleThatTarUnpacks) {
  add_pod(full_list(), "c1", 8001);
  const Outcome listed = look({"bundle", "--dry-run"});
  EXPECT_EQ(listed.exit_code, 0) << describe(listed);
  EXPECT_THAT(listed.out, AllOf(HasSubstr("status.txt"), HasSubstr("net.d/10-net.conflist")));
  EXPECT_EQ(look({"bundle", "-o", "/run/bundle.tar"}).exit_code, 0);
  must_run({"mkdir", "/run/unpacked"});
  must_run({"tar", "-C", "/run/unpacked", "-xf", "/run/bundle.tar"});
  EXPECT_THAT(read_file("/run/unpacked/status.txt"), HasSubstr("1 pod"));
  EXPECT_THAT(read_file("/run/unpacked/check.txt"), HasSubstr("1 interface of pods"));
  EXPECT_EQ(Json::parse(read_file("/run/unpacked/snapshot.json")).at("schema"), "cnioctl/1");
  const std::string sum = must_run({"sha256sum", plugin_dir() + "/bridge"}).substr(0, 64);
  EXPECT_THAT(read_file("/run/unpacked/plugins.txt"), AllOf(HasSubstr(sum), HasSubstr("CNI bridge plugin v")));
  EXPECT_THAT(read_file("/run/unpacked/sysctls.txt"), HasSubstr("net/ipv4/ip_forward"));
}

TEST_F(CnioctlExport, ABundleForStrangersDoesNotSayWhoItIs) {
  add_pod(full_list(), "c1", 8001);
  EXPECT_EQ(look({"bundle", "--redact", "-o", "/run/bundle.tar"}).exit_code, 0);
  EXPECT_THAT(read_file("/run/bundle.tar"),
              AllOf(Not(HasSubstr("pod-c1")), HasSubstr("default/pod-1"), HasSubstr("10.1.0.2")));
}

TEST_F(CnioctlExport, BashCompletesWhatCanBeSaid) {
  EXPECT_THAT(completed("cnioctl pi"), HasSubstr("picture"));
  EXPECT_EQ(completed("cnioctl ipam --state re"), "rebooted\n");
  EXPECT_EQ(completed("cnioctl subnet sh"), "show\n");
  EXPECT_EQ(completed("cnioctl completion z"), "zsh\n");
  EXPECT_EQ(completed("cnioctl gc --dry"), "--dry-run\n");
  EXPECT_EQ(completed("cnioctl --js"), "--json\n");
  EXPECT_EQ(completed("cnioctl snapshot -o /etc/hostnam"), "/etc/hostname\n");
  EXPECT_THAT(completed("cnioctl man"), Not(HasSubstr("man-page")));
}

}  // namespace
}  // namespace cnio::test
