// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The network has another name by now, or is another: DEL is called with the file that is there.
#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

/// What the file says by now.
struct Edit {
  const char* name;
  std::function<void(Json&)> make;
};
void PrintTo(const Edit& edit, std::ostream* out) { *out << edit.name; }

class RenamedNetwork : public AttachmentTest, public ::testing::WithParamInterface<Edit> {
 protected:
  RenamedNetwork() {
    result_ = must_add(config_, pod());
    must_add(config_, pod("c2"));
    now_["name"] = "newnet";
    GetParam().make(now_);
  }
  void expect_all_of_the_old_network_gone(const Outcome& outcome) const {
    EXPECT_TRUE(succeeded_silently(outcome));
    EXPECT_NE(outcome.err.find("net"), std::string::npos) << "it says so: " << outcome.err;
    expect_nothing_of("c1", "10.1.0.2");
    EXPECT_EQ(host_ends().size(), 1U);
    EXPECT_TRUE(link_names(pod().netns).empty());
    expect_the_other_untouched();
  }
  static void expect_the_other_untouched() {
    EXPECT_EQ(link_names(pod("c2").netns), std::vector<std::string>{"eth0"});
    EXPECT_TRUE(store_holds("10.1.0.3"));
    EXPECT_FALSE(nft_objects_with("10.1.0.3").empty());
    EXPECT_EQ(nft_objects_with("\"comment\":\"macspoofchk-c2-eth0\"").size(), 4U);
  }

  const Json config_ = full_config();
  Json result_;
  Json now_ = full_config();
};
INSTANTIATE_TEST_SUITE_P(
    And, RenamedNetwork,
    ::testing::Values(Edit{"NothingElse", [](Json&) {}}, Edit{"Bridge", [](Json& now) { now["bridge"] = "br1"; }},
                      Edit{"Prefix", [](Json& now) { now["hostIfPrefix"] = "tap"; }},
                      Edit{"WithoutRules",
                           [](Json& now) {
                             now.erase("ipMasq");
                             now.erase("macspoofchk");
                           }},
                      Edit{"Store", [](Json& now) { now["ipam"]["dataDir"] = make_folder("elsewhere"); }},
                      Edit{"Subnet", [](Json& now) { now["ipam"] = host_local_ipam({"10.9.0.0/24"}); }},
                      Edit{"WithoutIpam",
                           [](Json& now) {
                             now.erase("ipam");
                             now.erase("isDefaultGateway");
                           }},
                      Edit{"AnotherNetwork",
                           [](Json& now) {
                             now = bridge_config({"10.9.0.0/24"}), now["name"] = now["bridge"] = "br9";
                           }}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(RenamedNetwork, DelFindsItInTheSandbox) {
  FAULT("B6 renamed network");
  expect_all_of_the_old_network_gone(del(with_prev_result(now_, result_), pod()));
}

TEST_P(RenamedNetwork, DelFindsItWithoutASandbox) {
  FAULT("B6 renamed network");
  expect_all_of_the_old_network_gone(del(now_, nowhere(pod())));
}

TEST_P(RenamedNetwork, DelReleasesThoughTheSandboxAndItsLinkAreGone) {
  FAULT("B6 renamed network");
  delete_netns("c1");
  ASSERT_TRUE(happens([] { return host_ends().size() == 1; }));
  EXPECT_TRUE(succeeded_silently(del(now_, {"c1", "/run/netns/c1", "eth0", ""})));
  expect_nothing_of("c1", "10.1.0.2");
  expect_the_other_untouched();
}

TEST_P(RenamedNetwork, GcOfTheNewNameTouchesNobody) {
  FAULT("B6 renamed network");
  now_["ipam"] = host_local_ipam({"10.9.0.0/24"});
  EXPECT_TRUE(succeeded_silently(gc(valid(now_, {}))));
  EXPECT_EQ(host_ends().size(), 2U);
  EXPECT_TRUE(store_holds("10.1.0.2"));
  expect_the_other_untouched();
}

class RenamedNetworkOne : public AttachmentTest {
 protected:
  static Json renamed(Json config, const std::string& name = "newnet") {
    config["name"] = name;
    return config;
  }
  const Json config_ = full_config();
};

TEST_F(RenamedNetworkOne, WithoutARecordTheMarkTells) {
  FAULT("B6 renamed network");
  must_add(config_, pod());
  lose_records();
  must_del(renamed(config_), pod());
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", "10.1.0.2");
}

// A pod that hides its interface behind another of its name does not keep its address for ever.
TEST_F(RenamedNetworkOne, WhatThePodShowsIsNoEvidence) {
  FAULT("A2 pod's interfaces");
  for (const char* name : {"eth0", "eth5"}) {
    must_add(config_, pod());
    must_run({"ip", "link", "set", "eth0", "down"}, pod().netns);
    must_run({"ip", "link", "set", "eth0", "name", "hidden"}, pod().netns);
    must_run({"ip", "link", "add", name, "type", "veth", "peer", "name", "inner"}, pod().netns);
    must_del(renamed(config_), pod());
    EXPECT_TRUE(host_ends().empty());
    expect_nothing_of("c1", "10.1.0.2");
    must_run({"ip", "link", "del", name}, pod().netns);
  }
}

// Twice the same names, in two sandboxes: no runtime does that, but what lives is not to be guessed at.
TEST_F(RenamedNetworkOne, WhatLivesInAnotherSandboxIsOnlyReported) {
  FAULT("B6 unsafe");
  must_add(config_, pod());
  Json other = renamed(bridge_config({"10.2.0.0/24"}), "othernet");
  other["bridge"] = "br1";
  Attachment elsewhere = {"c1", add_netns("elsewhere"), "eth0", ""};
  must_add(other, elsewhere);
  const auto expect_reported = [&](const Outcome& outcome) {
    EXPECT_TRUE(succeeded_silently(outcome));
    EXPECT_NE(outcome.err.find("left alone in the network \"net\""), std::string::npos) << outcome.err;
    EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
    EXPECT_TRUE(store_holds("10.1.0.2"));
    EXPECT_EQ(nft_objects_with("\"comment\":\"macspoofchk-c1-eth0\"").size(), 4U);
    EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
    EXPECT_TRUE(link_names(elsewhere.netns).empty());
    EXPECT_FALSE(store_holds("10.2.0.2", "othernet"));
  };
  expect_reported(del(other, elsewhere));
  must_add(other, elsewhere);
  expect_reported(del(other, nowhere(elsewhere)));
  // It is still found under its own name.
  must_del(config_, pod());
  EXPECT_TRUE(host_ends().empty());
  EXPECT_EQ(records(), 0U);
}

TEST_F(RenamedNetworkOne, OtherInterfacesOfTheContainerStay) {
  FAULT("B6 unsafe");
  must_add(config_, pod());
  must_add(config_, pod("c1", "eth1"));
  must_del(renamed(config_), pod());
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth1"});
  EXPECT_TRUE(store_holds("10.1.0.3"));
}

TEST_F(RenamedNetworkOne, AMissingIpamPluginIsReportedWhenAllElseIsDone) {
  FAULT("B6 renamed network");
  must_add(config_, pod());
  Json now = renamed(config_);
  now["ipam"]["type"] = "none-such";
  EXPECT_TRUE(failed(del(now, pod()), code::kIpam, {"none-such"}));
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", "10.1.0.2");
}

TEST_F(RenamedNetworkOne, ALostIpamPluginDoesNotKeepTheLink) {
  FAULT("B6 renamed network");
  FakeIpam fake;
  fake.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})"));
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  EXPECT_TRUE(failed(del(renamed(bridge_config()), pod()), code::kIpam, {"network \"net\"", "fake-ipam"}));
  EXPECT_TRUE(host_ends().empty());
  EXPECT_EQ(records(), 1U) << "its address is not released";
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", renamed(fake_config()), pod()))));
  EXPECT_EQ(records(), 0U);
  EXPECT_EQ(fake.commands().at(1), "DEL");
}

// The container starts again under the new name, and only then is removed.
TEST_F(RenamedNetworkOne, WhatIsLeftOfAnEarlierLifeGoesWithTheLaterOne) {
  FAULT("B6 renamed network");
  must_add(config_, pod());
  delete_netns("c1");
  ASSERT_TRUE(happens([] { return host_ends().empty(); }));
  Json now = renamed(config_);
  must_add(now, pod());
  must_del(now, pod());
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", "10.1.0.2");
  expect_nothing_of("c1", "10.1.0.2", "newnet");
  EXPECT_EQ(records(), 0U);
}

}  // namespace
}  // namespace cnio::test
