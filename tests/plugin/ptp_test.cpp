// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD of ptp: links, addresses and routes. Addresses that somebody has already are in ptp_conflict_test.cpp.
#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PtpAdd : public PtpTest {};

TEST_F(PtpAdd, RoutesOfBothSidesAreTheReferences) {
  PARITY("T-M03 T-M05");
  const std::string host = host_end(must_add(ptp_config(), pod()));
  EXPECT_THAT(routes("-4", pod().netns),
              ElementsAre("default via 10.1.0.1 dev eth0", "10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.2",
                          "10.1.0.1 dev eth0 scope link src 10.1.0.2"));
  EXPECT_THAT(routes("-4", ""), ElementsAre("10.1.0.2 dev " + host + " scope host"));
  EXPECT_THAT(address_texts(host), ElementsAre("10.1.0.1/32"));
  EXPECT_THAT(address_texts("eth0", pod().netns), ElementsAre("10.1.0.2/24"));
  EXPECT_EQ(addresses("eth0", pod().netns).at(0).at("broadcast"), "10.1.0.255");
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "0");
  EXPECT_EQ(sysctl("net/ipv4/conf/" + host + "/proxy_arp"), "0");
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

TEST_F(PtpAdd, DualStackIsReadyAtOnce) {
  PARITY("T-M04 M10");
  const std::string host = host_end(must_add(dual_ptp_config(), pod()));
  for (const std::string& netns : {std::string(), pod().netns}) {
    for (const Json& link : ip_json({"addr", "show", "tentative"}, netns))
      EXPECT_TRUE(link.value("addr_info", Json::array()).empty()) << link.dump();
  }
  EXPECT_THAT(routes("-6", pod().netns), ElementsAre("fd01::1 dev eth0 src fd01::2 metric 1024",
                                                     "fd01::/64 via fd01::1 dev eth0 src fd01::2 metric 1024",
                                                     "default via fd01::1 dev eth0 metric 1024"));
  EXPECT_THAT(routes("-6", "", host), ElementsAre("fd01::1 metric 256", "fd01::2 metric 1024"));
  EXPECT_THAT(address_texts(host), ElementsAre("10.1.0.1/32", "fd01::1/128"));
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "1");
  expect_reached(pod().netns, "fd01::2", "fd01::1");
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

TEST_F(PtpAdd, Ipv6Alone) {
  PARITY("T-M04");
  must_add(ptp_config({"fd01::/64"}), pod());
  expect_reached(pod().netns, "fd01::2", "fd01::1");
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "0");
}

TEST_F(PtpAdd, PodsReachEachOtherAndTheOutside) {
  const OutsideHost outside;
  for (const char* subnet : {"10.1.0.0/24", "fd01::/64"}) outside.learn_route(subnet);
  must_add(dual_ptp_config(), pod("c1"));
  must_add(dual_ptp_config(), pod("c2"));
  for (const char* address : {"10.1.0.3", "fd01::3", "192.0.2.2", "2001:db8::2"})
    EXPECT_TRUE(ping(pod("c1").netns, address));
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "192.0.2.2"), "10.1.0.2");
}

TEST_F(PtpAdd, ResultListsHostEndAndContainerEnd) {
  PARITY("T-M07");
  const Attachment attachment = pod();
  const Json result = must_add(dual_ptp_config(), attachment);
  const Json& interfaces = result.at("interfaces");
  ASSERT_EQ(interfaces.size(), 2U);
  EXPECT_TRUE(std::regex_match(host_end(result), std::regex("veth[0-9a-f]{8}"))) << host_end(result);
  EXPECT_EQ(interfaces[0], (Json{{"name", host_end(result)}, {"mac", find_link(host_end(result)).at("address")}}));
  EXPECT_EQ(interfaces[1], (Json{{"name", "eth0"},
                                 {"mac", find_link("eth0", attachment.netns).at("address")},
                                 {"sandbox", attachment.netns}}));
  for (const Json& ip : result.at("ips")) EXPECT_EQ(ip.at("interface"), 1);
  EXPECT_EQ(result.at("routes"), Json::parse(R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])"));
  EXPECT_EQ(find_link(host_end(result)).value("ifalias", ""), "cnio net/c1/eth0");
  EXPECT_EQ(find_link(host_end(result)).at("txqlen"), 1000);
}

TEST_F(PtpAdd, ThePrefixOfTheHostEndsNameCanBeChosen) {
  Json config = ptp_config();
  config["hostIfPrefix"] = "pod";
  EXPECT_TRUE(host_end(must_add(config, pod())).starts_with("pod"));
}

TEST_F(PtpAdd, MtuIsThatOfBothEnds) {
  PARITY("T-M06");
  for (const auto& [mtu, expected] : {std::pair(1400, 1400), std::pair(0, 1500), std::pair(-5, 1500)}) {
    Json config = ptp_config();
    config["mtu"] = mtu;
    const Json result = must_add(config, pod());
    EXPECT_EQ(find_link(host_end(result)).at("mtu"), expected) << mtu;
    EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), expected) << mtu;
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
    must_del(config, pod());
  }
}

TEST_F(PtpAdd, AnMtuThatCannotBeIsRefusedAndLeavesNothing) {
  PARITY("T-M06 M3");
  const Snapshot before = state();
  for (const int mtu : {67, 65536}) {
    Json config = ptp_config();
    config["mtu"] = mtu;
    EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"mtu"})) << mtu;
  }
  Json config = dual_ptp_config();
  config["mtu"] = 1279;
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"1279", "1280"}));
  EXPECT_TRUE(same(before, state()));
  EXPECT_THAT(link_names(pod().netns), IsEmpty());
}

TEST_F(PtpAdd, DnsIsThatOfIpamUnlessTheNetworkHasSome) {
  PARITY("T-M08");
  Json config = ptp_config();
  config["ipam"]["resolvConf"] = make_folder("etc") + "/resolv.conf";
  write_file("/run/test/etc/resolv.conf", "nameserver 10.0.0.53\nsearch ipam.example\n");
  EXPECT_EQ(must_add(config, pod("c1")).at("dns").at("search"), Json({"ipam.example"}));
  config["dns"] = Json::object();
  EXPECT_EQ(must_add(config, pod("c2")).at("dns").at("search"), Json({"ipam.example"}));
  config["dns"] = {{"search", Json::array()}};
  EXPECT_FALSE(must_add(config, pod("c3")).contains("dns"));
  config["dns"] = {{"domain", "d.example"}};
  EXPECT_EQ(must_add(config, pod("c4")).at("dns"), Json::parse(R"({"domain": "d.example"})"));
}

TEST_F(PtpAdd, WithoutIpamPluginNothingCanBeAddedButAllCanGo) {
  PARITY("T-M09");
  for (const char* ipam : {"null", "{}", R"({"type": ""})"}) {
    Json config = ptp_config();
    config["ipam"] = Json::parse(ipam);
    config = with_valid_attachments(config, {});
    EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"ipam.type"})) << ipam;
    EXPECT_TRUE(failed(check(config, pod()), code::kConfig, {"ipam.type"})) << ipam;
    EXPECT_TRUE(failed(status(config), code::kConfig, {"ipam.type"})) << ipam;
    EXPECT_TRUE(succeeded_silently(del(config, pod()))) << ipam;
    EXPECT_TRUE(succeeded_silently(gc(config))) << ipam;
  }
}

// ---- gateways

struct Gateway {
  std::string name;
  std::string parity;
  std::string address;
  std::string gateway;
};
void PrintTo(const Gateway& gateway, std::ostream* out) { *out << gateway.name; }

class PtpGateway : public PtpTest, public ::testing::WithParamInterface<Gateway> {};
INSTANTIATE_TEST_SUITE_P(Table, PtpGateway,
                         ::testing::Values(Gateway{"SingleAddress", "T-M11 M19", "10.1.0.2/32", "10.1.0.1"},
                                           Gateway{"LinkLocal", "T-M12 M19", "10.1.0.2/24", "169.254.1.1"},
                                           Gateway{"SingleAddressLinkLocal", "T-M12", "10.1.0.2/32", "169.254.1.1"},
                                           Gateway{"LinkLocalSix", "T-M13", "fd01::2/64", "fe80::1"},
                                           Gateway{"SingleSixLinkLocal", "T-M13 T-M14", "fd01::2/128", "fe80::1"},
                                           Gateway{"SingleSix", "T-M14", "fd01::2/128", "fd02::1"},
                                           Gateway{"PairOfTwo", "T-M11", "10.1.0.2/31", "10.1.0.3"},
                                           Gateway{"Outside", "M19", "10.1.0.2/24", "10.9.9.9"}),
                         [](const auto& test) { return test.param.name; });

TEST_P(PtpGateway, IsReachedAndLeadsEverywhere) {
  RecordProperty("parity", GetParam().parity);
  const OutsideHost outside;
  const std::string address = GetParam().address.substr(0, GetParam().address.find('/'));
  outside.learn_route(address);
  FakeIpam fake;
  const Outcome added = add_with(fake, answer_of(GetParam().address, GetParam().gateway));
  ASSERT_TRUE(succeeded(added));
  const std::string gateway = GetParam().gateway;
  EXPECT_TRUE(ping(pod().netns, gateway.starts_with("fe80") ? gateway + "%eth0" : gateway));
  EXPECT_TRUE(ping("", address));
  EXPECT_TRUE(ping(pod().netns, address.find(':') != std::string::npos ? "2001:db8::2" : "192.0.2.2"));
  const Json config = with_prev_result(fake_ptp(), Json::parse(added.out));
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "CHECK", config, pod()))));
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod()))));
  EXPECT_THAT(routes("-4", "", ""), ::testing::Not(::testing::Contains(::testing::HasSubstr("10.1.0.2"))));
}

TEST_F(PtpAdd, AGatewayIsNeeded) {
  PARITY("T-M10 M20");
  const Snapshot before = state();
  for (const char* address : {"10.1.0.2/24", "fd01::2/64"}) {
    FakeIpam fake;
    const Json none = answer(Json::array({{{"address", address}}}).dump());
    EXPECT_TRUE(failed(add_with(fake, none), code::kIpam, {"gateway", address}));
    EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"}));
    EXPECT_TRUE(same(before, state()));
    EXPECT_THAT(link_names(pod().netns), IsEmpty());
    EXPECT_EQ(records(), 0U);
  }
}

TEST_F(PtpAdd, AGatewayThatIsThePodsOwnAddressIsRefused) {
  const Snapshot before = state();
  FakeIpam fake;
  EXPECT_TRUE(failed(add_with(fake, answer_of("10.1.0.2/24", "10.1.0.2")), code::kIpam, {"gateway", "10.1.0.2"}));
  EXPECT_TRUE(failed(add_with(fake, answer(R"([{"address": "10.1.0.2/24", "gateway": "10.1.0.3"},
                                               {"address": "10.1.0.3/24", "gateway": "10.1.0.1"}])")),
                     code::kIpam, {"gateway", "10.1.0.3"}));
  EXPECT_TRUE(same(before, state()));
}

// ---- several addresses, several interfaces

TEST_F(PtpAdd, TwoSubnetsOfOneFamily) {
  PARITY("T-M15");
  const Json result = must_add(ptp_config({"10.1.0.0/24", "10.2.0.0/24"}), pod());
  EXPECT_THAT(routes("-4", pod().netns),
              ElementsAre("default via 10.1.0.1 dev eth0", "10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.2",
                          "10.1.0.1 dev eth0 scope link src 10.1.0.2", "10.2.0.0/24 via 10.2.0.1 dev eth0 src 10.2.0.2",
                          "10.2.0.1 dev eth0 scope link src 10.2.0.2"));
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
  expect_reached(pod().netns, "10.2.0.2", "10.2.0.1");
  EXPECT_THAT(address_texts(host_end(result)), ElementsAre("10.1.0.1/32", "10.2.0.1/32"));
}

TEST_F(PtpAdd, TwoAddressesOfOneSubnetShareTheGateway) {
  PARITY("T-M16 M20");
  for (const auto& [first, second, gateway] :
       {std::tuple("10.1.0.2", "10.1.0.3", "10.1.0.1"), std::tuple("fd01::2", "fd01::3", "fd01::1")}) {
    const std::string prefix = gateway == std::string("fd01::1") ? "/64" : "/24";
    FakeIpam fake;
    const Outcome added = add_with(fake, answer(Json::array({{{"address", first + prefix}, {"gateway", gateway}},
                                                             {{"address", second + prefix}, {"gateway", gateway}}})
                                                    .dump()));
    ASSERT_TRUE(succeeded(added));
    expect_reached(pod().netns, first, gateway);
    expect_reached(pod().netns, second, gateway);
    const Json config = with_prev_result(fake_ptp(), Json::parse(added.out));
    EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "CHECK", config, pod()))));
    EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod()))));
  }
}

TEST_F(PtpAdd, ASecondInterfaceOfAContainerLeavesTheFirstItsRoutes) {
  PARITY("T-M24 M20");
  Json config = dual_ptp_config();
  config["ipMasq"] = true;
  const Json first = must_add(config, pod());
  const auto before = routes("-4", pod().netns);
  const auto six_before = routes("-6", pod().netns);
  const Json second = must_add(config, pod("c1", "eth1"));
  EXPECT_EQ(routes("-4", pod().netns).front(), "default via 10.1.0.1 dev eth0");
  for (const char* address : {"10.1.0.2", "10.1.0.3", "fd01::2", "fd01::3"}) EXPECT_TRUE(ping("", address));
  for (const char* gateway : {"10.1.0.1", "fd01::1"}) EXPECT_TRUE(ping(pod().netns, gateway));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, first), pod())));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, second), pod("c1", "eth1"))));
  must_del(with_prev_result(config, second), pod("c1", "eth1"));
  EXPECT_EQ(routes("-4", pod().netns), before);
  EXPECT_EQ(routes("-6", pod().netns), six_before);
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, first), pod())));
}

}  // namespace
}  // namespace cnio::test
