// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// static: what is refused, what CHECK sees, what DEL and GC do without, and pods of bridge with its addresses. What it
// gives is compared with the reference in results_test.cpp and in side_by_side.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

/// A call of static itself, which needs no namespace.
Attachment nobody(const std::string& args = "") { return {"c1", "/run/netns/none", "eth0", args}; }

struct Refusal {
  std::string name;
  std::string patch;  ///< of static_config()
  int code;
  std::vector<std::string> words;  ///< of the error
  std::string args = "";           ///< CNI_ARGS
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.patch << " " << refusal.args; }

std::string one(const std::string& address, const std::string& gateway = "") {
  return R"({"ipam": {"addresses": [{"address": ")" + address + R"(", "gateway": ")" + gateway + R"("}]}})";
}

const std::string kKey = "ipam.addresses[0].address";
const std::string kGatewayKey = "ipam.addresses[0].gateway";

const Refusal kRefusals[] = {
    {"IpamMissing", R"({"ipam": null})", code::kConfig, {"ipam", "missing"}},
    {"IpamText", R"({"ipam": "static"})", code::kConfig, {"ipam", "object"}},
    {"AddressesObject", R"({"ipam": {"addresses": {}}})", code::kConfig, {"ipam.addresses", "list"}},
    {"AddressNull", R"({"ipam": {"addresses": [null]}})", code::kConfig, {"ipam.addresses[0]"}},
    {"AddressMissing", R"({"ipam": {"addresses": [{}]}})", code::kConfig, {kKey, "missing"}},
    {"GatewayAlone", R"({"ipam": {"addresses": [{"gateway": "10.1.0.1"}]}})", code::kConfig, {kKey, "missing"}},
    {"AddressNumber", R"({"ipam": {"addresses": [{"address": 7}]}})", code::kConfig, {kKey}},
    {"NoPrefix", one("10.1.0.5"), code::kConfig, {kKey, "10.1.0.5", "prefix"}},
    {"LeadingZero", one("10.1.0.05/24"), code::kConfig, {kKey, "10.1.0.05/24"}},
    {"PrefixTooLong", one("10.1.0.5/33"), code::kConfig, {kKey, "10.1.0.5/33"}},
    {"Zone", one("fe80::5%eth0/64"), code::kConfig, {kKey, "fe80::5%eth0/64"}},
    {"Blank", one("10.1.0.5/24 "), code::kConfig, {kKey}},
    {"Network", one("10.1.0.0/24"), code::kConfig, {kKey, "10.1.0.0/24", "network"}},
    {"NetworkOfSix", one("fd00::/64"), code::kConfig, {kKey, "fd00::/64", "network"}},
    {"Broadcast", one("10.1.0.255/24"), code::kConfig, {kKey, "10.1.0.255/24", "broadcast"}},
    {"BroadcastOfAll", one("255.255.255.255/32"), code::kConfig, {kKey, "broadcast"}},
    {"Multicast", one("224.0.0.5/24"), code::kConfig, {kKey, "224.0.0.5/24", "multicast"}},
    {"MulticastOfSix", one("ff02::5/64"), code::kConfig, {kKey, "ff02::5/64", "multicast"}},
    {"Loopback", one("127.0.0.5/8"), code::kConfig, {kKey, "127.0.0.5/8", "loopback"}},
    {"LoopbackOfSix", one("::1/128"), code::kConfig, {kKey, "::1/128", "loopback"}},
    {"Unspecified", one("0.0.0.0/24"), code::kConfig, {kKey, "0.0.0.0/24"}},
    {"WholeWorld", one("10.1.0.5/0"), code::kConfig, {kKey, "10.1.0.5/0", "prefix length of 0"}},
    {"Twice",
     R"({"ipam": {"addresses": [{"address": "fd00::5/64"}, {"address": "fd00:0::5/96"}]}})",
     code::kConfig,
     {"ipam.addresses[1].address", "fd00::5", "twice", kKey}},
    {"TwiceByArguments", "{}", code::kEnvironment, {"IP", "10.1.0.5", "twice", kKey}, "IP=10.1.0.5/24"},
    {"GatewayIsNone", one("10.1.0.5/24", "ten"), code::kConfig, {kGatewayKey, "ten"}},
    {"GatewayOutside", one("10.1.0.5/24", "10.2.0.1"), code::kConfig, {kGatewayKey, "10.2.0.1", "10.1.0.0/24"}},
    {"GatewayOfAnotherFamily", one("10.1.0.5/24", "fd00::1"), code::kConfig, {kGatewayKey, "fd00::1", "IPv4"}},
    {"LinkLocalOfAnotherFamily", one("10.1.0.5/32", "fe80::1"), code::kConfig, {kGatewayKey, "fe80::1", "IPv4"}},
    {"GatewayIsTheNetwork", one("10.1.0.5/24", "10.1.0.0"), code::kConfig, {kGatewayKey, "10.1.0.0", "network"}},
    {"GatewayIsTheContainer", one("10.1.0.5/24", "10.1.0.5"), code::kConfig, {kGatewayKey, "10.1.0.5", "own"}},
    {"GatewayOfNowhere", one("10.1.0.5/32", "0.0.0.0"), code::kConfig, {kGatewayKey, "0.0.0.0"}},
    {"GatewayIsMulticast", one("10.1.0.5/32", "224.0.0.1"), code::kConfig, {kGatewayKey, "multicast"}},
    {"RouteMissingDst", R"({"ipam": {"routes": [{"gw": "10.1.0.1"}]}})", code::kConfig, {"ipam.routes[0].dst"}},
    {"RouteNull", R"({"ipam": {"routes": [null]}})", code::kConfig, {"ipam.routes[0]"}},
    {"RouteGateway", R"({"ipam": {"routes": [{"dst": "::/0", "gw": "x"}]}})", code::kConfig, {"ipam.routes[0].gw"}},
    {"DnsText", R"({"ipam": {"dns": "10.0.0.1"}})", code::kConfig, {"ipam.dns"}},
    {"ArgsIps", R"({"args": {"cni": {"ips": ["10.1.0.9"]}}})", code::kConfig, {"args.cni.ips[0]", "10.1.0.9"}},
    {"RuntimeIps",
     R"({"runtimeConfig": {"ips": ["10.1.0.9/24", "10.1.0.255/24"]}})",
     code::kConfig,
     {"runtimeConfig.ips[1]", "10.1.0.255/24"}},
    {"RuntimeIpsTwice",
     R"({"runtimeConfig": {"ips": ["10.1.0.9/24", "10.1.0.9/24"]}})",
     code::kConfig,
     {"runtimeConfig.ips[1]", "twice"}},
    {"RoomForOneOnly",
     R"({"cniVersion": "0.2.0", "ipam": {"addresses": [{"address": "10.1.0.5/24"}, {"address": "10.2.0.5/24"}]}})",
     code::kConfig,
     {"cniVersion", "0.3.0", "2 addresses of IPv4"}},
    {"NoAddressBefore030",
     R"({"cniVersion": "0.2.0", "ipam": {"addresses": null}})",
     code::kUnsupported,
     {"0.2.0", "0.3.0"}},
    {"IpWithoutPrefix", "{}", code::kEnvironment, {"CNI_ARGS", "IP", "10.1.0.7"}, "IP=10.1.0.7"},
    {"IpEmptyInAList", "{}", code::kEnvironment, {"CNI_ARGS", "IP"}, "IP=10.1.0.7/24,"},
    {"GatewayNonsense", "{}", code::kEnvironment, {"CNI_ARGS", "GATEWAY", "ten"}, "GATEWAY=10.1.0.1,ten"},
    {"GatewayForNobody", "{}", code::kEnvironment, {"CNI_ARGS", "GATEWAY", "10.9.0.1"}, "GATEWAY=10.9.0.1"},
    {"GatewayNetwork", "{}", code::kEnvironment, {"CNI_ARGS", "GATEWAY", "10.1.0.0"}, "GATEWAY=10.1.0.0"},
    {"UnknownArgument", "{}", code::kEnvironment, {"CNI_ARGS", "FOO"}, "FOO=BAR"},
};

class StaticRefuses : public HostTest, public ::testing::WithParamInterface<Refusal> {};
INSTANTIATE_TEST_SUITE_P(Each, StaticRefuses, ::testing::ValuesIn(kRefusals),
                         [](const auto& test) { return test.param.name; });

TEST_P(StaticRefuses, NamingKeyAndEntryAndDelDoesNotCare) {
  PARITY("T-F02 T-F05 T-F06 F1 F2");
  Json config = static_config();
  config.merge_patch(Json::parse(GetParam().patch));
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, nobody(GetParam().args)), GetParam().code, GetParam().words));
  if (config.at("cniVersion") == "1.1.0" && GetParam().args.empty()) {
    EXPECT_TRUE(failed(status(config), GetParam().code, GetParam().words)) << "STATUS knows it before";
    EXPECT_TRUE(succeeded_silently(gc(config))) << "GC has nothing to look for";
  }
  EXPECT_TRUE(succeeded_silently(del(config, nobody(GetParam().args))));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

class StaticAlone : public HostTest {
 protected:
  static Json gateways(const Json& result) {
    Json out = Json::array();
    for (const Json& ip : result.at("ips")) out.push_back(ip.value("gateway", ""));
    return out;
  }
};

TEST_F(StaticAlone, GatewayOfArgumentsIsForEachAddressOfItsNetwork) {
  PARITY("T-F03 F1");
  const Json config = static_config({"10.1.0.5/24", "10.2.0.5/24"});
  const Json result = must_add(config, nobody("IP=10.1.0.7/24, fd00::7/64;GATEWAY=10.1.0.254 ,fd00::1"));
  EXPECT_EQ(gateways(result), Json({"10.1.0.254", "", "10.1.0.254", "fd00::1"}));
}

TEST_F(StaticAlone, GatewayOfArgumentsOutsideIsForAddressesThatReachIt) {
  PARITY("T-F03");
  const Json config = static_config({});
  EXPECT_EQ(gateways(must_add(config, nobody("IP=10.2.0.5/24,10.1.0.7/32;GATEWAY=172.16.0.1"))),
            Json({"", "172.16.0.1"}));
  EXPECT_EQ(gateways(must_add(config, nobody("IP=fd00::5/64,10.2.0.5/24;GATEWAY=fe80::1"))), Json({"fe80::1", ""}));
}

TEST_F(StaticAlone, NeedsNoFilesNoNamespaceAndNoOtherProgram) {
  const Snapshot before = Snapshot::of_host();
  const Json config = with_valid_attachments(static_config(), {});
  const Json result = must_add(config, nobody());
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), nobody())));
  for (int count = 0; count < 2; ++count) EXPECT_TRUE(succeeded_silently(del(config, nobody())));
  EXPECT_TRUE(succeeded_silently(gc(config)));
  EXPECT_TRUE(succeeded_silently(status(config)));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(StaticAlone, StatusAsksForNoAddressSinceTheyMayComeWithAdd) {
  EXPECT_TRUE(succeeded_silently(status(static_config({}))));
}

TEST_F(StaticAlone, CheckSaysWhatItExpectedAndFound) {
  PARITY("T-F07 F3");
  const Json config = static_config({"10.1.0.5/24", "fd00::5/64"});
  const auto found = [&](const char* ips) {
    return check(with_prev_result(config, {{"cniVersion", "1.1.0"}, {"ips", Json::parse(ips)}}), nobody());
  };
  EXPECT_TRUE(succeeded_silently(found(R"([{"address": "fd00::5/64", "gateway": "fd00::1"},
    {"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "10.7.0.9/24"}])")));
  EXPECT_TRUE(failed(found(R"([{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}])"), code::kCheck,
                     {"fd00::5/64", "found none"}));
  EXPECT_TRUE(failed(found(R"([{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}, {"address": "fd00::5/64"}])"),
                     code::kCheck, {"10.1.0.5/24", "found 10.1.0.5/16"}));
  EXPECT_TRUE(failed(found(R"([{"address": "10.1.0.5/24", "gateway": "10.1.0.9"}, {"address": "fd00::5/64"}])"),
                     code::kCheck, {"10.1.0.5/24", "gateway 10.1.0.1", "found 10.1.0.9"}));
  EXPECT_TRUE(failed(found(R"([{"address": "10.1.0.5/24"}, {"address": "fd00::5/64"}])"), code::kCheck,
                     {"gateway 10.1.0.1", "found none"}));
  EXPECT_TRUE(failed(check(config, nobody()), code::kConfig, {"prevResult", "missing"}));
}

class StaticPods : public BridgeTest {
 protected:
  static Json config() {
    Json config = bridge_config({}, "1.1.0");
    config["ipMasq"] = true;
    config["ipam"] = static_ipam({"10.1.0.5/24", "fd01::5/64"});
    config["ipam"]["addresses"][1]["gateway"] = "fd01::1";
    config["ipam"]["routes"] = Json::array({{{"dst", "10.50.0.0/16"}, {"mtu", 1400}}});
    config["ipam"]["dns"] = {{"nameservers", {"10.0.0.53"}}};
    return config;
  }

  static Json asking_for(const std::vector<std::string>& ips) {
    Json asking = config();
    asking["runtimeConfig"]["ips"] = ips;
    return asking;
  }
};

TEST_F(StaticPods, HaveTheAddressesAndReachEachOther) {
  PARITY("T-F01 T-F04");
  const auto state = [] {
    return Snapshot::of_host().without_device("br0").without_forwarding().without_masquerade_frame();
  };
  const Snapshot before = state();
  const Json result = must_add(config(), pod("c1"));
  EXPECT_EQ(result.at("dns").at("nameservers"), Json({"10.0.0.53"}));
  EXPECT_EQ(address_texts("eth0", pod("c1").netns), (std::vector<std::string>{"10.1.0.5/24", "fd01::5/64"}));
  EXPECT_EQ(routes_to("10.50.0.0/16", pod("c1").netns).at(0).at("gateway"), "10.1.0.1");
  const Json other = asking_for({"10.1.0.6/24", "fd01::6/64"});
  must_add(other, pod("c2"));
  for (const char* address : {"10.1.0.1", "fd01::1", "10.1.0.6", "fd01::6"}) {
    EXPECT_TRUE(ping(pod("c1").netns, address)) << address;
  }
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config(), result), pod("c1"))));
  EXPECT_TRUE(succeeded_silently(status(config())));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config(), {{"c2", "eth0"}}))));
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
  for (const char* id : {"c1", "c2"}) {
    for (int count = 0; count < 2; ++count) EXPECT_TRUE(succeeded_silently(del(other, pod(id))));
  }
  EXPECT_TRUE(same(before, state()));
}

TEST_F(StaticPods, GetWhatTheirArgumentsSay) {
  PARITY("T-F03");
  Json config = bridge_config({}, "1.1.0");
  config["ipam"] = {{"type", "static"}};
  Attachment attachment = pod();
  attachment.args = "IP=10.1.0.7/24,fd01::7/64;GATEWAY=10.1.0.254,fd01::fe;MAC=02:00:00:00:00:07;K8S_POD_NAME=web";
  const Json result = must_add(config, attachment);
  EXPECT_EQ(result.at("interfaces").at(2).at("mac"), "02:00:00:00:00:07");
  EXPECT_TRUE(ping(attachment.netns, "10.1.0.254"));
  EXPECT_TRUE(ping(attachment.netns, "fd01::fe"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), attachment)));
  EXPECT_TRUE(succeeded_silently(del(config, attachment)));
}

/// The address is a single one, and the gateway elsewhere on the wire: a route of scope link leads to it.
TEST_F(StaticPods, ReachAGatewayOutsideOfTheirNetworkAsInClouds) {
  PARITY("T-F05 F2");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  const std::string router = add_netns("router");
  must_run({"ip", "link", "add", "port", "master", "br0", "type", "veth", "peer", "name", "eth0", "netns", "router"});
  must_run({"ip", "link", "set", "port", "up"});
  must_run({"ip", "addr", "add", "169.254.1.1/32", "dev", "eth0"}, router);
  must_run({"ip", "addr", "add", "198.51.100.1/32", "dev", "lo"}, router);
  must_run({"ip", "link", "set", "lo", "up"}, router);
  must_run({"ip", "link", "set", "eth0", "up"}, router);
  must_run({"ip", "route", "add", "10.1.0.5/32", "dev", "eth0"}, router);
  Json config = layer2_config();
  config["ipam"] = Json::parse(R"({"type": "static",
    "addresses": [{"address": "10.1.0.5/32", "gateway": "169.254.1.1"}],
    "routes": [{"dst": "169.254.1.1/32", "scope": 253}, {"dst": "0.0.0.0/0", "gw": "169.254.1.1"}]})");
  const Json result = must_add(config, pod());
  EXPECT_TRUE(ping(pod().netns, "198.51.100.1"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
}

TEST_F(StaticPods, AreCheckedAgainstWhatIsConfiguredNow) {
  PARITY("T-F07 F3");
  Json changed = with_prev_result(config(), must_add(config(), pod()));
  changed["ipam"]["addresses"][0]["address"] = "10.1.0.9/24";
  EXPECT_TRUE(failed(check(changed, pod()), code::kCheck, {"10.1.0.9/24", "found none"}));
}

TEST_F(StaticPods, GoWhateverHasBecomeOfTheConfiguration) {
  PARITY("T-F06");
  must_add(config(), pod());
  Json broken = config();
  broken["ipam"]["addresses"] = 7;
  broken["ipam"]["routes"] = "x";
  EXPECT_TRUE(failed(status(broken), code::kConfig, {"ipam.routes"}));
  EXPECT_TRUE(succeeded_silently(del(broken, pod())));
  EXPECT_TRUE(link_names(pod().netns).empty());
  must_add(config(), pod());
}

TEST_F(StaticPods, WhoseAddressCannotBeGetNothing) {
  const Snapshot before = Snapshot::of_host();
  const std::vector<std::string> words{"runtimeConfig.ips[0]", "10.1.0.255/24"};
  EXPECT_TRUE(failed(add(asking_for({"10.1.0.255/24"}), pod()), code::kConfig, words));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(pod().netns).empty());
}

}  // namespace
}  // namespace cnio::test
