// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Every key that host-local reads: what is refused, with the key's full path and before any change, what counts as
// absent, and how the keys that say the same thing in several places go together.
#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

/// A configuration that has to be refused: the text of its member `ipam` (if there is one) and of others beside it.
struct Refused {
  std::string name;
  std::string members;
  std::string key;  ///< the full path that the message names
  std::string word;
};

void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.members; }

std::string ipam(const std::string& member) { return R"("ipam": {"subnet": "10.9.0.0/24", )" + member + "}"; }
/// Behind a good range, so that the path has to tell them apart.
std::string second_range(const std::string& members) {
  return R"("ipam": {"ranges": [[{"subnet": "fd01::/64"}], [{"subnet": "10.1.0.0/24"}, {)" + members + "}]]}";
}
std::string runtime_range(const std::string& members) {
  return R"("ipam": {}, "runtimeConfig": {"ipRanges": [[{)" + members + "}]]}";
}
std::string beside(const std::string& members) { return R"("ipam": {"subnet": "10.9.0.0/24"}, )" + members; }

const std::string kSecond = "ipam.ranges[1][1].";
const std::string kNet = R"("subnet": "10.2.0.0/24", )";

const Refused kRefused[] = {
    {"Ipam", R"("ipam": "x")", "ipam", "object"},
    {"IpamMissing", R"("other": 1)", "ipam", "missing"},
    {"Type", ipam(R"("type": 5)"), "ipam.type", "5"},
    {"Ranges", ipam(R"("ranges": {})"), "ipam.ranges", "list"},
    {"RangesOfRanges", ipam(R"("ranges": [{"subnet": "10.1.0.0/24"}])"), "ipam.ranges[0]", "list"},
    {"RangesNull", ipam(R"("ranges": [null])"), "ipam.ranges[0]", "null"},
    {"RangesEmptySet", ipam(R"("ranges": [[]])"), "ipam.ranges[0]", "at least one"},
    {"RangeText", ipam(R"("ranges": [["10.1.0.0/24"]])"), "ipam.ranges[0][0]", "object"},
    {"RangeNull", ipam(R"("ranges": [[{"subnet": "10.1.0.0/24"}, null]])"), "ipam.ranges[0][1]", "null"},
    {"Subnet", second_range(R"("subnet": 5)"), kSecond + "subnet", "5"},
    {"SubnetNull", second_range(R"("subnet": null)"), kSecond + "subnet", "missing"},
    {"SubnetText", second_range(R"("subnet": "10.2.0.0")"), kSecond + "subnet", "10.2.0.0"},
    {"SubnetHostBits", second_range(R"("subnet": "10.2.0.1/24")"), kSecond + "subnet", "10.2.0.0/24"},
    {"SubnetMapped", second_range(R"("subnet": "::ffff:10.2.0.0/120")"), kSecond + "subnet", "10.2.0.0/24"},
    {"RangeStart", second_range(kNet + R"("rangeStart": 5)"), kSecond + "rangeStart", "5"},
    {"RangeStartText", second_range(kNet + R"("rangeStart": "10.2.0.010")"), kSecond + "rangeStart", "10.2.0.010"},
    {"RangeStartPrefix", second_range(kNet + R"("rangeStart": "10.2.0.9/24")"), kSecond + "rangeStart", "10.2.0.9/24"},
    {"RangeStartOutside", second_range(kNet + R"("rangeStart": "10.3.0.9")"), kSecond + "rangeStart", "10.3.0.9"},
    {"RangeEnd", second_range(kNet + R"("rangeEnd": ["10.2.0.9"])"), kSecond + "rangeEnd", "list"},
    {"RangeEndOutside", second_range(kNet + R"("rangeEnd": "10.3.0.9")"), kSecond + "rangeEnd", "10.3.0.9"},
    {"RangeEndBeforeStart", second_range(kNet + R"("rangeStart": "10.2.0.9", "rangeEnd": "10.2.0.8")"),
     kSecond + "rangeStart", "10.2.0.8"},
    {"Gateway", second_range(kNet + R"("gateway": true)"), kSecond + "gateway", "true"},
    {"GatewayOutside", second_range(kNet + R"("gateway": "10.3.0.1")"), kSecond + "gateway", "10.3.0.1"},
    {"Overlap", second_range(R"("subnet": "10.1.0.0/25")"), kSecond + "subnet", "overlaps"},
    {"OldSubnet", R"("ipam": {"subnet": 5})", "ipam.subnet", "5"},
    {"OldSubnetList", R"("ipam": {"subnet": ["10.1.0.0/24"]})", "ipam.subnet", "list"},
    {"OldRangeStart", ipam(R"("rangeStart": {})"), "ipam.rangeStart", "object"},
    {"OldRangeStartAlone", R"("ipam": {"ranges": [[{"subnet": "10.1.0.0/24"}]], "rangeStart": "x"})", "ipam.rangeStart",
     "x"},
    {"OldRangeEnd", ipam(R"("rangeEnd": 10)"), "ipam.rangeEnd", "10"},
    {"OldGateway", ipam(R"("gateway": "fd01::1")"), "ipam.gateway", "fd01::1"},
    {"OldOverlap", ipam(R"("ranges": [[{"subnet": "10.0.0.0/8"}]])"), "ipam.ranges[0]", "ipam.subnet"},
    {"Routes", ipam(R"("routes": {})"), "ipam.routes", "list"},
    {"RouteText", ipam(R"("routes": [{"dst": "0.0.0.0/0"}, "x"])"), "ipam.routes[1]", "object"},
    {"RouteNull", ipam(R"("routes": [null])"), "ipam.routes[0]", "null"},
    {"RouteDst", ipam(R"("routes": [{"dst": 5}])"), "ipam.routes[0].dst", "5"},
    {"RouteWithoutDst", ipam(R"("routes": [{"gw": "10.9.0.1"}])"), "ipam.routes[0].dst", "missing"},
    {"RouteGw", ipam(R"("routes": [{"dst": "0.0.0.0/0", "gw": "x"}])"), "ipam.routes[0].gw", "x"},
    {"RouteMtu", ipam(R"("routes": [{"dst": "0.0.0.0/0", "mtu": "1400"}])"), "ipam.routes[0].mtu", "1400"},
    {"RouteMtuFraction", ipam(R"("routes": [{"dst": "0.0.0.0/0", "mtu": 1400.0}])"), "ipam.routes[0].mtu", "1400"},
    {"RouteAdvmss", ipam(R"("routes": [{"dst": "0.0.0.0/0", "advmss": []}])"), "ipam.routes[0].advmss", "list"},
    {"RoutePriority", ipam(R"("routes": [{"dst": "0.0.0.0/0", "priority": true}])"), "ipam.routes[0].priority", "true"},
    {"RouteTable", ipam(R"("routes": [{"dst": "0.0.0.0/0", "table": "main"}])"), "ipam.routes[0].table", "main"},
    {"RouteScope", ipam(R"("routes": [{"dst": "0.0.0.0/0", "scope": "link"}])"), "ipam.routes[0].scope", "link"},
    {"DataDir", ipam(R"("dataDir": ["/x"])"), "ipam.dataDir", "list"},
    {"ResolvConf", ipam(R"("resolvConf": true)"), "ipam.resolvConf", "true"},
    {"Exclude", ipam(R"("exclude": "10.9.0.5")"), "ipam.exclude", "list"},
    {"ExcludeNull", ipam(R"("exclude": [null])"), "ipam.exclude[0]", "null"},
    {"ExcludeNumber", ipam(R"("exclude": [10])"), "ipam.exclude[0]", "10"},
    {"ExcludeText", ipam(R"("exclude": ["10.9.0.5", "ten"])"), "ipam.exclude[1]", "ten"},
    {"ExcludeLongPrefix", ipam(R"("exclude": ["10.9.0.0/33"])"), "ipam.exclude[0]", "10.9.0.0/33"},
    {"ExcludeHostBits", ipam(R"("exclude": ["10.9.0.5/28"])"), "ipam.exclude[0]", "10.9.0.0/28"},
    {"ExcludeAll", ipam(R"("exclude": ["10.0.0.0/8"])"), "ipam.exclude", "ipam.subnet"},
    {"RuntimeConfig", beside(R"("runtimeConfig": [])"), "runtimeConfig", "object"},
    {"IpRanges", beside(R"("runtimeConfig": {"ipRanges": "x"})"), "runtimeConfig.ipRanges", "list"},
    {"IpRangesSubnet", runtime_range(R"("subnet": 5)"), "runtimeConfig.ipRanges[0][0].subnet", "5"},
    {"IpRangesGateway", runtime_range(kNet + R"("gateway": "x")"), "runtimeConfig.ipRanges[0][0].gateway", "x"},
    {"IpRangesEmptySet", beside(R"("runtimeConfig": {"ipRanges": [[]]})"), "runtimeConfig.ipRanges[0]", "at least one"},
    {"IpRangesNull", beside(R"("runtimeConfig": {"ipRanges": [[null]]})"), "runtimeConfig.ipRanges[0][0]", "null"},
    {"RuntimeIps", beside(R"("runtimeConfig": {"ips": "10.9.0.5"})"), "runtimeConfig.ips", "list"},
    {"RuntimeIpsNull", beside(R"("runtimeConfig": {"ips": [null]})"), "runtimeConfig.ips[0]", "null"},
    {"RuntimeIpsEmpty", beside(R"("runtimeConfig": {"ips": [""]})"), "runtimeConfig.ips[0]", "IP address"},
    {"RuntimeIpsPrefix", beside(R"("runtimeConfig": {"ips": ["10.9.0.5/33"]})"), "runtimeConfig.ips[0]", "10.9.0.5/33"},
    {"RuntimeIpsZone", beside(R"("runtimeConfig": {"ips": ["fe80::1%eth0"]})"), "runtimeConfig.ips[0]", "fe80::1%eth0"},
    {"Args", beside(R"("args": 5)"), "args", "object"},
    {"ArgsCni", beside(R"("args": {"cni": "x"})"), "args.cni", "object"},
    {"ArgsIps", beside(R"("args": {"cni": {"ips": {}}})"), "args.cni.ips", "list"},
    {"ArgsIpsNull", beside(R"("args": {"cni": {"ips": [null]}})"), "args.cni.ips[0]", "null"},
    {"ArgsIpsBlank", beside(R"("args": {"cni": {"ips": ["10.9.0.5", " 10.9.0.6"]}})"), "args.cni.ips[1]", " 10.9.0.6"},
};

class RefusedKeys : public HostTest, public ::testing::WithParamInterface<Refused> {};

INSTANTIATE_TEST_SUITE_P(Table, RefusedKeys, ::testing::ValuesIn(kRefused),
                         [](const auto& test) { return test.param.name; });

TEST_P(RefusedKeys, AreNamedWithTheirFullPathBeforeAnyChange) {
  PARITY("T14 T76 D31 D34");
  const Json config =
      Json::parse(R"({"cniVersion": "1.1.0", "name": "store", "type": "host-local", )" + GetParam().members + "}");
  const Snapshot before = Snapshot::of_host();
  const std::vector<std::string> words{"key \"" + GetParam().key + "\"", GetParam().word};
  EXPECT_TRUE(failed(add(config, pod("c1")), code::kConfig, words));
  EXPECT_TRUE(failed(check(config, pod("c1")), code::kConfig, words));
  EXPECT_TRUE(failed(status(config), code::kConfig, words));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

class HostLocalKeys : public HostTest {};

TEST_F(HostLocalKeys, NullAndEmptyCountAsAbsent) {
  PARITY("T14 T76");
  for (const char* patch :
       {R"({"ipam": {"rangeStart": "", "rangeEnd": "", "gateway": ""}})",
        R"({"ipam": {"subnet": "", "routes": [], "resolvConf": "", "exclude": []}})",
        R"({"ipam": {"dataDir": "", "type": ""}})",
        R"({"runtimeConfig": {"ips": [], "ipRanges": []}, "args": {"cni": {"ips": []}}})", R"({"args": {}})"}) {
    Json config = host_local_config();
    config.merge_patch(Json::parse(patch));
    EXPECT_EQ(first_address(config, pod("c1")), "10.1.0.2/24") << patch;
    std::filesystem::remove_all("/var/lib/cni");
  }
  const Json nulls = Json::parse(R"({"cniVersion": "1.1.0", "name": "store", "type": "host-local", "args": null,
    "runtimeConfig": {"ips": null, "ipRanges": null}, "ipam": {"subnet": null, "rangeStart": null, "rangeEnd": null,
    "gateway": null, "routes": null, "resolvConf": null, "dataDir": null, "exclude": null, "type": null,
    "ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": null, "rangeEnd": null, "gateway": null}]]}})");
  EXPECT_EQ(first_address(nulls, pod("c1")), "10.1.0.2/24");
}

TEST_F(HostLocalKeys, CaseDoesNotMatterAndUnknownKeysAreIgnored) {
  PARITY("T14");
  const Json config = Json::parse(R"({"CNIVERSION": "1.1.0", "Name": "store", "type": "host-local", "dns": 5,
    "capabilities": 5, "prevResult": "x", "IPAM": {"Extra": 1, "ROUTES": [{"DST": "0.0.0.0/0", "Gw": "10.1.0.10"}],
    "Ranges": [[{"SUBNET": "10.1.0.0/24", "RANGESTART": "10.1.0.9", "rangeend": "10.1.0.11", "GateWay": "10.1.0.10",
                 "extra": []}]], "EXCLUDE": ["10.1.0.9"]}})");
  const Json result = must_add(config, pod("c1"));
  EXPECT_EQ(addresses_of(result), std::vector<std::string>{"10.1.0.11/24"});
  EXPECT_EQ(result.at("ips").at(0).at("gateway"), "10.1.0.10");
  EXPECT_EQ(result.at("routes").at(0).at("gw"), "10.1.0.10");
}

TEST_F(HostLocalKeys, OldStyleRangeHasAllItsKeys) {
  PARITY("T74 T77");
  Json config = host_local_config({});
  config["ipam"].erase("ranges");
  config["ipam"].merge_patch(Json::parse(
      R"({"subnet": "10.2.0.0/24", "rangeStart": "10.2.0.5", "rangeEnd": "10.2.0.7", "gateway": "10.2.0.6"})"));
  const Json result = must_add(config, pod("c1"));
  EXPECT_EQ(result.at("ips"), Json::parse(R"([{"address": "10.2.0.5/24", "gateway": "10.2.0.6"}])"));
  EXPECT_EQ(first_address(config, pod("c2")), "10.2.0.7/24") << "the gateway is skipped";
  EXPECT_TRUE(failed(add(config, pod("c3")), code::kNoAddress, {"10.2.0.5-10.2.0.7 (2 of 2 reserved)"}));
}

TEST_F(HostLocalKeys, WithoutSubnetTheOtherOldKeysMeanNothing) {
  PARITY("T74");
  Json config = host_local_config();
  config["ipam"].merge_patch(
      Json::parse(R"({"rangeStart": "10.9.0.9", "rangeEnd": "10.9.0.10", "gateway": "10.7.0.1"})"));
  EXPECT_EQ(must_add(config, pod("c1")).at("ips"),
            Json::parse(R"([{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}])"));
}

TEST_F(HostLocalKeys, TheFirstAddressIsGivenIfItIsNotTheGateway) {
  PARITY("T77 D43");
  const Json config = with_ranges(Json::parse(R"([[{"subnet": "10.1.0.0/24", "gateway": "10.1.0.254"}]])"));
  EXPECT_EQ(first_address(config, pod("c1")), "10.1.0.1/24") << "rangeStart's default is the first, not the second";
}

TEST_F(HostLocalKeys, RequestsOfAllPlacesMeetSetsOfAllPlaces) {
  PARITY("T74 T79");
  Json config = host_local_config({"10.3.0.0/24", "fd01::/64"});
  config["ipam"]["subnet"] = "10.2.0.0/24";
  config["runtimeConfig"]["ipRanges"] = Json::parse(R"([[{"subnet": "10.1.0.0/24"}]])");
  config["runtimeConfig"]["ips"] = {"fd01::99/64", "10.3.0.44", "10.1.0.9"};
  config["args"]["cni"]["ips"] = {"10.2.0.9/16"};
  EXPECT_EQ(addresses_of(must_add(config, pod("c1", "eth0", "IP=10.1.0.9"))),
            (std::vector<std::string>{"10.1.0.9/24", "10.2.0.9/24", "10.3.0.44/24", "fd01::99/64"}))
      << "each in its set's place and with its subnet's prefix; the same one twice is one";
  config["runtimeConfig"]["ips"] = {"fd01::aa"};
  config["args"]["cni"].erase("ips");
  EXPECT_EQ(addresses_of(must_add(config, pod("c2"))),
            (std::vector<std::string>{"10.1.0.10/24", "10.2.0.10/24", "10.3.0.45/24", "fd01::aa/64"}))
      << "sets without a request go round from where the last request left them";
}

TEST_F(HostLocalKeys, RequestsMayBeSpelledInManyWays) {
  PARITY("T79");
  const Json config = host_local_config({"10.1.0.0/24", "fd01::/64"});
  int number = 9;
  for (const char* text :
       {"10.1.0.9", "10.1.0.10/24", "10.1.0.11/0", "::ffff:10.1.0.12", "::ffff:a01:d", "::ffff:10.1.0.14/120"}) {
    EXPECT_EQ(first_address(config, pod("c" + std::to_string(number), "eth0", std::string("IP=") + text)),
              "10.1.0." + std::to_string(number) + "/24")
        << text;
    ++number;
  }
  EXPECT_EQ(addresses_of(must_add(config, pod("six", "eth0", "IP=FD01:0::00AB"))).at(1), "fd01::ab/64");
  EXPECT_TRUE(reserved("fd01::ab")) << "the file has the canonical name";
  for (const char* text : {"x", "10.1.0.9/33", "10.1.0.09", " 10.1.0.9", "10.1.0", "fe80::1%eth0"}) {
    EXPECT_TRUE(failed(add(config, pod("bad", "eth0", std::string("IP=") + text)), code::kEnvironment, {"IP", text}));
  }
}

TEST_F(HostLocalKeys, MappedBoundsAndGatewayAreIpv4) {
  PARITY("T76");
  const Json config = with_ranges(Json::parse(R"([[{"subnet": "10.1.0.0/24", "rangeStart": "::ffff:10.1.0.5",
    "rangeEnd": "::ffff:10.1.0.6", "gateway": "::ffff:10.1.0.5"}]])"));
  EXPECT_EQ(must_add(config, pod("c1")).at("ips"),
            Json::parse(R"([{"address": "10.1.0.6/24", "gateway": "10.1.0.5"}])"));
  EXPECT_EQ(read_file(kStore + "/last_reserved_ip.0"), "10.1.0.6");
}

TEST_F(HostLocalKeys, RoundRobinGoesThroughAllRangesOfASet) {
  PARITY("T76 T78");
  const Json config = with_ranges(Json::parse(R"([[
    {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "rangeEnd": "10.1.0.6"},
    {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.20", "rangeEnd": "10.1.0.20"}, {"subnet": "10.2.0.0/30"}]])"));
  EXPECT_EQ(first_address(config, pod("a")), "10.1.0.5/24");
  EXPECT_EQ(first_address(config, pod("b")), "10.1.0.6/24");
  must_del(config, pod("a"));
  EXPECT_EQ(first_address(config, pod("c")), "10.1.0.20/24") << "on to the next range";
  const Json in_last = must_add(config, pod("d"));
  EXPECT_EQ(in_last.at("ips"), Json::parse(R"([{"address": "10.2.0.2/30", "gateway": "10.2.0.1"}])"))
      << "prefix and gateway are those of the range";
  EXPECT_EQ(first_address(config, pod("e")), "10.1.0.5/24") << "around to the first";
  EXPECT_TRUE(failed(add(config, pod("f")), code::kNoAddress, {"10.1.0.20, 10.2.0.0/30 (4 of 4 reserved)"}));
  must_del(config, pod("c"));
  EXPECT_EQ(first_address(config, pod("g", "eth0", "IP=10.1.0.20")), "10.1.0.20/24");
}

TEST_F(HostLocalKeys, AReservationOfTheOldFormatStandsForTheContainer) {
  PARITY("T80 T83");
  const Json config = host_local_config();
  write_file(kStore + "/10.1.0.9", "c1");
  EXPECT_TRUE(failed(add(config, pod("c1", "eth7")), code::kInTheWay, {"10.1.0.9"})) << "the pod may be alive";
  EXPECT_TRUE(succeeded_silently(check(config, pod("c1", "eth7"))));
  EXPECT_TRUE(succeeded_silently(del(config, pod("c1", "eth7"))));
  EXPECT_FALSE(reserved("10.1.0.9"));
}

TEST_F(HostLocalKeys, AnAttachmentNeverGathersAddressesOfOneSet) {
  PARITY("T80 D28");
  const Json config = host_local_config();
  must_add(config, pod("c1"));
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.1.0.9")), code::kInTheWay, {"10.1.0.2"}));
  EXPECT_FALSE(reserved("10.1.0.9"));
}

}  // namespace
}  // namespace cnio::test
