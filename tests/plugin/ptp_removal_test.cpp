// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// DEL and GC of ptp, and the rules of ipMasq with both back ends.
#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What has become of the pod by the time of DEL.
struct Fate {
  std::string name;
  std::string commands;  ///< of a shell; $H is the host end
};
void PrintTo(const Fate& fate, std::ostream* out) { *out << fate.name; }

const std::vector<Fate> kFates = {
    {"Nothing", "true"},
    {"NamespaceGone", "ip netns del c1"},
    {"NamespaceReused", "ip netns del c1; ip netns add c1"},
    {"PlainFile", "umount /run/netns/c1"},
    {"LinkGone", "ip -n c1 link del eth0"},
    {"Flushed", "ip -n c1 addr flush dev eth0; ip -n c1 link set eth0 down"},
    {"HostEndRenamed", "ip link set $H down; ip link set $H name uplink7; ip link set uplink7 up"},
    {"AliasCleared", "ip link set $H alias ''"},
    {"AliasRewritten", "ip link set $H alias 'cnio net/c9/eth0'"},
    {"HostRouteGone", "ip route flush dev $H"},
};

class PtpDel : public PtpTest, public ::testing::WithParamInterface<std::tuple<Fate, std::string>> {
 protected:
  PtpDel() {
    config_["ipMasq"] = true;
    config_["ipMasqBackend"] = std::get<1>(GetParam());
    result_ = must_add(config_, pod());
    other_ = must_add(config_, pod("c2"));
    Command command{.argv = {"sh", "-ec", std::get<0>(GetParam()).commands}};
    command.env["H"] = host_end(result_);
    const Outcome done = run(command);
    if (done.exit_code != 0) throw std::runtime_error(describe(done));
  }
  static Attachment where(const std::string& netns) { return {"c1", netns, "eth0", ""}; }
  void expect_gone() {
    EXPECT_TRUE(happens([this] { return host_ends() == std::vector<std::string>{host_end(other_)}; }));
    for (const char* address : {"10.1.0.2", "fd01::2"}) expect_nothing_of("c1", address);
    EXPECT_EQ(records(), 1U);
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, other_), pod("c2")))) << "the other is as it was";
    EXPECT_TRUE(ping(pod("c2").netns, "fd01::1"));
  }

  Json config_ = dual_ptp_config();
  Json result_;
  Json other_;
};
INSTANTIATE_TEST_SUITE_P(After, PtpDel,
                         ::testing::Combine(::testing::ValuesIn(kFates), ::testing::Values("nftables", "iptables")),
                         [](const auto& test) { return std::get<0>(test.param).name + std::get<1>(test.param); });

TEST_P(PtpDel, RemovesAllThatIsLeft) {
  PARITY("T-M22 T-M23 M25");
  must_del(config_, where("/run/netns/c1"));
  expect_gone();
  must_del(config_, where("/run/netns/c1"));
}

TEST_P(PtpDel, NeedsNoNamespace) {
  PARITY("T-M22 M25");
  must_del(with_prev_result(config_, result_), where(""));
  expect_gone();
}

class PtpRemoval : public PtpTest {
 protected:
  PtpRemoval() { config_["ipMasq"] = true; }
  Json config_ = dual_ptp_config();
};

TEST_F(PtpRemoval, WithoutARecordTheMarksSayIt) {
  for (const char* netns : {"", "/run/netns/c1"}) {
    const Json result = must_add(config_, pod());
    lose_records();
    must_del(with_prev_result(config_, result), {"c1", netns, "eth0", ""});
    EXPECT_THAT(host_ends(), IsEmpty()) << netns;
    for (const Json& ip : result.at("ips")) {
      const auto cidr = ip.at("address").get<std::string>();
      expect_nothing_of("c1", cidr.substr(0, cidr.find('/')));
    }
  }
}

TEST_F(PtpRemoval, LeavesNothing) {
  const Snapshot before = state();
  must_del(config_, pod());
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_TRUE(same(before, state()));
  EXPECT_EQ(records(), 0U);
}

TEST_F(PtpRemoval, AnInterfaceThatIsNotOfThisNetworkIsLeftAlone) {
  must_run({"ip", "link", "add", "other", "type", "bridge"});
  must_run({"ip", "link", "add", "veth12345678", "master", "other", "type", "veth", "peer", "name", "eth0", "netns",
            pod().container});
  must_del(config_, pod());
  EXPECT_THAT(link_names(pod().netns), ElementsAre("eth0"));
}

// Whoever gave the addresses is known.
TEST_F(PtpRemoval, APluginThatIsNotThereIsNotWaitedFor) {
  for (const char* type : {"nothere", "a/b", "..", "ptp"}) {
    const Json result = must_add(config_, pod());
    Json other = config_;
    other["ipam"] = {{"type", type}};
    EXPECT_TRUE(succeeded_silently(del(other, pod()))) << type;
    EXPECT_THAT(host_ends(), IsEmpty()) << type;
    for (const Json& ip : result.at("ips")) {
      const auto cidr = ip.at("address").get<std::string>();
      expect_nothing_of("c1", cidr.substr(0, cidr.find('/')));
    }
    EXPECT_EQ(records(), 0U);
  }
}

TEST_F(PtpRemoval, BrokenKeysDoNotMatter) {
  for (const char* patch : {R"({"mtu": "large"})", R"({"ipMasq": 7})", R"({"ipMasqBackend": "ebtables"})",
                            R"({"dns": 7})", R"({"hostIfPrefix": "%"})", R"({"ipam": null})"}) {
    must_add(config_, pod());
    Json broken = config_;
    broken.merge_patch(Json::parse(patch));
    EXPECT_TRUE(succeeded_silently(del(broken, pod()))) << patch;
    EXPECT_THAT(host_ends(), IsEmpty()) << patch;
  }
}

// As with a sandbox that died without DEL, whose address was then freed by hand.
TEST_F(PtpRemoval, ALateDelLeavesTheAddressesNextOwnerItsConnections) {
  config_["ipam"]["ranges"] = one_address_ranges("2");
  must_add(config_, pod("c1"));
  delete_netns("c1");
  ASSERT_TRUE(happens([] { return host_ends().empty(); }));
  std::filesystem::remove("/var/lib/cni/networks/net/10.1.0.2");
  std::filesystem::remove("/var/lib/cni/networks/net/fd01::2");
  const Json second = must_add(config_, pod("c2"));
  must_run({"conntrack", "-I", "-p", "udp", "-s", "10.1.0.2", "-d", "192.0.2.2", "--sport", "4000", "--dport", "5000",
            "-t", "600"});
  must_del(config_, {"c1", "", "eth0", ""});
  EXPECT_NE(must_run({"conntrack", "-L", "-s", "10.1.0.2"}).find("192.0.2.2"), std::string::npos);
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, second), pod("c2"))));
  must_del(config_, pod("c2"));
  EXPECT_EQ(must_run({"conntrack", "-L", "-s", "10.1.0.2"}).find("192.0.2.2"), std::string::npos) << "its own goes";
}

// ---- GC

TEST_F(PtpRemoval, GcTakesWhatIsNotListed) {
  PARITY("T-M88 M26");
  Json other = config_;
  other["name"] = "othernet";
  other["ipam"]["ranges"] = host_local_ipam({"10.2.0.0/24", "fd02::/64"})["ranges"];
  const Json living = must_add(config_, pod("living"));
  must_add(config_, pod("stale"));
  must_add(other, pod("other"));
  for (const bool recorded : {true, false}) {
    if (!recorded) must_add(config_, pod("stale"));
    if (!recorded) lose_records();
    EXPECT_TRUE(succeeded_silently(gc(valid(config_, {"living"}))));
    EXPECT_THAT(link_names(pod("stale").netns), IsEmpty());
    EXPECT_EQ(host_ends().size(), 2U);
    EXPECT_FALSE(store_holds("10.1.0.3"));
    EXPECT_FALSE(store_holds("10.1.0.4"));
    EXPECT_TRUE(store_holds("10.1.0.2"));
    EXPECT_TRUE(store_holds("10.2.0.2", "othernet"));
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, living), pod("living"))));
    EXPECT_TRUE(ping(pod("other").netns, "10.2.0.1"));
  }
}

TEST_F(PtpRemoval, GcReleasesNothingWhileALinkMayHaveIt) {
  must_add(config_, pod("stale"));
  lose_records();
  must_run({"ip", "link", "set", host_ends().at(0), "alias", ""});
  EXPECT_TRUE(failed(gc(valid(config_, {})), code::kInTheWay, {host_ends().at(0)}));
  EXPECT_TRUE(store_holds("10.1.0.2"));
  EXPECT_THAT(link_names(pod("stale").netns), ElementsAre("eth0"));
}

// ---- ipMasq

class PtpMasquerade : public PtpTest, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, PtpMasquerade, ::testing::Values("", "nftables", "iptables"),
                         [](const auto& test) { return test.param.empty() ? "none" : test.param; });

TEST_P(PtpMasquerade, OutsideSeesTheHostsAddress) {
  PARITY("T-M20");
  const OutsideHost outside;
  Json config = dual_ptp_config();
  config["ipMasq"] = true;
  if (!GetParam().empty()) config["ipMasqBackend"] = GetParam();
  must_add(config, pod("c1"));
  const Json second = must_add(config, pod("c2"));
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "2001:db8::2"), "2001:db8::1");
  EXPECT_EQ(seen_as(pod("c1").netns, pod("c2").netns, "10.1.0.3"), "10.1.0.2") << "in its own subnet";
  must_del(config, pod("c1"));
  EXPECT_EQ(seen_as(pod("c2").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, second), pod("c2"))));
}

TEST_F(PtpRemoval, ABadBackendMattersOnlyIfItIsUsed) {
  PARITY("T-M21 M3");
  config_["ipMasqBackend"] = "ebtables";
  config_["ipMasq"] = false;
  must_add(config_, pod());
  must_del(config_, pod());
  const Snapshot before = state();
  config_["ipMasq"] = true;
  EXPECT_TRUE(failed(add(config_, pod()), code::kConfig, {"ipMasqBackend"}));
  EXPECT_TRUE(same(before, state()));
}

// ---- undo

TEST_F(PtpRemoval, AFailedAddTakesAllBack) {
  PARITY("M3 M5");
  const Snapshot before = state();
  for (const auto& [result, code] :
       {std::pair(answer("[]"), code::kIpam), std::pair(answer_of("10.1.0.255/24", "10.1.0.1"), code::kIpam),
        std::pair(answer(R"([{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}])",
                         R"([{"dst": "10.50.0.0/16", "gw": "10.9.0.1"}])"),
                  code::kKernel)}) {
    FakeIpam fake;
    EXPECT_TRUE(failed(add_with(fake, result), code));
    EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"}));
    EXPECT_TRUE(same(before, state()));
    EXPECT_THAT(link_names(pod().netns), IsEmpty());
    EXPECT_EQ(records(), 0U);
  }
}

TEST_F(PtpRemoval, AnAnswerThatCannotBeWrittenIsAFailure) {
  PARITY("M5");
  pod();
  const Snapshot before = state();
  Command command = plugin_command({"ptp", "ADD", pod(), config_.dump()});
  command.stdout_path = "/dev/full";
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_TRUE(same(before, state()));
  EXPECT_THAT(link_names(pod().netns), IsEmpty());
}

}  // namespace
}  // namespace cnio::test
