// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What an IPAM plugin finds when it is called. Those that are known to have no use for the link work while it is made;
// for all others it is there, is up and carries frames.
#include <sstream>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const char* const kAnswer = R"({"cniVersion": "1.1.0",
  "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}, {"address": "fd01::2/64", "gateway": "fd01::1"}]})";

class IpamOrder : public BridgeTest {
 protected:
  /// What a hook has to leave behind.
  static std::string heard(const std::string& file) {
    std::string text = read_file(folder() + "/" + file);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  static std::string folder() { return make_folder("heard"); }

  static Json heard_list(const std::string& file) {
    const std::string text = heard(file);
    return text.empty() ? Json::array() : Json::parse(text);
  }

  /// For a hook: writes down how the ends of c1's pair are. Tried once, whatever it is.
  static std::string note_states() {
    const std::string to = " > " + folder() + "/";
    return "{ ip -n c1 -j link show eth0" + to + "sandbox_end; bridge -j link show" + to + "port; " +
           "nft list chain bridge nat PREROUTING" + to + "spoof_check 2>&1; true; }";
  }
  static Json sandbox_end_state() { return heard_list("sandbox_end").at(0).at("operstate"); }
  static Json port_state() { return heard_list("port").at(0).at("state"); }
};

TEST_F(IpamOrder, OneThatMayUseTheLinkFindsItUpAndForwarding) {
  FAULT("D16 order");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer, .hook = note_states()}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  EXPECT_EQ(sandbox_end_state(), "UP");
  EXPECT_EQ(port_state(), "forwarding");
}

TEST_F(IpamOrder, KnownOnesWorkBeforeTheLinkIsUp) {
  for (const char* type : {"host-local", "static"}) {
    FakeIpam fake(type);
    fake.script("ADD", {{.out = kAnswer, .hook = std::string(kPairStands) + " && " + note_states()}});
    ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config("1.1.0", type), pod()))));
    EXPECT_EQ(sandbox_end_state(), "DOWN") << type;
    EXPECT_EQ(port_state(), "disabled") << type;
    ASSERT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", fake_config("1.1.0", type), pod()))));
  }
}

TEST_F(IpamOrder, TheFirstFrameIsCarried) {
  FAULT("D16 order");
  must_run({"ip", "link", "add", "br0", "up", "type", "bridge"});
  must_run({"ip", "addr", "add", "10.1.0.1/24", "dev", "br0"});
  FakeIpam fake;
  const std::string answered = folder() + "/answered";
  fake.script("ADD", {{.out = kAnswer,
                       .hook = "ip -n c1 addr add 10.1.0.99/24 dev eth0; "
                               "ip netns exec c1 ping -c 1 -W 5 10.1.0.1 && touch " +
                               answered + "; ip -n c1 addr del 10.1.0.99/24 dev eth0"}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  EXPECT_TRUE(std::filesystem::exists(answered));
}

TEST_F(IpamOrder, NoFrameBeforeTheSpoofCheck) {
  FAULT("D16 order");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer, .hook = note_states()}});
  Json config = fake_config();
  config["macspoofchk"] = true;
  const Outcome added = run(with_fake(fake, "ADD", config, pod()));
  ASSERT_TRUE(succeeded(added));
  EXPECT_EQ(port_state(), "forwarding");
  EXPECT_NE(heard("spoof_check").find(host_end(Json::parse(added.out))), std::string::npos) << heard("spoof_check");
}

TEST_F(IpamOrder, SlowOneHoldsNobodyUp) {
  FAULT("D16 order");
  FakeIpam fake;
  const std::string others_are_done = folder() + "/done";
  fake.script("ADD", {{.out = kAnswer, .hook = "test -e " + others_are_done}});
  Json config = fake_config();
  config["isGateway"] = true;
  Child slow(with_fake(fake, "ADD", config, pod("c1")));
  ASSERT_TRUE(happens([&] { return !fake.calls().empty(); })) << "it is at work";
  Json other = bridge_config({"10.1.0.64/26"});
  other["name"] = "other";
  other["isDefaultGateway"] = false;
  other["deleteWhenEmpty"] = true;
  must_add(other, pod("c2"));
  must_del(other, pod("c2"));
  EXPECT_FALSE(find_link("br0").is_null()) << "the slow one's port is in it";
  write_file(others_are_done, "");
  EXPECT_TRUE(succeeded(slow.wait()));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
}

TEST_F(IpamOrder, BridgeThatVanishesIsTheReasonWhyItFails) {
  FAULT("D16 order");
  FakeIpam fake;
  fake.script("ADD", {{.out = R"({"cniVersion": "1.1.0", "code": 100, "msg": "no answer"})",
                       .exit_code = 1,
                       .hook = "ip link del br0"}});
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), pod())), code::kTryAgain,
                     {"bridge br0 was removed", "no answer"}));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"}));
}

TEST_F(IpamOrder, DelOfAllThatIsLeftComesAfterTheLinkButForDhcp) {
  FAULT("D16 order");
  for (const auto& [type, links] : {std::pair("host-local", 0U), std::pair("whereabouts", 0U), std::pair("dhcp", 1U)}) {
    FakeIpam fake(type);
    fake.answer("ADD", Json::parse(kAnswer));
    fake.script("DEL", {{.hook = "ip -n c1 -j link show type veth > " + folder() + "/links"}});
    const Json config = fake_config("1.1.0", type);
    ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod())))) << type;
    ASSERT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod())))) << type;
    EXPECT_EQ(heard_list("links").size(), links) << type;
  }
}

TEST_F(IpamOrder, DelSaysAllThatFailed) {
  FAULT("D16 dhcp");
  FakeIpam fake("dhcp");
  fake.answer("ADD", Json::parse(kAnswer));
  Json config = fake_config("1.1.0", "dhcp");
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod()))));
  fake.fail("DEL", {{"code", code::kKernel}, {"msg", "nobody is there"}});
  Command deleting = with_fake(fake, "DEL", config, pod());
  EXPECT_TRUE(failed(run(deleting), code::kKernel, {"dhcp", "nobody is there"}));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{});
  // By then the configuration does not say any more who has the address: the record still does.
  fake.script("DEL", std::vector<FakeAnswer>{{}});
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", layer2_config(), pod()))));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL", "DEL"}));
}

TEST_F(IpamOrder, DelDoesNotKeepTheLinkForADhcpThatHangs) {
  FAULT("D16 dhcp");
  FakeIpam fake("dhcp");
  fake.answer("ADD", Json::parse(kAnswer));
  fake.script("DEL", {{.hook = "sleep 60"}});  // longer than it is waited for
  const Json config = fake_config("1.1.0", "dhcp");
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod()))));
  EXPECT_TRUE(failed(run(with_fake(fake, "DEL", config, pod())), code::kTryAgain, {"dhcp"}));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{});
}

/// The same host-local under a name that nobody knows: all is as with the known one.
class UnknownName : public IpamOrder {
 protected:
  UnknownName() { std::filesystem::copy_file(plugin_dir() + "/host-local", folder() + "/my-ipam"); }

  static Json config_of(const Json& patch = Json::object()) {
    Json config = dual_stack_config();
    config["ipam"]["type"] = "my-ipam";
    config.merge_patch(patch);
    return config;
  }
  static Outcome call(const std::string& verb, const Json& config) {
    Command command = plugin_command({"bridge", verb, pod(), config.dump()});
    command.env["CNI_PATH"] = folder();
    return run(command);
  }
  static std::vector<std::string> not_usable_yet() {
    std::vector<std::string> found;
    for (const Json& link : ip_json({"addr", "show", "dev", "eth0"}, pod().netns)) {
      for (const Json& address : link.at("addr_info")) {
        if (address.value("tentative", false)) found.push_back(address.at("local").get<std::string>());
      }
    }
    return found;
  }
};

TEST_F(UnknownName, AddressesAreUsableAtOnce) {
  FAULT("D16 order");
  const Outcome added = call("ADD", config_of());
  ASSERT_TRUE(succeeded(added));
  EXPECT_EQ(not_usable_yet(), std::vector<std::string>{});
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
  for (const char* setting : {"accept_dad", "disable_ipv6"})
    EXPECT_EQ(sysctl("net/ipv6/conf/eth0/" + std::string(setting), pod().netns), "0") << setting;
  for (const char* setting : {"keep_addr_on_down", "ndisc_notify"})
    EXPECT_EQ(sysctl("net/ipv6/conf/eth0/" + std::string(setting), pod().netns), "1") << setting;
  const Json config = with_prev_result(config_of(), Json::parse(added.out));
  EXPECT_TRUE(succeeded_silently(call("CHECK", config)));
  EXPECT_TRUE(succeeded_silently(call("DEL", config)));
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_FALSE(store_holds("fd01::2"));
}

TEST_F(UnknownName, Ipv6ThatIsOffInThePodIsSwitchedOnWithoutWaiting) {
  FAULT("D16 order");
  for (const char* which : {"all", "default"})
    set_sysctl("net/ipv6/conf/" + std::string(which) + "/disable_ipv6", "1", pod().netns);
  ASSERT_TRUE(succeeded(call("ADD", config_of())));
  EXPECT_EQ(not_usable_yet(), std::vector<std::string>{});
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
}

TEST_F(UnknownName, DuplicatesAreLookedForIfAsked) {
  FAULT("D16 order");
  ASSERT_TRUE(succeeded(call("ADD", config_of({{"enabledad", true}}))));
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/accept_dad", pod().netns), "1");
  EXPECT_EQ(not_usable_yet(), std::vector<std::string>{}) << "ADD has waited for that";
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
}

}  // namespace
}  // namespace cnio::test
