// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl check --ping`: whether gateways answer, asked from inside of pods.
#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CnioctlPing : public CnioctlTest {
 protected:
  CnioctlPing() {
    write_file(kConf + std::string("/10-net.conflist"), list().dump());
    set_sysctl("net/ipv4/ip_forward", "1");
    set_sysctl("net/ipv6/conf/all/forwarding", "1");
  }

  static constexpr char kConf[] = "/run/net.d";

  static Json list() { return list_of({dual_stack_config()}); }
  static Outcome check(std::vector<std::string> words = {}) {
    words.insert(words.begin(), {"check", "--ping", "--conf-dir", kConf});
    return act(std::move(words));
  }
  static void bind(const std::string& netns, const std::string& path) {
    if (!std::filesystem::exists(path)) write_file(path, "");
    must_run({"mount", "--bind", netns, path});
  }
  static std::string no_echo(const std::string& pod, const std::string& gateway) {
    return "default/pod-" + pod + " (net/" + pod + "/eth0): error: no echo from its gateway " + gateway;
  }
};

TEST_F(CnioctlPing, GatewaysAnswer) {
  add_pod(list(), "c1");
  add_pod(list(), "c2");
  const Outcome outcome = check();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_EQ(outcome.out, "check: ok: 2 interfaces of pods\n");
}

TEST_F(CnioctlPing, AGatewayWhoseAddressIsGoneIsNamed) {
  add_pod(list(), "c1");
  add_pod(list(), "c2");
  must_run({"ip", "address", "delete", "10.1.0.1/24", "dev", "br0"});
  const Outcome outcome = check();
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(no_echo("c1", "10.1.0.1")), HasSubstr(no_echo("c2", "10.1.0.1")),
                                 Not(HasSubstr("fd01::1"))));
  must_run({"ip", "address", "delete", "fd01::1/64", "dev", "br0"});
  EXPECT_THAT(check({"c1"}).out, AllOf(HasSubstr(no_echo("c1", "fd01::1")), Not(HasSubstr("pod-c2"))));
  EXPECT_THAT(act({"check", "--conf-dir", kConf}).out, Not(HasSubstr("[no-echo]")));  // nobody has asked
}

TEST_F(CnioctlPing, APodWhoseLinkIsDownIsNamed) {
  add_pod(list(), "c1");
  add_pod(list(), "c2");
  must_run({"ip", "-n", "c1", "link", "set", "eth0", "down"});
  const Outcome outcome = check();
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(no_echo("c1", "10.1.0.1") + ": find a way to 10.1.0.1: Network is"),
                                 HasSubstr(no_echo("c1", "fd01::1")), Not(HasSubstr("pod-c2"))));
}

// A pod's rules may let nothing out: the kernel says so at once.
TEST_F(CnioctlPing, APodThatLetsNothingOutIsNamed) {
  add_pod(list(), "c1");
  must_run({"ip", "netns", "exec", "c1", "nft",
            "add table ip t; add chain ip t o { type filter hook output priority 0; policy drop; }"});
  EXPECT_THAT(check().out, HasSubstr(no_echo("c1", "10.1.0.1") + ": send an echo: Operation not permitted"));
}

TEST_F(CnioctlPing, KnowsTheGatewayWithoutTheCacheOfLibcni) {
  add_pod(list(), "c1", 0, false);
  EXPECT_THAT(check().out, AllOf(Not(HasSubstr("[no-echo]")), Not(HasSubstr("[no-ping]"))));
  must_run({"ip", "address", "delete", "10.1.0.1/24", "dev", "br0"});
  EXPECT_THAT(check().out, HasSubstr("(net/c1/eth0): error: no echo from its gateway 10.1.0.1 [no-echo]"));
}

// A path is only a name.
TEST_F(CnioctlPing, GoesIntoNoSandboxButThePodsOwn) {
  add_pod(list(), "c1");
  bind("/run/netns/c1", "/run/kept");
  must_run({"umount", "/run/netns/c1"});
  add_netns("stranger");
  bind("/run/netns/stranger", "/run/netns/c1");
  EXPECT_THAT(check().out, AllOf(HasSubstr("note: cannot be pinged from: no cable tells which sandbox is its own "
                                           "[no-ping]"),
                                 Not(HasSubstr("[no-echo]"))));
  bind("/run/kept", "/run/netns/moved");
  EXPECT_THAT(check().out, AllOf(Not(HasSubstr("[no-ping]")), Not(HasSubstr("[no-echo]"))));
  must_run({"ip", "address", "delete", "10.1.0.1/24", "dev", "br0"});
  EXPECT_THAT(check().out, HasSubstr(no_echo("c1", "10.1.0.1")));
}

TEST_F(CnioctlPing, LeavesNothingBehind) {
  add_pod(list(), "c1");
  const auto now = [] {
    std::string all = must_run({"nft", "-a", "-s", "list", "ruleset"}) + must_run({"ip", "address"});
    for (const char* what : {"link", "address", "route", "rule"}) all += must_run({"ip", "-n", "c1", what});
    return all + must_run({"ip", "netns", "exec", "c1", "ss", "-Hatuwx"}) +
           must_run({"find", "/run/cnio", "/run/netns", "/var/lib/cni", "-printf", "%p %T@ %C@ %s\\n"});
  };
  const std::string before = now();
  EXPECT_EQ(check().exit_code, 0);
  EXPECT_EQ(now(), before);
}

}  // namespace
}  // namespace cnio::test
