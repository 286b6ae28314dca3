// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD, DEL, CHECK, STATUS and GC of portmap's own table.
#include "plugin/portmap_fixture.hpp"

namespace cnio::test {
namespace {

using Portmap = PortmapOfAnyBackend;
INSTANTIATE_TEST_SUITE_P(Backends, Portmap, kPortmapBackends, name_of_backend);
using PortmapNftables = PortmapTest;

TEST_P(Portmap, ResultIsWhatTheChainHasMade) {
  PARITY("T-P17");
  const Attachment c1 = make_pod();
  EXPECT_EQ(must_add(config(c1, {mapping(8080, 80)}), c1), result_of(c1));
  EXPECT_TRUE(succeeded_silently(check(config(c1, {mapping(8080, 80)}), c1)));
}

TEST_P(Portmap, NeedsNoProgramUnlessItIsAskedFor) {
  PARITY("T-P12 P21 P22");
  const Attachment c1 = make_pod();
  const Json ports = config(c1, {mapping(8080, 80)});
  const bool asked = GetParam() == "iptables";
  for (const char* verb : {"ADD", "CHECK", "STATUS", "DEL"}) {
    Command command = plugin_command({"portmap", verb, c1, ports.dump()});
    command.env["PATH"] = "";
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, asked && std::string(verb) != "DEL" ? 1 : 0) << verb << outcome.out;
  }
}

TEST_P(Portmap, EverySpecificationVersionIsSpoken) {
  PARITY("T-P17");
  for (const std::string& version : kAllVersions) {
    Json chained = chained_config("portmap", version);
    chained["runtimeConfig"]["portMappings"] = Json::array({mapping(8080, 80)});
    EXPECT_TRUE(succeeded(add(chained, pod()))) << version;
    EXPECT_TRUE(has_rules("8080"));
    EXPECT_TRUE(succeeded_silently(del(chained, pod()))) << version;
    EXPECT_FALSE(has_rules("8080"));
  }
}

TEST_P(Portmap, NothingIsChangedWithoutPorts) {
  PARITY("T-P40");
  const Attachment c1 = make_pod();
  const auto before = nft_objects();
  EXPECT_EQ(must_add(config(c1, {}), c1), result_of(c1));
  EXPECT_TRUE(succeeded_silently(check(config(c1, {}), c1)));
  must_del(config(c1, {}), c1);
  EXPECT_EQ(nft_objects(), before);
}

TEST_P(Portmap, DeleteNeedsNothingButTheNames) {
  PARITY("T-P15 T-P26 T-P27 P2");
  const Attachment c1 = make_pod();
  const Json good = config(c1, {mapping(8080, 80)});
  std::vector<Json> broken(6, good);
  broken[0]["runtimeConfig"]["portMappings"] = Json::array();
  broken[1].erase("runtimeConfig");
  broken[2]["runtimeConfig"]["portMappings"] = Json::array({mapping(0, 0, "")});
  broken[3]["prevResult"] = {{"ips", 3}};
  broken[4]["backend"] = "foo";
  broken[5]["runtimeConfig"] = 7;
  for (const Json& each : broken) {
    must_add(good, c1);
    ASSERT_TRUE(has_rules("8080"));
    EXPECT_TRUE(succeeded_silently(del(each, c1))) << each.dump();
    EXPECT_FALSE(has_rules("8080")) << each.dump();
    EXPECT_TRUE(succeeded_silently(del(each, c1))) << "again";
  }
  must_add(good, c1);
  Attachment gone = c1;
  gone.netns = "";
  EXPECT_TRUE(succeeded_silently(del(good, gone)));
  EXPECT_FALSE(has_rules("8080"));
}

TEST_P(Portmap, WhatIsLeftIsTheSameHoweverOften) {
  PARITY("T-P26");
  const Attachment c1 = make_pod();
  const Json ports = config(c1, {mapping(8080, 80), mapping(8080, 80, "udp", "192.0.2.1")});
  must_add(ports, c1);
  must_del(ports, c1);
  const auto frame = nft_objects();
  for (int turn = 0; turn < 3; ++turn) {
    must_add(ports, c1);
    must_del(ports, c1);
  }
  EXPECT_EQ(nft_objects(), frame);
}

TEST_P(Portmap, AddReplacesWhatWasThere) {
  PARITY("T-P25 P11");
  const Attachment c1 = make_pod();
  must_add(config(c1, {mapping(8080, 80), mapping(8443, 443)}), c1);
  const auto once = nft_objects();
  must_add(config(c1, {mapping(8080, 80), mapping(8443, 443)}), c1);
  EXPECT_EQ(nft_objects().size(), once.size());
  must_add(config(c1, {mapping(8081, 80)}), c1);
  EXPECT_FALSE(has_rules("8080"));
  EXPECT_FALSE(has_rules("8443"));
  EXPECT_TRUE(has_rules("8081"));
  must_add(config(c1, {}), c1);
  EXPECT_FALSE(has_rules("8081"));
}

TEST_P(Portmap, TakenPortsAreRefusedAndTheHolderIsNamed) {
  PARITY("T-P23 P7");
  const Attachment c1 = make_pod("c1");
  const Attachment c2 = make_pod("c2");
  must_add(config(c1, {mapping(8080, 80)}), c1);
  const auto before = nft_objects();
  EXPECT_TRUE(
      failed(add(config(c2, {mapping(8081, 80), mapping(8080, 80)}), c2), code::kInTheWay, {"8080", "net/c1/eth0"}));
  EXPECT_EQ(nft_objects(), before) << "nothing of c2 is left, not 8081 either";
  EXPECT_TRUE(succeeded(add(config(c2, {mapping(8080, 80, "udp")}), c2)));
  must_del(config(c1, {}), c1);
  EXPECT_TRUE(succeeded(add(config(c2, {mapping(8080, 80)}), c2)));
}

TEST_P(Portmap, AFailedAddLeavesTheAttachmentsOtherPorts) {
  const Attachment c1 = make_pod("c1");
  const Attachment c2 = make_pod("c2");
  must_add(config(c1, {mapping(8080, 80)}), c1);
  must_add(config(c2, {mapping(9090, 90)}), c2);
  const auto before = nft_objects();
  EXPECT_TRUE(failed(add(config(c2, {mapping(8080, 80)}), c2), code::kInTheWay));
  EXPECT_EQ(nft_objects(), before);
}

TEST_F(PortmapNftables, TwoAddressesOfTheHostAreTwoPorts) {
  PARITY("T-P23 T-P24 P7");
  const Attachment c1 = make_pod("c1");
  const Attachment c2 = make_pod("c2");
  const Attachment c3 = make_pod("c3");
  const Mirror on_c1(c1.netns, Talk::kTcp, 1);
  const Mirror on_c2(c2.netns, Talk::kTcp, 2);
  const Mirror on_c3(c3.netns, Talk::kTcp, 3);
  must_run({"ip", "addr", "add", "192.0.2.9/24", "dev", "uplink"});
  must_run({"ip", "addr", "add", "192.0.2.10/24", "dev", "uplink"});
  must_add(config(c1, {mapping(8080, 1)}), c1);
  must_add(config(c2, {mapping(8080, 2, "tcp", "192.0.2.9")}), c2);
  must_add(config(c3, {mapping(8080, 3, "tcp", "192.0.2.10")}), c3);
  for (const char* address : {"192.0.2.1", "192.0.2.9", "192.0.2.10"}) EXPECT_EQ(tcp(outside(), address), "192.0.2.2");
  must_del(config(c2, {}), c2);
  EXPECT_EQ(tcp(outside(), "192.0.2.9"), "192.0.2.2") << "the pod of all addresses has it now";
}

TEST_P(Portmap, AnAddressThatWentToANewPodTakesItsPortsAlong) {
  PARITY("T-P23 P32");
  const Attachment old = make_pod("old");
  must_add(config(old, {mapping(8080, 80)}), old);
  // The old pod went without DEL; its address was given again.
  Json reused = config(old, {mapping(8080, 80)});
  must_add(reused, pod("young"));
  EXPECT_FALSE(has_rules("net/old/eth0"));
  must_del(reused, old);
  EXPECT_TRUE(has_rules("net/young/eth0")) << "the late DEL of the former holder";
  EXPECT_TRUE(succeeded_silently(check(reused, pod("young"))));
}

TEST_P(Portmap, NamesThatRunTogetherAreKeptApart) {
  PARITY("T-P29 P4");
  const Attachment c1 = make_pod("bc");
  Json one = config(c1, {mapping(8080, 80)});
  one["name"] = "a";
  must_add(one, c1);
  for (const auto& [network, id, ifname] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"ab", "c", "eth0"}, {"a", "bc", "eth1"}, {"net", "bc", "eth0"}}) {
    Json other = one;
    other["name"] = network;
    must_del(other, Attachment{id, "", ifname, ""});
    EXPECT_TRUE(has_rules("8080")) << network << id << ifname;
  }
  must_del(one, c1);
  EXPECT_FALSE(has_rules("8080"));
}

TEST_P(Portmap, LongNamesWork) {
  PARITY("T-P30");
  const Attachment c1 = make_pod();
  const Attachment longer{std::string(300, 'x'), c1.netns, "eth0", ""};
  const Json ports = config(c1, {mapping(8080, 80)});
  must_add(ports, longer);
  EXPECT_TRUE(succeeded_silently(check(ports, longer)));
  must_del(ports, Attachment{std::string(299, 'x'), c1.netns, "eth0", ""});
  EXPECT_TRUE(has_rules("8080"));
  must_del(ports, longer);
  EXPECT_FALSE(has_rules("8080"));
}

TEST_P(Portmap, WithoutAnAddressItSaysSo) {
  PARITY("P16");
  const Attachment c1 = make_pod();
  Json ports = config(c1, {mapping(8080, 80)});
  const Attachment other{"c1", c1.netns, "eth9", ""};
  const Outcome outcome = add(ports, other);
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_NE(outcome.err.find("no port is mapped"), std::string::npos) << outcome.err;
  EXPECT_FALSE(has_rules("8080"));
}

// What is left of the one that had the address goes.
TEST_F(PortmapNftables, WhoeverHadTheAddressIsNotInTheWay) {
  const Attachment c1 = make_pod();
  must_add(config(c1, {mapping(8080, 80)}), c1);
  int number = 0;
  for (const char* address : {"10.1.0.2/16", "10.1.0.2/25", "10.1.0.2/32"}) {
    for (const bool all : {false, true}) {
      Json next = config(c1, {mapping(8081, 80)});
      next["prevResult"]["ips"][0]["address"] = address;
      next["masqAll"] = all;
      const Attachment heir = {"heir" + std::to_string(++number), c1.netns, c1.ifname, ""};
      must_add(next, heir);
      EXPECT_TRUE(succeeded_silently(check(next, heir))) << address;
      EXPECT_FALSE(has_rules("net/c1")) << address;
      must_add(config(c1, {mapping(8080, 80)}), c1);
      EXPECT_FALSE(has_rules("net/heir")) << address;
    }
  }
  must_del(config(c1, {}), c1);
  EXPECT_FALSE(has_rules("net/"));
}

// Or whoever saves all rules could not restore them. What all share then has the same effect in other steps, until the
// next ADD writes it anew.
TEST_F(PortmapNftables, NftUnderstandsWhatItLists) {
  const Attachment c1 = make_pod();
  for (const bool all : {false, true}) {
    Json ports = config(c1, {mapping(8080, 80), mapping(9090, 90, "tcp", "192.0.2.1")});
    ports["masqAll"] = all;
    must_add(ports, c1);
    must_run({"sh", "-c", "nft list ruleset >rules && nft flush ruleset && nft -f rules; s=$?; rm rules; exit $s"});
    Json next = config(c1, {mapping(8081, 80)});
    next["prevResult"]["ips"][0]["address"] = "10.1.0.7/20";
    next["prevResult"]["ips"].erase(1);
    const Attachment c2 = {"c2", c1.netns, c1.ifname, ""};
    must_add(next, c2);
    EXPECT_TRUE(succeeded_silently(check(ports, c1)));
    EXPECT_TRUE(succeeded_silently(check(next, c2)));
    must_del(next, c2);
  }
}

TEST_F(PortmapNftables, CheckSeesEachThingThatIsChanged) {
  PARITY("T-P32 P19");
  const Attachment c1 = make_pod();
  const Json ports = config(c1, {mapping(8080, 80), mapping(9090, 90, "tcp", "192.0.2.1")});
  const std::vector<std::vector<std::string>> damages = {
      {"flush", "chain", "inet", "cnio_portmap", "prerouting"},
      {"flush", "chain", "inet", "cnio_portmap", "output"},
      {"flush", "chain", "inet", "cnio_portmap", "postrouting"},
      {"flush", "chain", "inet", "cnio_portmap", "guard"},
      {"flush", "chain", "inet", "cnio_portmap", "lead6"},
      {"delete", "element", "inet", "cnio_portmap", "ports4", "{ tcp . 8080 }"},
      {"delete", "element", "inet", "cnio_portmap", "hosts4", "{ 192.0.2.1 . tcp . 9090 }"},
      {"flush", "set", "inet", "cnio_portmap", "from6_64"},
      {"add", "table", "inet", "cnio_portmap", "{ flags dormant; }"},
      {"delete", "table", "inet", "cnio_portmap"},
  };
  for (std::vector<std::string> damage : damages) {
    must_add(ports, c1);
    ASSERT_TRUE(succeeded_silently(check(ports, c1)));
    damage.insert(damage.begin(), "nft");
    must_run(damage);
    const std::string state = must_run({"nft", "list", "ruleset"});  // of a dormant table nft 1.0.6 writes no JSON
    EXPECT_TRUE(failed(check(ports, c1), code::kCheck)) << damage.back();
    EXPECT_EQ(must_run({"nft", "list", "ruleset"}), state) << "CHECK changes nothing";
    if (damage[1] == "add") must_run({"nft", "add", "table", "inet", "cnio_portmap"});
    must_add(ports, c1);
    EXPECT_TRUE(succeeded_silently(check(ports, c1))) << "ADD mends it: " << damage.back();
  }
  set_sysctl("net/ipv4/conf/br0/route_localnet", "0");
  EXPECT_TRUE(failed(check(ports, c1), code::kCheck, {"route_localnet"}));
  EXPECT_TRUE(failed(check(config(c1, {mapping(8081, 80)}), c1), code::kCheck));
}

TEST_F(PortmapNftables, DeleteCopesWithWhatSomebodyHasChanged) {
  const Attachment c1 = make_pod();
  const Json ports = config(c1, {mapping(8080, 80), mapping(9090, 90)});
  must_add(ports, c1);
  must_run({"nft", "delete", "element", "inet", "cnio_portmap", "ports4", "{ tcp . 8080 }"});
  must_del(ports, c1);
  EXPECT_FALSE(has_rules("net/c1"));
  must_add(ports, c1);
  must_run({"nft", "delete", "table", "inet", "cnio_portmap"});
  must_del(ports, c1);
}

// What nobody of ours has put there is not taken over.
TEST_F(PortmapNftables, APortOfSomebodyUnknownIsRefused) {
  const Attachment c1 = make_pod();
  const Json ports = config(c1, {mapping(8080, 80)});
  must_add(ports, c1);
  must_del(ports, c1);
  must_run({"nft", "add", "element", "inet", "cnio_portmap", "ports4", "{ tcp . 8080 : 10.9.9.9 . 80 }"});
  EXPECT_TRUE(failed(add(ports, c1), code::kInTheWay, {"8080", "somebody unknown"}));
}

TEST_P(Portmap, WhoListensAtThePortAlreadyIsNamed) {
  PARITY("P7");
  const Attachment c1 = make_pod();
  const Mirror at_all("", Talk::kTcp, 8080);
  const Mirror of_udp("", Talk::kUdp, 8081);
  Outcome outcome = add(config(c1, {mapping(8080, 80), mapping(8081, 80), mapping(8081, 80, "udp")}), c1);
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_NE(outcome.err.find("tcp port 8080"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("udp port 8081"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("tcp port 8081"), std::string::npos) << outcome.err;
  outcome = add(config(c1, {mapping(9090, 80)}), c1);
  EXPECT_TRUE(outcome.err.empty()) << outcome.err;
}

TEST_F(PortmapNftables, DeleteRemovesWhatTheReferenceHasMade) {
  PARITY("T-P28 T-P31 P3");
  const Attachment c1 = make_pod();
  Json ports = config(c1, {mapping(8080, 80), mapping(8081, 80, "udp", "192.0.2.1")});
  Command by_reference = plugin_command({"portmap", "ADD", c1, ports.dump()});
  by_reference.argv = {reference_dir() + "/portmap"};
  ASSERT_TRUE(succeeded(run(by_reference)));
  ASSERT_TRUE(has_rules("8080"));
  must_del(ports, c1);
  EXPECT_FALSE(has_rules("8080"));
  EXPECT_FALSE(has_rules("8081"));
  EXPECT_FALSE(has_rules("10.1.0.2"));
  must_del(ports, c1);
}

TEST_P(Portmap, GarbageIsWhatIsNotListed) {
  PARITY("T-P33 P1");
  const Attachment c1 = make_pod("c1");
  const Attachment c2 = make_pod("c2");
  const Attachment c3 = make_pod("c3");
  must_add(config(c1, {mapping(8081, 80)}), c1);
  must_add(config(c2, {mapping(8082, 80)}), c2);
  Json other = config(c3, {mapping(8083, 80)});
  other["name"] = "other";
  must_add(other, c3);
  Json gc_config = config(c1, {});
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(gc_config, {{"c1", "eth0"}}))));
  EXPECT_TRUE(has_rules("8081"));
  EXPECT_FALSE(has_rules("8082"));
  EXPECT_TRUE(has_rules("8083")) << "another network's";
  EXPECT_TRUE(failed(gc(gc_config), code::kConfig)) << "nobody says which are valid";
  EXPECT_TRUE(has_rules("8081"));
}

TEST_P(Portmap, StatusTriesTheRulesAndChangesNothing) {
  PARITY("T-P34");
  const Json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "portmap"}};
  const auto before = nft_objects();
  EXPECT_TRUE(succeeded_silently(status(config)));
  EXPECT_EQ(nft_objects(), before);
  Command unprivileged = plugin_command({"portmap", "STATUS", {}, config.dump()});
  unprivileged.argv.insert(unprivileged.argv.begin(), {"/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all",
                                                       "--reuid=65534", "--clear-groups"});
  EXPECT_TRUE(failed(run(unprivileged), code::kUnavailable));
}

TEST_F(PortmapNftables, ManyAtOnceOnAFreshHost) {
  PARITY("T-P35 P18");
  constexpr int kPods = 32;
  const Attachment c1 = make_pod();
  add_at_once(c1, kPods);
  EXPECT_EQ(nft_objects_with("\"lead4\"").size(), 1 + 4 + 2U) << "the chain, its rules, and those that lead to it";
  for (int number = 0; number < kPods; ++number) EXPECT_TRUE(has_rules(std::to_string(8000 + number)));
  delete_at_once(c1, kPods);
  EXPECT_FALSE(has_rules("net/p"));
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "0");
}

TEST_F(PortmapNftables, ARangeOfPortsIsRemovedAsAWhole) {
  const Attachment c1 = make_pod();
  Json many = mapping(20000, 10000);
  many["range"] = 300;
  must_add(config(c1, {many}), c1);
  EXPECT_TRUE(has_rules("20299"));
  EXPECT_FALSE(has_rules("20300"));
  EXPECT_TRUE(succeeded_silently(check(config(c1, {many}), c1)));
  must_del(config(c1, {}), c1);
  EXPECT_FALSE(has_rules("net/c1"));
}

}  // namespace
}  // namespace cnio::test
