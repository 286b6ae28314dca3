// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// REPAIR, which is `cnioctl resync`'s: what the host has lost under a pod that lives comes back, as CHECK judges it,
// and the pod is not touched.
#include "plugin/attachment_fixture.hpp"
#include "support/talk.hpp"

namespace cnio::test {
namespace {

class Repair : public AttachmentTest {
 protected:
  static constexpr char kVerb[] = "CNIO_REPAIR";

  static Outcome repair(const Json& config, const Json& result, const Attachment& attachment) {
    return run(plugin_command(
        {config.at("type").get<std::string>(), kVerb, attachment, with_prev_result(config, result).dump()}));
  }
  /// What was wrong, by the answer; the answer as it is if it is another.
  static std::string repaired(const Json& config, const Json& result, const Attachment& attachment) {
    const Outcome outcome = repair(config, result, attachment);
    if (outcome.exit_code != 0) return describe(outcome);
    return Json::parse(outcome.out).at("repaired").get<std::string>();
  }
  static void expect_well(const Json& config, const Json& result, const Attachment& attachment) {
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), attachment)));
  }
  /// The pod's MAC address, addresses and routes.
  static std::string inside(const Attachment& attachment) {
    const std::string& netns = attachment.netns;
    return find_link("eth0", netns).at("address").dump() + ::testing::PrintToString(address_texts("eth0", netns)) +
           ip_json({"route"}, netns).dump() + ip_json({"-6", "route"}, netns).dump();
  }
  static Json full_ptp() {
    Json config = ptp_config();
    config["ipMasq"] = true;
    return config;
  }
};

TEST_F(Repair, OfWhatIsWellDoesNothing) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  const std::string rules = must_run({"nft", "-a", "-s", "list", "ruleset"});
  EXPECT_EQ(repaired(config, result, pod()), "");
  EXPECT_EQ(must_run({"nft", "-a", "-s", "list", "ruleset"}), rules);
}

TEST_F(Repair, AfterAFlushOfTheRules) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  const std::string before = inside(pod());
  must_run({"nft", "flush", "ruleset"});
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
  EXPECT_EQ(inside(pod()), before);
}

TEST_F(Repair, OfADeletedBridge) {
  Json config = full_config();
  config["hairpinMode"] = true;
  config["portIsolation"] = true;
  const Json first = must_add(config, pod("c1"));
  const Json second = must_add(config, pod("c2"));
  const std::string before = inside(pod("c1"));
  must_run({"ip", "link", "delete", "br0"});
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_NE(repaired(config, first, pod("c1")), "");
  EXPECT_NE(repaired(config, second, pod("c2")), "");
  expect_well(config, first, pod("c1"));
  expect_well(config, second, pod("c2"));
  EXPECT_EQ(inside(pod("c1")), before);
  EXPECT_EQ(names_on_bridge().size(), 2U);
}

TEST_F(Repair, OfAPortThatWasTakenOut) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_run({"ip", "link", "set", host_end(result), "nomaster"});
  must_run({"ip", "link", "set", host_end(result), "down"});
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
}

TEST_F(Repair, GivesABridgeThatOthersMadeItsMacAddressAgain) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_run({"ip", "link", "delete", "br0"});
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
}

// The bridge of a later pod has a MAC address of its own, and that pod relies on it.
TEST_F(Repair, TellsAPodTheMacAddressOfAnotherBridge) {
  Json config = full_config();
  config["isGateway"] = true;
  const Json first = must_add(config, pod("c1"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
  must_run({"ip", "link", "delete", "br0"});
  const Json second = must_add(config, pod("c2"));
  EXPECT_TRUE(failed(repair(config, first, pod("c1")), code::kCheck, {"MAC address"}));
  EXPECT_EQ(neighbour_mac("10.1.0.1", "eth0", pod("c1").netns), find_link("br0").at("address"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
  expect_well(config, second, pod("c2"));
}

TEST_F(Repair, OfBothFamilies) {
  Json config = full_config();
  config["ipam"] = host_local_ipam({"10.1.0.0/24", "fd00:1::/64"});
  const Json result = must_add(config, pod());
  must_run({"ip", "link", "delete", "br0"});
  must_run({"nft", "flush", "ruleset"});
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
}

TEST_F(Repair, OfPtp) {
  const Json config = full_ptp();
  const Json result = must_add(config, pod());
  const std::string before = inside(pod());
  const std::string end = result.at("interfaces").at(0).at("name").get<std::string>();
  must_run({"nft", "flush", "ruleset"});
  must_run({"ip", "address", "flush", "dev", end});
  must_run({"ip", "link", "set", end, "down"});
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
  EXPECT_EQ(inside(pod()), before);
  must_run({"ip", "route", "delete", "10.1.0.2"});
  EXPECT_NE(repaired(config, result, pod()), "");
  expect_well(config, result, pod());
}

TEST_F(Repair, OfAPtpWhoseHostEndSomebodyHasTurnedToOtherUse) {
  const Json config = full_ptp();
  const Json result = must_add(config, pod());
  const std::string end = result.at("interfaces").at(0).at("name").get<std::string>();
  must_run({"ip", "link", "add", "br9", "type", "bridge"});
  for (const std::vector<std::string>& damage :
       {std::vector<std::string>{"ip", "link", "set", end, "master", "br9"},
        {"ip", "route", "replace", "10.1.0.2", "via", "10.99.9.9", "dev", end, "onlink"},
        {"sysctl", "-qw", "net.ipv4.conf." + end + ".forwarding=0"},
        {"sysctl", "-qw", "net.ipv6.conf." + end + ".accept_ra=2"}}) {
    must_run(damage);
    EXPECT_NE(repaired(config, result, pod()), "") << damage.back();
    expect_well(config, result, pod());
    EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  }
}

TEST_F(Repair, DoesNotLetAPodSendUnderAnotherMacAddress) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_run({"ip", "link", "set", "eth0", "address", "02:00:00:00:00:77"}, pod().netns);
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(failed(repair(config, result, pod()), code::kCheck, {"MAC address", "02:00:00:00:00:77"}));
  EXPECT_FALSE(nft_objects_with(mac_of(result)).empty());
  EXPECT_TRUE(nft_objects_with("02:00:00:00:00:77").empty());
}

TEST_F(Repair, CannotMakeTheCableAnew) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_run({"ip", "link", "delete", host_end(result)});
  EXPECT_TRUE(failed(repair(config, result, pod()), code::kInTheWay, {"is gone", "make the pod anew"}));
}

TEST_F(Repair, LeavesTheCableOfAnotherAlone) {
  const Json config = full_config();
  const Json result = must_add(config, pod("c1"));
  must_run({"ip", "link", "delete", host_end(result)});
  must_run({"ip", "link", "add", "mine", "type", "veth", "peer", "name", "eth0", "netns", "c1"});
  EXPECT_TRUE(failed(repair(config, result, pod("c1")), code::kInTheWay, {"not this attachment's"}));
  EXPECT_TRUE(names_on_bridge().empty());
}

TEST_F(Repair, NeedsPrevResult) {
  const Json config = full_config();
  must_add(config, pod());
  const Outcome outcome = run(plugin_command({"bridge", kVerb, pod(), config.dump()}));
  EXPECT_TRUE(failed(outcome, code::kConfig, {"prevResult"}));
}

TEST_F(Repair, OfAPluginThatHasNothingOnTheHostDoesNothing) {
  const Json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "loopback"}};
  EXPECT_EQ(repaired(config, Json::object(), pod()), "");
}

TEST_F(Repair, OfPortMapsAndTheFirewall) {
  const Json config = full_config();
  const Json result = must_add(config, pod());
  Json portmap = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "portmap"}};
  portmap["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}};
  Json firewall = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "firewall"}, {"ingressPolicy", "same-bridge"}};
  for (const char* backend : {"", "nftables"}) {
    for (Json chained : {portmap, firewall}) {
      if (*backend != '\0') chained["backend"] = backend;
      must_add(with_prev_result(chained, result), pod());
      EXPECT_EQ(repaired(chained, result, pod()), "") << chained.dump();
      must_run({"nft", "flush", "ruleset"});
      EXPECT_NE(repaired(chained, result, pod()), "") << chained.dump();
      expect_well(chained, result, pod());
      EXPECT_TRUE(succeeded(del(with_prev_result(chained, result), pod())));
    }
  }
}

}  // namespace
}  // namespace cnio::test
