// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// An ADD that fails at whatever step leaves nothing but perhaps the bridge, and can be repeated at once.
#include <functional>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

/// One way to make ADD fail late, and the code of that failure.
struct Trouble {
  std::string name;
  int code;
  std::vector<std::string> words;
  Json answer;                                    ///< of the IPAM plugin; null: an error of the code and words
  std::function<void(Command&, Json&)> spoil{};   ///< change of the call and of its configuration
  std::vector<std::vector<std::string>> setup{};  ///< commands before, on the host
  std::vector<std::vector<std::string>> repair{};
  std::string hook{};  ///< command that the IPAM plugin runs meanwhile
};

void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }

const Json kGood = Json::parse(R"({"cniVersion": "1.1.0",
  "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}, {"address": "fd01::2/64", "gateway": "fd01::1"}]})");

Json good_with(const std::string& patch) {
  Json answer = kGood;
  answer.merge_patch(Json::parse(patch));
  return answer;
}

/// A folder that holds a program which only complains.
std::string broken_program(const std::string& name) {
  const std::string folder = make_folder("broken");
  write_file(folder + "/" + name, "#!/bin/sh\necho no luck >&2\nexit 4\n");
  std::filesystem::permissions(folder + "/" + name, std::filesystem::perms(0755));
  return folder;
}

const Trouble kTroubles[] = {
    {"IpamFails", code::kNoAddress, {"none left"}, nullptr},
    {"AddressRefused", code::kIpam, {"ff02::5"}, good_with(R"({"ips": [{"address": "10.1.0.2/24"},
     {"address": "ff02::5/64"}]})")},
    {"RouteUnreachable",
     code::kKernel,
     {"10.9.0.0/16"},
     good_with(R"({"routes": [{"dst": "10.8.0.0/16"}, {"dst": "10.9.0.0/16", "gw": "10.200.0.1"}]})")},
    {"Ipv6RouteUnreachable",
     code::kKernel,
     {"fd09::/64"},
     good_with(R"({"routes": [{"dst": "fd09::/64", "gw": "fd77::1"}]})")},
    {"BridgeHasOtherAddress",
     code::kInTheWay,
     {"br0", "10.77.0.1"},
     kGood,
     {},
     {{"ip", "link", "add", "br0", "type", "bridge"}, {"ip", "addr", "add", "10.77.0.1/24", "dev", "br0"}},
     {{"ip", "addr", "del", "10.77.0.1/24", "dev", "br0"}}},
    {"BridgeHasOtherIpv6Address",
     code::kInTheWay,
     {"br0", "fd01::77"},
     kGood,
     {},
     {{"ip", "link", "add", "br0", "type", "bridge"}, {"ip", "addr", "add", "fd01::77/48", "dev", "br0", "nodad"}},
     {{"ip", "addr", "del", "fd01::77/48", "dev", "br0"}}},
    {"MasqueradeProgramFails",
     code::kKernel,
     {"iptables", "no luck"},
     kGood,
     [](Command& command, Json& config) {
       config["ipMasqBackend"] = "iptables";
       command.env["PATH"] = broken_program("iptables") + ":" + command.env["PATH"];
     }},
    {"MasqueradeProgramFailsForTheSecondFamily",
     code::kKernel,
     {"ip6tables", "no luck"},
     kGood,
     [](Command& command, Json& config) {
       config["ipMasqBackend"] = "iptables";
       command.env["PATH"] = broken_program("ip6tables") + ":" + command.env["PATH"];
     }},
    {"MasqueradeInTheWay",
     code::kInTheWay,
     {"masquerad", "attachments4"},
     kGood,
     {},
     {{"nft", "add table inet cnio_masquerade"},
      {"nft", "add map inet cnio_masquerade attachments4 { type ipv4_addr : mark ; }"}},
     {{"nft", "delete table inet cnio_masquerade"}}},
    {"BridgeVanishes", code::kTryAgain, {"bridge br0 was removed"}, kGood, {}, {}, {}, "ip link del br0"},
    {"BridgeVanishesAndNoStepFails",
     code::kTryAgain,
     {"bridge br0 was removed"},
     kGood,
     [](Command&, Json& config) { config["isDefaultGateway"] = false; },
     {},
     {},
     "ip link del br0"},
    {"SandboxEndVanishes",
     code::kKernel,
     {"eth0"},
     kGood,
     {},
     {},
     {},
     std::string(kPairStands) + " && ip -n c1 link del eth0"},
    {"ReaderGone", 0, {}, kGood, [](Command& command, Json&) { command.stdout_broken = true; }},
    {"OutputFull", 0, {}, kGood, [](Command& command, Json&) { command.stdout_path = "/dev/full"; }},
};

/// With an IPAM plugin that works while the link is made, and with one for which it is up.
class AllOrNothing : public BridgeTest, public ::testing::WithParamInterface<std::tuple<Trouble, std::string>> {
 protected:
  AllOrNothing() {
    config_["isDefaultGateway"] = true;
    config_["ipMasq"] = true;
    for (const auto& words : trouble_.setup) must_run(words);
    if (trouble_.answer.is_null()) {
      fake_.fail("ADD", {{"code", trouble_.code}, {"msg", trouble_.words[0]}});
    } else {
      fake_.script("ADD", {{.out = trouble_.answer.dump(), .hook = trouble_.hook}});
    }
  }

  static Snapshot host_state() {
    return Snapshot::of_host().without_device("br0").without_forwarding().without_masquerade_frame();
  }

  /// What belongs to the attachment alone. (iptables leaves the empty frame of its tables by being asked.)
  static std::vector<std::string> leftovers() {
    std::vector<std::string> left;
    for (const char* word : {"\"10.1.0.2\"", "\"fd01::2\"", "CNI-"}) {
      for (const std::string& object : nft_objects_with(word)) left.push_back(object);
    }
    for (const std::string& name : names_on_bridge()) left.push_back(name);
    return left;
  }

  const Trouble trouble_ = std::get<0>(GetParam());
  FakeIpam fake_{std::get<1>(GetParam())};
  Json config_ = fake_config("1.1.0", std::get<1>(GetParam()));
};

INSTANTIATE_TEST_SUITE_P(Table, AllOrNothing,
                         ::testing::Combine(::testing::ValuesIn(kTroubles),
                                            ::testing::Values("host-local", "fake-ipam", "dhcp")),
                         [](const auto& test) {
                           return std::get<0>(test.param).name + "_" + identifier(std::get<1>(test.param));
                         });

TEST_P(AllOrNothing, FailureLeavesNothingAndARetryWorks) {
  PARITY("T64 T39 D14 D15 D16 D17");
  const Snapshot host = host_state();
  const Snapshot sandbox = Snapshot::of(pod().netns);
  Json config = config_;
  Command command = with_fake(fake_, "ADD", config, pod());
  if (trouble_.spoil) trouble_.spoil(command, config);
  command.stdin_text = config.dump();
  const Outcome outcome = run(command);
  if (trouble_.code != 0) {
    EXPECT_TRUE(failed(outcome, trouble_.code, trouble_.words));
  } else {
    EXPECT_EQ(outcome.exit_code, 1);
  }
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
  if (config.value("ipMasqBackend", "") != "iptables") {
    EXPECT_TRUE(same(host, host_state()));
  }
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod().netns)));
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "DEL"})) << "the reservation is given back";

  for (const auto& words : trouble_.repair) must_run(words);
  fake_.answer("ADD", kGood);
  EXPECT_TRUE(succeeded(run(with_fake(fake_, "ADD", config_, pod()))));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake_, "DEL", config_, pod()))));
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

TEST_F(BridgeTest, FailedAddNeverHurtsALivingAttachment) {
  PARITY("T64 D14");
  Json config = dual_stack_config();
  config["ipMasq"] = true;
  must_add(config, pod());
  const Snapshot host = Snapshot::of_host();
  const Snapshot sandbox = Snapshot::of(pod().netns);
  EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"eth0"}));
  EXPECT_TRUE(same(host, Snapshot::of_host()));
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod().netns)));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
}

TEST_F(BridgeTest, FailedAddOfLoopbackLeavesLoDown) {
  PARITY("T64");
  const Attachment attachment = pod();
  must_run({"ip", "addr", "add", "10.9.9.9/32", "dev", "lo"}, attachment.netns);
  const Snapshot before = Snapshot::of(attachment.netns);
  EXPECT_TRUE(failed(add(loopback_config(), attachment), code::kInTheWay, {"10.9.9.9"}));
  EXPECT_TRUE(same(before, Snapshot::of(attachment.netns)));
}

TEST_F(BridgeTest, FailedOutputOfHostLocalFreesTheAddress) {
  PARITY("T64 D17");
  Command command = plugin_command({"host-local", "ADD", pod(), host_local_config().dump()});
  command.stdout_path = "/dev/full";
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_FALSE(store_holds("10.1.0.2", "store"));
}

}  // namespace
}  // namespace cnio::test
