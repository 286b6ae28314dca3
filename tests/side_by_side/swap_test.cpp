// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The executables are exchanged under running pods, in either direction. That both give addresses from one store at
// once is tested in plugin/host_local_test.cpp.
#include <algorithm>

#include "plugin/bridge_fixture.hpp"
#include "support/twin.hpp"

namespace cnio::test {
namespace {

struct Swapped {
  std::string plugin;
  std::string backend;  ///< of ipMasq
};
void PrintTo(const Swapped& swapped, std::ostream* out) { *out << swapped.plugin << " " << swapped.backend; }

class Swap : public BridgeTest, public ::testing::WithParamInterface<Swapped> {
 protected:
  Swap() {
    if (GetParam().plugin == "ptp") config_ = dual_ptp_config();
    config_["ipMasq"] = true;
    config_["ipMasqBackend"] = GetParam().backend;
    if (!reference_is_new()) {  // it has one backend, and does not know the key
      config_["cniVersion"] = "1.0.0";
      config_.erase("ipMasqBackend");
    }
  }

  Outcome run_by(Side side, const std::string& verb, const Attachment& attachment, const Json& config) const {
    Command command = plugin_command({GetParam().plugin, verb, attachment, config.dump()});
    command.argv = {side_dir(side) + "/" + GetParam().plugin};
    command.env["CNI_PATH"] = side_dir(side);
    return run(command);
  }

  Json made_by(Side side, const Attachment& attachment) const {
    const Outcome outcome = run_by(side, "ADD", attachment, config_);
    if (outcome.exit_code != 0) throw std::runtime_error(describe(outcome));
    return with_prev_result(config_, Json::parse(outcome.out));
  }

  /// DEL by the reference. Debian's build fails over rules that iptables does not have (D23) after it has done its
  /// work; then the runtime comes again.
  void deleted_by_reference(const Attachment& attachment, const Json& config) const {
    const Outcome first = run_by(Side::kReference, "DEL", attachment, config);
    if (first.exit_code == 0) return;
    EXPECT_NE(first.out.find("iptables"), std::string::npos) << describe(first);
    EXPECT_TRUE(succeeded(run_by(Side::kReference, "DEL", attachment, config)));
  }

  /// Rules that name the pod's addresses.
  static std::vector<std::string> rules_of(const std::string& number) {
    std::vector<std::string> found = nft_objects_with("\"10.1.0." + number + "\"");
    for (const std::string& object : nft_objects_with("\"fd01::" + number + "\"")) found.push_back(object);
    return found;
  }

  /// Host ends of pods.
  static std::size_t cables() {
    const std::vector<std::string> all = link_names();
    const auto is_cable = [](const std::string& name) { return name.starts_with("veth"); };
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), is_cable));
  }

  static bool is_gone(const std::string& number) {
    return rules_of(number).empty() && !store_holds("10.1.0." + number) && !store_holds("fd01::" + number);
  }

  Json config_ = dual_stack_config();
};

TEST_P(Swap, PodsOfTheReferencePassCheckAndGoWithoutATrace) {
  PARITY("T67 T56 T-M27");
  const Json first = made_by(Side::kReference, pod("c1"));
  const Json second = made_by(Side::kReference, pod("c2"));
  ASSERT_FALSE(rules_of("2").empty());
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "CHECK", pod("c1"), first)));
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod("c1"), first)));
  EXPECT_TRUE(is_gone("2"));
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  EXPECT_EQ(cables(), 1U);
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "CHECK", pod("c2"), second))) << "the other pod is as it was";
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod("c1"), first))) << "again";
}

TEST_P(Swap, GarbageOfTheReferenceIsCollected) {
  PARITY("T63 T67 D1 T-M27 T-M88");
  if (!reference_is_new()) config_["cniVersion"] = "1.1.0";  // GC is ours alone
  Json made = config_;
  if (!reference_is_new()) made["cniVersion"] = "1.0.0";
  for (const char* id : {"c1", "c2"}) ASSERT_TRUE(succeeded(run_by(Side::kReference, "ADD", pod(id), made)));
  const Json call = with_valid_attachments(config_, {{"c2", "eth0"}});
  // Which of the links is whose, the reference does not say: while that of c1 is there, its address is not free.
  EXPECT_TRUE(failed(run_by(Side::kOurs, "GC", {"", "", "", ""}, call), code::kInTheWay, {"no address is released"}));
  EXPECT_TRUE(store_holds("10.1.0.2"));
  delete_netns("c1");
  while (cables() > 1) {
  }  // the kernel removes the link a little later
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "GC", {"", "", "", ""}, call)));
  EXPECT_TRUE(is_gone("2"));
  EXPECT_FALSE(rules_of("3").empty());
  EXPECT_TRUE(store_holds("10.1.0.3"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
}

TEST_P(Swap, PodsOfBothLiveOnOneHost) {
  PARITY("T67 T-M27");
  const OutsideHost outside;
  const Json first = made_by(Side::kReference, pod("c1"));
  const Json second = made_by(Side::kOurs, pod("c2"));
  // The reference's gateways of ptp are looked for duplicates of.
  EXPECT_TRUE(happens([] { return must_run({"ip", "-6", "addr", "show", "tentative"}).empty(); }));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3"));
  EXPECT_TRUE(ping(pod("c2").netns, "fd01::2"));
  for (const char* id : {"c1", "c2"}) EXPECT_EQ(seen_as(pod(id).netns, outside.netns, "192.0.2.2"), "192.0.2.1") << id;
  EXPECT_TRUE(succeeded(run_by(Side::kReference, "CHECK", pod("c2"), second)));
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "CHECK", pod("c1"), first)));
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod("c1"), first)));
  EXPECT_EQ(seen_as(pod("c2").netns, outside.netns, "192.0.2.2"), "192.0.2.1") << "c2 is as it was";
}

TEST_P(Swap, PodsOfOursAreDeletedByTheReference) {
  PARITY("T67 T-M27");
  const Json first = made_by(Side::kOurs, pod("c1"));
  const Json second = made_by(Side::kOurs, pod("c2"));
  deleted_by_reference(pod("c1"), first);
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_FALSE(store_holds("fd01::2"));
  for (const std::string& object : rules_of("2")) {
    EXPECT_NE(object.find("cnio_masquerade"), std::string::npos) << "only our own table is left: " << object;
  }
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "CHECK", pod("c2"), second))) << "the other pod is as it was";
}

// Who gave the first pod its address did not give the second one's.
TEST_P(Swap, TheIpamPluginOfAFormerPodIsNotAskedForAnother) {
  const Json first = made_by(Side::kOurs, pod());
  deleted_by_reference(pod(), first);
  Json second = made_by(Side::kReference, pod());
  second["ipam"] = {{"type", "nothere"}};
  EXPECT_TRUE(failed(run_by(Side::kOurs, "DEL", pod(), second), code::kIpam, {"nothere"}));
  EXPECT_TRUE(store_holds("10.1.0.3"));
}

// There and back again: what we know of the first pod is no reason to leave the second.
TEST_P(Swap, APodThatTheReferenceMadeAnewGoesWithoutATrace) {
  PARITY("T67 T-M27 M13");
  const Json first = made_by(Side::kOurs, pod());
  deleted_by_reference(pod(), first);
  const Json second = made_by(Side::kReference, pod());
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod(), second)));
  EXPECT_TRUE(link_names(pod().netns).empty());
  EXPECT_EQ(cables(), 0U);
  for (const char* number : {"2", "3"}) EXPECT_TRUE(is_gone(number)) << number;
}

TEST_P(Swap, WhatTheReferenceLeavesOfOursDoesNoHarmAndGoes) {
  PARITY("T67 T-M27");
  const OutsideHost outside;
  const Json first = made_by(Side::kOurs, pod("c1"));
  deleted_by_reference(pod("c1"), first);
  // The address is given to another pod, by the reference and then by ours.
  config_["runtimeConfig"]["ips"] = {"10.1.0.2", "fd01::2"};
  const Json reference = made_by(Side::kReference, pod("c2"));
  EXPECT_EQ(seen_as(pod("c2").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  deleted_by_reference(pod("c2"), reference);
  const Json ours = made_by(Side::kOurs, pod("c3"));
  EXPECT_EQ(seen_as(pod("c3").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod("c1"), first))) << "late, but it comes";
  EXPECT_EQ(seen_as(pod("c3").netns, outside.netns, "192.0.2.2"), "192.0.2.1") << "what c3 has is c3's";
  EXPECT_TRUE(succeeded_silently(run_by(Side::kOurs, "DEL", pod("c3"), ours)));
  EXPECT_TRUE(is_gone("2"));
  EXPECT_TRUE(nft_objects_with("cnio_masquerade").empty());
}

std::string swapped_name(const ::testing::TestParamInfo<Swapped>& info) {
  return info.param.plugin + "_" + info.param.backend;
}
INSTANTIATE_TEST_SUITE_P(Backends, Swap,
                         ::testing::Values(Swapped{"bridge", "iptables"}, Swapped{"bridge", "nftables"},
                                           Swapped{"ptp", "iptables"}, Swapped{"ptp", "nftables"}),
                         swapped_name);

class SharedStore : public HostTest {};

TEST_F(SharedStore, GivesNoAddressTwice) {
  PARITY("T81");
  constexpr int kPods = 100;
  const std::string config = host_local_config({"10.1.0.0/25", "fd01::/64"}, "1.0.0").dump();
  std::vector<Child> all;
  for (int number = 0; number < kPods; ++number) {
    Command command = plugin_command({"host-local", "ADD", {"c" + std::to_string(number), "/x", "eth0", ""}, config});
    if (number % 2 == 0) command.argv = {reference_dir() + "/host-local"};
    all.emplace_back(command);
  }
  std::set<std::string> seen;
  for (Child& child : all) {
    const Outcome outcome = child.wait();
    ASSERT_TRUE(succeeded(outcome));
    const Json result = Json::parse(outcome.out);
    for (const Json& ip : result.at("ips")) seen.insert(ip.at("address").get<std::string>());
  }
  EXPECT_EQ(seen.size(), 2U * kPods);
}

}  // namespace
}  // namespace cnio::test
