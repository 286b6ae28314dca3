// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Sysctls of tuning: how they are called, in which order they are written, what is refused.
#include "plugin/tuning_fixture.hpp"

namespace cnio::test {
namespace {

using TuningSysctl = TuningTest;

TEST_F(TuningSysctl, NamesAreSpelledInManyWays) {
  PARITY("T-U03");
  for (const char* name :
       {"net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/IFNAME/rp_filter", "net.ipv4.conf.eth0.rp_filter",
        "net/ipv4.conf/IFNAME.rp_filter", "/net/ipv4/conf/eth0/rp_filter", "net..ipv4.conf.eth0.rp_filter"}) {
    set("ipv4/conf/eth0/rp_filter", "0");
    EXPECT_TRUE(succeeded(add(sysctls({{name, "2"}}), pod_))) << name;
    EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "2") << name;
    must_del(sysctls({{name, "2"}}), pod_);
  }
}

TEST_F(TuningSysctl, WhatIsNoneOfTheSandboxIsRefusedBeforeAnyChange) {
  PARITY("T-U03 U12");
  set("ipv4/conf/eth0/rp_filter", "0");
  const std::string host = sysctl("kernel/sem");
  for (const char* name :
       {"", "net", "net.", "kernel.sem", "Net.ipv4.ip_forward", " net.ipv4.ip_forward", "net/../kernel/sem",
        "net.ipv4.no_such", "net.ipv4.conf", "net.ipv4.conf.eth0", "net/ipv4/conf/eth0/../../../../kernel/sem"}) {
    Json settings = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}};
    settings[name] = "1";
    EXPECT_TRUE(failed(add(sysctls(settings), pod_), code::kConfig, {"sysctl"})) << name;
    EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "0") << name;
    EXPECT_TRUE(backups().empty()) << name;
  }
  EXPECT_EQ(sysctl("kernel/sem"), host);
}

// The host's own, which containers see and cannot write.
TEST_F(TuningSysctl, ReadOnlyKeysAreRefusedBeforeAnyChange) {
  PARITY("T-U03 U12");
  set("ipv4/conf/eth0/rp_filter", "0");
  const Json settings = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}, {"net.ipv4.tcp_available_congestion_control", "1"}};
  EXPECT_TRUE(failed(add(sysctls(settings), pod_), code::kKernel, {"tcp_available_congestion_control", "sandbox"}));
  EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "0");
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningSysctl, InterfaceWithDotsInItsName) {
  PARITY("T-U04 U2");
  remove_interface();
  make_interface("e.100");
  Attachment dotted = pod_;
  dotted.ifname = "e.100";
  for (const char* name : {"net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/e.100/rp_filter",
                           "net.ipv4.conf.e/100.rp_filter", "net/ipv4/conf/IFNAME/rp_filter"}) {
    set("ipv4/conf/e.100/rp_filter", "0");
    EXPECT_TRUE(succeeded(add(sysctls({{name, "2"}}), dotted))) << name;
    EXPECT_EQ(value("ipv4/conf/e.100/rp_filter"), "2") << name;
    EXPECT_TRUE(succeeded_silently(check(sysctls({{name, "2"}}), dotted))) << name;
    must_del(sysctls({{name, "2"}}), dotted);
    EXPECT_EQ(value("ipv4/conf/e.100/rp_filter"), "0") << name;
  }
}

// Where the rule of sysctl(8) names nothing, the reference's reading counts.
TEST_F(TuningSysctl, MixedSeparatorsAreReadAsTheReferenceDoes) {
  PARITY("U2");
  must_add(sysctls({{"net.core/somaxconn", "77"}}), pod_);
  EXPECT_EQ(value("core/somaxconn"), "77");
}

TEST_F(TuningSysctl, OrderIsThatOfTheText) {
  PARITY("T-U05 U1");
  const char* const all_first =
      R"("sysctl": {"net.ipv4.conf.all.forwarding": "1", "net.ipv4.conf.IFNAME.forwarding": "0"})";
  const char* const all_last =
      R"("sysctl": {"net.ipv4.conf.IFNAME.forwarding": "0", "net.ipv4.conf.all.forwarding": "1"})";
  for (int round = 0; round < 10; ++round) {
    EXPECT_TRUE(succeeded(add_text(all_first)));
    EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "0");
    EXPECT_EQ(value("ipv4/conf/all/forwarding"), "1");
    must_del(config(Json::object()), pod_);
    EXPECT_EQ(value("ipv4/conf/all/forwarding"), "0");
    EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "0");
    EXPECT_TRUE(succeeded(add_text(all_last)));
    EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "1");
    must_del(config(Json::object()), pod_);
    EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "0");
  }
}

// The kernel sets what is set for all for each.
TEST_F(TuningSysctl, WhatOneInterfaceHadIsPutBackBesideThatOfAll) {
  PARITY("T-U16 U11 U12");
  const char* const keys = R"("sysctl": {"net.ipv4.conf.all.forwarding": "1", "net.ipv4.conf.IFNAME.forwarding": "0"})";
  set("ipv4/conf/eth0/forwarding", "1");
  EXPECT_TRUE(succeeded(add_text(keys)));
  EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "0");
  must_del(config(Json::object()), pod_);
  EXPECT_EQ(value("ipv4/conf/all/forwarding"), "0");
  EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "1");
  EXPECT_TRUE(failed(add_text(std::string(keys) + R"(, "mac": "02:00:00:00:00:77", "txQLen": 5, "mtu": 66000)"),
                     code::kConfig, {"mtu"}));
  EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "1");
  EXPECT_TRUE(failed(add_text(R"("sysctl": {"net.ipv4.conf.all.forwarding": "1", "net.ipv4.conf.IFNAME.forwarding": "0",
                                            "net.core.somaxconn": "abc"})"),
                     code::kConfig, {"somaxconn"}));
  EXPECT_EQ(value("ipv4/conf/all/forwarding"), "0");
  EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "1");
}

TEST_F(TuningSysctl, ThoseOfArgsComeLastAndWin) {
  PARITY("T-U11 U1 U4");
  EXPECT_TRUE(succeeded(add_text(
      R"("args": {"cni": {"sysctl": {"net.ipv4.conf.all.forwarding": "1", "net/core/somaxconn": "99"}}},
         "sysctl": {"net.core.somaxconn": "88", "net.ipv4.conf.IFNAME.forwarding": "0"})")));
  EXPECT_EQ(value("ipv4/conf/eth0/forwarding"), "1");
  EXPECT_EQ(value("core/somaxconn"), "99");
  must_del(config(Json::object()), pod_);
}

TEST_F(TuningSysctl, ThoseOfArgsNeedNoOthers) {
  PARITY("T-U11 U4");
  const Json args = config({{"args", {{"cni", {{"sysctl", {{"net.core.somaxconn", "99"}}}}}}}});
  must_add(args, pod_);
  EXPECT_EQ(value("core/somaxconn"), "99");
  EXPECT_TRUE(succeeded_silently(check(args, pod_)));
  must_del(args, pod_);
}

TEST_F(TuningSysctl, OneSettingTwiceIsRefused) {
  PARITY("T-U06 U1");
  for (const char* twice : {R"("sysctl": {"net.core.somaxconn": "1", "net.core.somaxconn": "2"})",
                            R"("sysctl": {"net.core.somaxconn": "1", "net/core/somaxconn": "2"})",
                            R"("sysctl": {"net.ipv4.conf.IFNAME.rp_filter": "1", "net.ipv4.conf.eth0.rp_filter": "2"})",
                            R"("sysctl": {"net.core.somaxconn": "1", "net.core/somaxconn": "1"})"}) {
    EXPECT_TRUE(failed(add_text(twice), code::kConfig, {"already"})) << twice;
    std::string text = config(Json::object()).dump();
    text.pop_back();
    for (const char* verb : {"CHECK", "DEL"}) {
      const Outcome outcome = run(plugin_command({"tuning", verb, pod_, text + "," + twice + "}"}));
      EXPECT_EQ(outcome.exit_code, std::string(verb) == "DEL" ? 0 : 1) << twice;
    }
  }
}

TEST_F(TuningSysctl, ValuesThatTheKernelRefusesChangeNothing) {
  PARITY("T-U07 T-U17 U12 U16");
  set("core/somaxconn", "55");
  for (const Json& bad : {Json(""), Json(" "), Json("abc"), Json(5), Json(nullptr), Json("99999999999"), Json(true)}) {
    const Json settings = {{"net.core.somaxconn", "66"}, {"net.ipv4.ip_forward", bad}};
    EXPECT_TRUE(failed(add(sysctls(settings), pod_), code::kConfig, {"net.ipv4.ip_forward"})) << bad.dump();
    EXPECT_EQ(value("core/somaxconn"), "55") << bad.dump();
    EXPECT_TRUE(backups().empty()) << bad.dump();
  }
}

TEST_F(TuningSysctl, CheckComparesWhatTheKernelUnderstood) {
  PARITY("T-U08 U3");
  const Json settings = {{"net.ipv4.ip_local_port_range", "1024 65000"},
                         {"net.ipv4.tcp_rmem", " 4096   131072\t6291456 "},
                         {"net.core.somaxconn", "0077"},
                         {"net.ipv4.route.flush", "1"},
                         {"net.ipv4.ip_forward", "01"}};
  must_add(sysctls(settings), pod_);
  EXPECT_EQ(value("core/somaxconn"), "63") << "the kernel takes it for octal";
  EXPECT_TRUE(succeeded_silently(check(sysctls(settings), pod_)));
  set("ipv4/ip_local_port_range", "1025 65000");
  EXPECT_TRUE(failed(check(sysctls(settings), pod_), code::kCheck, {"ip_local_port_range", "1025"}));
  must_del(sysctls(settings), pod_);
}

// ip_local_reserved_ports are shown in order, whatever order they were written in.
TEST_F(TuningSysctl, ValuesThatTheKernelWritesOtherwiseAreOursAllTheSame) {
  PARITY("T-U08 U3 U11");
  set("ipv4/ip_local_reserved_ports", "5000");
  const Json settings = sysctls({{"net.ipv4.ip_local_reserved_ports", "9000,8000-8001,8002"}});
  must_add(settings, pod_);
  EXPECT_EQ(value("ipv4/ip_local_reserved_ports"), "8000-8002,9000");
  EXPECT_TRUE(succeeded_silently(check(settings, pod_)));
  must_del(settings, pod_);
  EXPECT_EQ(value("ipv4/ip_local_reserved_ports"), "5000");
}

TEST_F(TuningSysctl, CheckFindsEachThatIsDifferent) {
  PARITY("T-U20");
  const Json settings = sysctls({{"net.core.somaxconn", "66"}});
  must_add(settings, pod_);
  set("core/somaxconn", "67");
  EXPECT_TRUE(failed(check(settings, pod_), code::kCheck, {"net.core.somaxconn", "67", "66"}));
  set("core/somaxconn", "66");
  EXPECT_TRUE(succeeded_silently(check(settings, pod_)));
  EXPECT_TRUE(failed(check(sysctls({{"net.core.no_such", "66"}}), pod_), code::kCheck, {"net.core.no_such"}));
}

TEST_F(TuningSysctl, DelPutsTheOldValuesBackUnlessSomebodyHasChangedThemSince) {
  PARITY("T-U16 U11");
  set("core/somaxconn", "55");
  set("ipv4/ip_local_port_range", "2000 60000");
  set("ipv4/conf/eth0/rp_filter", "1");
  const Json settings = sysctls({{"net.core.somaxconn", "66"},
                                 {"net.ipv4.ip_local_port_range", "1024 65000"},
                                 {"net.ipv4.conf.IFNAME.rp_filter", "2"}});
  must_add(settings, pod_);
  set("core/somaxconn", "77");
  must_del(settings, pod_);
  EXPECT_EQ(value("core/somaxconn"), "77");
  EXPECT_EQ(value("ipv4/ip_local_port_range"), "2000\t60000");
  EXPECT_EQ(value("ipv4/conf/eth0/rp_filter"), "1");
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningSysctl, NothingOfTheHostIsTouched) {
  const std::string before = sysctl("net/core/somaxconn");
  must_add(sysctls({{"net.core.somaxconn", "66"}, {"net.ipv4.conf.all.forwarding", "1"}}), pod_);
  EXPECT_EQ(sysctl("net/core/somaxconn"), before);
  EXPECT_EQ(sysctl("net/ipv4/conf/all/forwarding"), "0");
  must_del(config(Json::object()), pod_);
  EXPECT_EQ(sysctl("net/core/somaxconn"), before);
}

TEST_F(TuningSysctl, Ipv6IsNotSwitchedOffUnderAnAddress) {
  PARITY("T-U18 U13");
  for (const char* name : {"net.ipv6.conf.IFNAME.disable_ipv6", "net.ipv6.conf.all.disable_ipv6"}) {
    EXPECT_TRUE(failed(add(with_ipv6(sysctls({{name, "1"}})), pod_), code::kConfig, {"fd01::5", name}));
    EXPECT_EQ(value("ipv6/conf/eth0/disable_ipv6"), "0");
    EXPECT_TRUE(succeeded(add(with_ipv6(sysctls({{name, "0"}})), pod_)));
    EXPECT_TRUE(succeeded(add(sysctls({{name, "1"}}), pod_)));
    must_del(sysctls({{name, "1"}}), pod_);
    EXPECT_EQ(value("ipv6/conf/eth0/disable_ipv6"), "0");
  }
}

}  // namespace
}  // namespace cnio::test
