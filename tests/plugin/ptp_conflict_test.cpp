// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD of ptp where something is in the way: of the pod's addresses, of its routes, of its interface. What the host's
// settings say is in ptp_host_test.cpp.
#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---- addresses

/// A route of the host to the pod's address, or that address itself.
struct Holder {
  std::string name;
  std::string commands;  ///< of a shell
  std::string link;      ///< named in the error; empty: it gives way
};
void PrintTo(const Holder& holder, std::ostream* out) { *out << holder.name; }

class PtpAddress : public PtpTest, public ::testing::WithParamInterface<Holder> {
 protected:
  /// Has the host no such address, or its routes, too? The kernel adds those of IPv6 a moment after the address, the
  /// one that makes it local last.
  static bool is_settled(const std::string& cidr) {
    const std::string address = cidr.substr(0, cidr.find('/'));
    const bool is_six = address.find(':') != std::string::npos;
    return must_run({"ip", "-oneline", "addr", "show", "to", address}).empty() ||
           !must_run({"ip", is_six ? "-6" : "-4", "route", "show", "table", "local", address}).empty();
  }
};
INSTANTIATE_TEST_SUITE_P(
    Table, PtpAddress,
    ::testing::Values(
        Holder{"OfTheHost", "ip addr add $A dev lo", "lo"},
        Holder{"OfABridge", "ip link add br7 type bridge; ip addr add $A dev br7 $NODAD; ip link set br7 up", "br7"},
        Holder{
            "BehindACable",
            "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up; ip route add $A dev up0",
            "up0"},
        // Like tunnels, it never says whether it is operational.
        Holder{"BehindALoopback", "ip route add $A dev lo", "lo"},
        Holder{"BehindARouter",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
               "ip addr add $NET dev up0 $NODAD; ip route add $A via $VIA",
               "up0"},
        Holder{"OnSeveralPaths",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
               "ip link add up2 type veth peer name up3; ip link set up2 up; ip link set up3 up;"
               "$IP route add $A nexthop via $HOP dev up0 onlink nexthop via $HOP dev up2 onlink",
               "up0"},
        Holder{"OnSeveralPathsOfWhichOneWorks",
               "ip link add up0 type veth peer name up1; ip link set up0 up;"
               "ip link add up2 type veth peer name up3; ip link set up2 up; ip link set up3 up;"
               "$IP route add $A nexthop via $HOP dev up0 onlink nexthop via $HOP dev up2 onlink",
               "up2"},
        Holder{"BehindADeadCableAndALiveOne",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip route add $A dev up0 metric 1;"
               "ip link add up2 type veth peer name up3; ip link set up2 up; ip link set up3 up;"
               "ip route add $A dev up2 metric 1024",
               "up2"},
        Holder{"BehindADeadCable",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip route add $A dev up0", ""},
        Holder{"BehindADeadCableWithABetterMetric",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip route add $A dev up0 metric 1", ""},
        Holder{"OnSeveralDeadPaths",
               "ip link add up0 type veth peer name up1; ip link set up0 up;"
               "ip link add up2 type veth peer name up3; ip link set up2 up;"
               "$IP route add $A nexthop via $HOP dev up0 onlink nexthop via $HOP dev up2 onlink",
               ""},
        Holder{"OfARuleBehindADeadCable",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip route add $A dev up0 table 100;"
               "$IP rule add pref 10 lookup 100",
               ""},
        Holder{"InAWiderNetwork",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up; ip route add $WIDE "
               "dev up0",
               ""},
        Holder{"InANetworkOfTheHost",
               "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
               "ip addr add $NEAR dev up0 $NODAD",
               ""}),
    [](const auto& test) { return test.param.name; });

TEST_P(PtpAddress, IsRefusedIfALiveLinkLeadsToIt) {
  PARITY("T-M17 M11");
  using Words = std::map<std::string, std::string>;
  for (const auto& [subnet, words] : {std::pair("10.1.0.0/24", Words{{"A", "10.1.0.2/32"},
                                                                     {"NODAD", ""},
                                                                     {"NET", "10.7.0.1/24"},
                                                                     {"VIA", "10.7.0.9"},
                                                                     {"WIDE", "10.1.0.0/30"},
                                                                     {"IP", "ip -4"},
                                                                     {"HOP", "10.7.0.9"},
                                                                     {"NEAR", "10.1.0.77/24"}}),
                                      std::pair("fd01::/64", Words{{"A", "fd01::2/128"},
                                                                   {"NODAD", "nodad"},
                                                                   {"NET", "fd07::1/64"},
                                                                   {"VIA", "fd07::9"},
                                                                   {"WIDE", "fd01::/120"},
                                                                   {"IP", "ip -6"},
                                                                   {"HOP", "fe80::9"},
                                                                   {"NEAR", "fd01::77/64"}})}) {
    Command scene{.argv = {"sh", "-ec", GetParam().commands}};
    scene.env.insert(words.begin(), words.end());
    const Outcome made = run(scene);
    ASSERT_EQ(made.exit_code, 0) << describe(made);
    for (const char* word : {"A", "NET", "NEAR"})
      ASSERT_TRUE(happens([cidr = words.at(word)] { return is_settled(cidr); }));
    const Snapshot before = state();
    const Json config = ptp_config({subnet});
    const Outcome added = add(config, pod());
    const std::string address = words.at("A").substr(0, words.at("A").find('/'));
    if (GetParam().link.empty()) {
      ASSERT_TRUE(succeeded(added));
      EXPECT_TRUE(ping("", address));
      EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, Json::parse(added.out)), pod())));
      must_del(config, pod());
    } else {
      EXPECT_TRUE(failed(added, code::kInTheWay, {address, "interface " + GetParam().link}));
      EXPECT_TRUE(same(before, state()));
      EXPECT_THAT(link_names(pod().netns), IsEmpty());
      EXPECT_FALSE(store_holds(address));
      EXPECT_EQ(records(), 0U);
    }
    for (const char* link : {"up0", "up2", "br7"}) run(Command{.argv = {"ip", "link", "del", link}});
    run(Command{.argv = {"ip", "addr", "del", words.at("A"), "dev", "lo"}});
  }
}

class PtpConflict : public PtpTest {};

// Somebody wants it: no link's state tells that it is left over.
TEST_F(PtpConflict, ABarrierThatComesFirstIsRefused) {
  PARITY("T-M17 M11");
  Json config = dual_ptp_config();
  config["ipam"]["ranges"] = one_address_ranges("2");
  for (const char* kind : {"unreachable", "blackhole", "prohibit"}) {
    must_run({"ip", "-6", "route", "add", kind, "fd01::2", "metric", "1"});
    const Snapshot before = state();
    EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"fd01::2", "another route"})) << kind;
    EXPECT_TRUE(same(before, state()));
    EXPECT_FALSE(store_holds("fd01::2"));
    must_run({"ip", "-6", "route", "del", kind, "fd01::2", "metric", "1"});
  }
  for (const char* kind : {"unreachable", "blackhole", "prohibit"}) {  // of the same rank as the pod's
    must_run({"ip", "route", "add", kind, "10.1.0.2"});
    const Snapshot before = state();
    EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"10.1.0.2", "another route"})) << kind;
    EXPECT_TRUE(same(before, state()));
    must_run({"ip", "route", "del", kind, "10.1.0.2"});
  }
  must_run({"ip", "rule", "add", "pref", "10", "lookup", "100"});
  for (const char* kind : {"unreachable", "blackhole", "prohibit"}) {  // for more than the pod
    must_run({"ip", "route", "add", kind, "10.1.0.0/24", "table", "100"});
    const Snapshot before = state();
    EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"10.1.0.2", "another route"})) << kind;
    EXPECT_TRUE(same(before, state()));
    must_run({"ip", "route", "del", kind, "10.1.0.0/24", "table", "100"});
    must_run({"ip", "route", "add", kind, "10.1.0.0/24"});  // as BIRD has it for the node's subnet: the pod's is closer
    must_add(config, pod());
    expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
    must_del(config, pod());
    must_run({"ip", "route", "del", kind, "10.1.0.0/24"});
  }
}

TEST_F(PtpConflict, ARouteByANexthopObjectIsSeen) {
  PARITY("T-M17 M11");
  must_run({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"});
  for (const char* end : {"up0", "up1"}) must_run({"ip", "link", "set", end, "up"});
  must_run({"ip", "nexthop", "add", "id", "3", "dev", "up0"});
  Json config = ptp_config();
  config["ipam"]["ranges"] = Json::array({one_address_ranges("2").at(0)});
  for (const char* named : {"1", "0"}) {  // with its links, and without
    set_sysctl("net/ipv4/nexthop_compat_mode", named);
    must_run({"ip", "route", "add", "10.1.0.2/32", "nhid", "3"});
    const Snapshot before = state();
    EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"10.1.0.2"})) << named;
    EXPECT_TRUE(same(before, state()));
    must_run({"ip", "route", "del", "10.1.0.2/32"});
  }
  set_sysctl("net/ipv4/nexthop_compat_mode", "1");
  must_run({"ip", "route", "add", "10.1.0.2/32", "nhid", "3"});
  must_run({"ip", "link", "set", "up1", "down"});  // dead
  must_add(config, pod());
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

TEST_F(PtpConflict, AGatewayOnSeveralPathsIsAnothersToo) {
  PARITY("T-M17 M11");
  for (const char* cable : {"up0", "up2"}) {
    const std::string end = std::string(cable) + "e";
    must_run({"ip", "link", "add", cable, "type", "veth", "peer", "name", end});
    for (const std::string& each : {std::string(cable), end}) must_run({"ip", "link", "set", each, "up"});
  }
  must_run({"ip", "route", "add", "10.1.0.1", "nexthop", "dev", "up0", "nexthop", "dev", "up2"});
  const Snapshot before = state();
  EXPECT_TRUE(failed(add(ptp_config(), pod()), code::kInTheWay, {"gateway", "10.1.0.1", "up0"}));
  EXPECT_TRUE(same(before, state()));
}

TEST_F(PtpConflict, APodOfAnotherNetworkKeepsItsAddress) {
  PARITY("T-M17 M11");
  Json other = dual_ptp_config();
  other["name"] = "othernet";
  const Json result = must_add(other, pod("c2"));
  const Snapshot before = state();
  for (const char* subnet : {"10.1.0.0/24", "fd01::/64"}) {
    EXPECT_TRUE(failed(add(ptp_config({subnet}), pod()), code::kInTheWay, {host_end(result)}));
  }
  EXPECT_TRUE(same(before, state()));
  expect_reached(pod("c2").netns, "10.1.0.2", "10.1.0.1");
  must_run({"ip", "link", "set", "eth0", "down"}, pod("c2").netns);  // it is dead now
  must_add(dual_ptp_config(), pod());
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

// The host's end would have it, and the host would look no further.
TEST_F(PtpConflict, AGatewayThatIsAnotherPodsAddressIsRefused) {
  FakeIpam fake;
  Json other = fake_ptp();
  other["name"] = "othernet";
  fake.script("ADD", {{.out = answer_of("10.1.0.1/24", "10.1.0.254").dump()},
                      {.out = answer_of("fd01::1/64", "fd01::fe").dump()},
                      {.out = answer_of("10.1.0.2/24", "10.1.0.1").dump()},
                      {.out = answer_of("fd01::2/64", "fd01::1").dump()}});
  for (const char* id : {"c1", "c2"}) ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_ptp(), pod(id)))));
  const Snapshot before = state();
  for (const char* gateway : {"10.1.0.1", "fd01::1"}) {
    EXPECT_TRUE(failed(run(with_fake(fake, "ADD", other, pod("c3"))), code::kInTheWay, {"gateway", gateway}));
  }
  EXPECT_TRUE(same(before, state()));
}

TEST_F(PtpConflict, FiftyAtOnceOnAFreshHostSomeByTheReference) {
  constexpr int kPods = 50;
  const Json config = dual_ptp_config("1.0.0");
  const Snapshot before = state();
  std::vector<Child> all;
  for (int number = 0; number < kPods; ++number) {
    Command command = plugin_command({"ptp", "ADD", pod("c" + std::to_string(number)), config.dump()});
    if (number % 5 == 0) command.argv = {reference_dir() + "/ptp"};
    all.emplace_back(command);
  }
  for (Child& child : all) EXPECT_TRUE(succeeded(child.wait()));
  EXPECT_EQ(host_ends().size(), static_cast<std::size_t>(kPods));
  for (const char* id : {"c0", "c1", "c49"}) EXPECT_TRUE(ping(pod(id).netns, "10.1.0.1")) << id;
  for (const char* id : {"c1", "c49"}) EXPECT_TRUE(ping(pod(id).netns, "fd01::1")) << id;
  std::vector<Child> deletions;
  for (int number = 0; number < kPods; ++number)
    deletions.emplace_back(plugin_command({"ptp", "DEL", pod("c" + std::to_string(number)), config.dump()}));
  for (Child& child : deletions) EXPECT_TRUE(succeeded_silently(child.wait()));
  EXPECT_THAT(host_ends(), IsEmpty());
  EXPECT_TRUE(same(before, state()));
}

// The last moment: both have found it free.
TEST_F(PtpConflict, OfTwoThatGetAnAddressAtOnceOneHasIt) {
  PARITY("T-M17 M11");
  Json config = ptp_config();
  config["ipam"]["ranges"] = Json::array({one_address_ranges("2").at(0)});
  Json other = config;
  other["name"] = "othernet";
  for (int round = 0; round < rounds(10); ++round) {
    Child first(plugin_command({"ptp", "ADD", pod("c1"), config.dump()}));
    Child second(plugin_command({"ptp", "ADD", pod("c2"), other.dump()}));
    const Outcome one = first.wait();
    const Outcome two = second.wait();
    EXPECT_TRUE(one.exit_code == 0 || failed(one, code::kInTheWay, {"10.1.0.2"})) << describe(one);
    EXPECT_TRUE(two.exit_code == 0 || failed(two, code::kInTheWay, {"10.1.0.2"})) << describe(two);
    EXPECT_NE(one.exit_code + two.exit_code, 0) << "both have it";
    EXPECT_LE(host_ends().size(), 1U);
    must_del(config, pod("c1"));
    must_del(other, pod("c2"));
    EXPECT_THAT(host_ends(), IsEmpty());
  }
}

TEST_F(PtpConflict, AnInterfaceOfThatNameIsKept) {
  PARITY("T-M26");
  must_run({"ip", "link", "add", "eth0", "type", "bridge"}, pod().netns);
  const Snapshot before = state();
  EXPECT_TRUE(failed(add(dual_ptp_config(), pod()), code::kInTheWay, {"eth0"}));
  EXPECT_TRUE(same(before, state()));
  EXPECT_THAT(link_names(pod().netns), ElementsAre("eth0"));
  EXPECT_FALSE(store_holds("10.1.0.2"));
}

// ---- routes

TEST_F(PtpConflict, RoutesHaveAllTheirAttributes) {
  PARITY("T-M18 T-M19 M31");
  Json config = dual_ptp_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"},
    {"dst": "10.50.0.0/16", "gw": "10.1.0.1", "table": 100, "priority": 7, "mtu": 1400, "advmss": 1360},
    {"dst": "fd50::/32", "gw": "fd01::1", "table": 100, "priority": 7, "mtu": 1400, "advmss": 1360},
    {"dst": "10.51.0.0/16", "scope": 253}, {"dst": "10.52.0.0/16", "gw": "0.0.0.0"}, {"dst": "10.1.0.0/24", "table": 101}, {"dst": "fd01::/64", "table": 101},
    {"dst": "10.1.0.0/24", "priority": 9}])");
  const Json result = must_add(config, pod());
  const auto shown = [](const char* family, const char* table) {
    return must_run({"ip", family, "route", "show", "table", table}, pod().netns);
  };
  EXPECT_THAT(shown("-4", "100"), HasSubstr("10.50.0.0/16 via 10.1.0.1 dev eth0 metric 7 mtu 1400 advmss 1360"));
  EXPECT_THAT(shown("-6", "100"), HasSubstr("fd50::/32 via fd01::1 dev eth0 metric 7 mtu 1400 advmss 1360"));
  EXPECT_THAT(shown("-4", "main"), HasSubstr("10.51.0.0/16 dev eth0 scope link"));
  EXPECT_THAT(shown("-4", "main"), HasSubstr("10.52.0.0/16 dev eth0"));
  EXPECT_THAT(shown("-4", "main"), HasSubstr("10.1.0.0/24 via 10.1.0.1 dev eth0 metric 9"));
  EXPECT_THAT(shown("-4", "101"), HasSubstr("10.1.0.0/24 via 10.1.0.1 dev eth0"));
  EXPECT_THAT(shown("-6", "101"), HasSubstr("fd01::/64 via fd01::1 dev eth0"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
}

// As with the reference, where it is on the link when the route is added.
TEST_F(PtpConflict, AnotherGatewayOfThePodsNetworkIsTaken) {
  const OutsideHost outside;
  outside.learn_route("10.1.0.2");
  must_run({"ip", "addr", "add", "10.1.0.99/32", "dev", "lo"});  // the host answers for all that it has
  Json config = ptp_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "192.0.2.0/24", "gw": "10.1.0.99"}])");
  const Json result = must_add(config, pod());
  EXPECT_TRUE(ping(pod().netns, "192.0.2.2"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
  Json other = config;  // the pod's own address, as a gateway: nothing goes there, and the reference takes it
  other["ipam"]["ranges"] = Json::array({one_address_ranges("9").at(0)});
  other["ipam"]["routes"] = Json::parse(R"([{"dst": "192.0.2.0/24", "gw": "10.1.0.9"}])");
  must_add(other, pod("c3"));
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "192.0.2.0/24", "gw": "10.9.0.99"}])");
  EXPECT_TRUE(failed(add(config, pod("c2")), code::kKernel, {"10.9.0.99"}));
  EXPECT_THAT(link_names(pod("c2").netns), IsEmpty());
}

}  // namespace
}  // namespace cnio::test
