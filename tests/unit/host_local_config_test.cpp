// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "host-local/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::host_local {
namespace {

// A request as the plugin gets it; `ipam` is the text of that object, `more` other members of the configuration.
protocol::Request request(const std::string& ipam, const std::string& more = "", const std::string& args = "",
                          const std::string& command = "ADD", const std::string& version = "1.1.0") {
  const protocol::Environment environment({"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/x",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + args});
  auto parsed = protocol::parse_environment(environment);
  EXPECT_OK(parsed);
  protocol::Request out = std::move(parsed).value();
  EXPECT_OK(protocol::parse_stdin(out, R"({"cniVersion": ")" + version + R"(", "name": "net", "type": "host-local")" +
                                           (ipam.empty() ? "" : R"(, "ipam": )" + ipam) + more + "}"));
  return out;
}

std::string ranges(const std::string& range) { return R"({"ranges": [[)" + range + "]]}"; }
const std::string kNet = ranges(R"({"subnet": "10.1.0.0/24"})");

using Texts = std::vector<std::string>;

Texts texts(const std::vector<IpAddr>& addrs) {
  Texts out;
  for (const IpAddr& addr : addrs) out.push_back(addr.to_string());
  return out;
}

Texts sets_of(const protocol::Request& req) {
  const auto config = parse_config(req);
  EXPECT_OK(config);
  Texts out;
  if (!config.ok()) return out;
  for (const ipam::RangeSet& set : config.value().sets) out.push_back(set.to_string());
  return out;
}

ipam::Range range_of(const std::string& text) {
  const auto config = parse_config(request(ranges(text)));
  EXPECT_OK(config) << text;
  return config.ok() ? config.value().sets.at(0).ranges().at(0) : ipam::Range{};
}

TEST(HostLocalConfig, Defaults) {
  const auto config = parse_config(request(kNet));
  ASSERT_OK(config);
  EXPECT_EQ(config.value().store.folder, "/var/lib/cni/networks/net");
  EXPECT_EQ(config.value().resolv_conf, "");
  EXPECT_TRUE(config.value().routes.empty());
  EXPECT_TRUE(config.value().requested.empty());
  const ipam::Range& range = config.value().sets.at(0).ranges().at(0);
  EXPECT_EQ(range.first.to_string(), "10.1.0.1");
  EXPECT_EQ(range.last.to_string(), "10.1.0.254");
  EXPECT_EQ(range.gateway.to_string(), "10.1.0.1");
}

TEST(HostLocalConfig, EveryKeyOfARange) {
  const ipam::Range range = range_of(
      R"({"subnet": "10.1.0.0/16", "rangeStart": "10.1.3.20", "rangeEnd": "10.1.3.50", "gateway": "10.1.3.254"})");
  EXPECT_EQ(range.subnet.to_string(), "10.1.0.0/16");
  EXPECT_EQ(range.first.to_string(), "10.1.3.20");
  EXPECT_EQ(range.last.to_string(), "10.1.3.50");
  EXPECT_EQ(range.gateway.to_string(), "10.1.3.254");
}

TEST(HostLocalConfig, AcceptableRanges) {
  for (const char* text :
       {R"({"subnet": "10.1.0.0/30"})", R"({"subnet": "fd01::/126"})", R"({"subnet": "0.0.0.0/0"})",
        R"({"subnet": "::/0"})", R"({"SUBNET": "10.1.0.0/24", "RangeStart": "10.1.0.5"})",
        R"({"subnet": "10.1.0.0/24", "rangeStart": "", "rangeEnd": null, "gateway": ""})",
        R"({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.0", "rangeEnd": "10.1.0.255"})",
        R"({"subnet": "10.1.0.0/24", "rangeStart": "::ffff:10.1.0.5"})",
        R"({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "rangeEnd": "10.1.0.5"})",
        R"({"subnet": "fd01::/64", "gateway": "fe80::1"})", R"({"subnet": "10.1.0.0/24", "unknown": 1})"}) {
    EXPECT_OK(parse_config(request(ranges(text)))) << text;
  }
}

struct Bad {
  std::string ipam;
  std::string key;
  std::string word;
};

TEST(HostLocalConfig, BadRangesAreRefusedWithKeyAndValue) {
  const std::string first = "ipam.ranges[0][0].";
  for (const Bad& bad : std::vector<Bad>{
           {ranges(R"({"subnet": "10.1.0.5/24"})"), first + "subnet", "10.1.0.5/24"},
           {ranges(R"({"subnet": "10.1.0.0/31"})"), first + "subnet", "10.1.0.0/31"},
           {ranges(R"({"subnet": "fd01::/127"})"), first + "subnet", "fd01::/127"},
           {ranges(R"({"subnet": "::ffff:10.1.0.0/120"})"), first + "subnet", "::ffff:10.1.0.0/120"},
           {ranges(R"({"subnet": "10.1.0.0"})"), first + "subnet", "10.1.0.0"},
           {ranges(R"({"subnet": "10.1.0.0/33"})"), first + "subnet", "10.1.0.0/33"},
           {ranges(R"({"subnet": 10})"), first + "subnet", "10"},
           {ranges("{}"), first + "subnet", "missing"},
           {ranges(R"({"subnet": ""})"), first + "subnet", "missing"},
           {ranges(R"({"rangeStart": "10.1.0.1"})"), first + "subnet", "missing"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.9"})"), first + "rangeStart", "10.2.0.9"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeStart": "fd01::9"})"), first + "rangeStart", "fd01::9"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.05"})"), first + "rangeStart", "10.1.0.05"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.1.1.0"})"), first + "rangeEnd", "10.1.1.0"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.1.0.0"})"), first + "rangeEnd", "10.1.0.0"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"})"),
            first + "rangeStart", "10.1.0.9 to 10.1.0.8"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "x"})"), first + "gateway", "x"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "fd01::1"})"), first + "gateway", "fd01::1"},
           {ranges(R"({"subnet": "fd01::/64", "gateway": "10.1.0.1"})"), first + "gateway", "10.1.0.1"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "10.2.0.1"})"), first + "gateway", "10.2.0.1"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "169.254.1.1"})"), first + "gateway", "169.254.1.1"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "10.1.0.0"})"), first + "gateway", "10.1.0.0"},
           {ranges(R"({"subnet": "10.1.0.0/24", "gateway": "10.1.0.255"})"), first + "gateway", "10.1.0.255"},
           {ranges(R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.1.0.1"})"), "ipam.ranges[0]", "is the gateway"},
           {ranges(R"({"subnet": "10.1.0.0/24"}, {"subnet": "fd01::/64"})"), "ipam.ranges[0]", "family"},
           {ranges(R"({"subnet": "10.1.0.0/16"}, {"subnet": "10.1.3.0/24"})"), "ipam.ranges[0][1].subnet", "overlaps"},
           {ranges("null"), "ipam.ranges[0][0]", "null"},
           {R"({"ranges": [[{"subnet": "10.1.0.0/16"}], [{"subnet": "10.1.3.0/24"}]]})", "ipam.ranges[1]", "overlaps"},
           {R"({"subnet": "10.1.0.0/24", "ranges": [[{"subnet": "10.1.0.0/16"}]]})", "ipam.ranges[0]", "ipam.subnet"},
           {R"({"ranges": [[{"subnet": "10.1.0.0/24"}], []]})", "ipam.ranges[1]", "at least one"},
           {R"({"ranges": [null]})", "ipam.ranges[0]", "null"},
           {R"({"ranges": {}})", "ipam.ranges", "list"},
           {R"({"ranges": []})", "ipam.ranges", "missing"},
           {R"({"ranges": null})", "ipam.ranges", "missing"},
           {"{}", "ipam.ranges", "missing"},
           {R"({"subnet": "10.1.0.7/24"})", "ipam.subnet", "10.1.0.0/24"},
           {R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.1.0.1"})", "ipam.subnet", "is the gateway"},
           {R"({"rangeStart": "x", "ranges": [[{"subnet": "10.1.0.0/24"}]]})", "ipam.rangeStart", "x"},
           {"", "ipam", "missing"},
           {"null", "ipam", "missing"},
           {"[]", "ipam", "object"},
           {R"("x")", "ipam", "object"}}) {
    EXPECT_ERROR(parse_config(request(bad.ipam)), Code::kInvalidConfig, '"' + bad.key + '"', bad.word) << bad.ipam;
  }
}

TEST(HostLocalConfig, OtherBadKeysAreRefusedWithKeyAndValue) {
  const auto with = [](const std::string& member) { return R"({"subnet": "10.1.0.0/24", )" + member + "}"; };
  for (const Bad& bad : std::vector<Bad>{
           {with(R"("routes": [{"dst": "x"}])"), "ipam.routes[0].dst", "x"},
           {with(R"("routes": [{}])"), "ipam.routes[0].dst", "missing"},
           {with(R"("routes": [null])"), "ipam.routes[0]", "null"},
           {with(R"("routes": 1)"), "ipam.routes", "1"},
           {with(R"("dataDir": 5)"), "ipam.dataDir", "5"},
           {with(R"("dataDir": "/x\u0000y")"), "ipam.dataDir", "NUL"},
           {with(R"("resolvConf": [])"), "ipam.resolvConf", "list"},
           {with(R"("resolvConf": "/x\u0000y")"), "ipam.resolvConf", "NUL"},
           {with(R"("type": 5)"), "ipam.type", "5"},
           {with(R"("exclude": "10.1.0.9")"), "ipam.exclude", "list"},
           {with(R"("exclude": {})"), "ipam.exclude", "object"},
           {with(R"("exclude": [9])"), "ipam.exclude[0]", "9"},
           {with(R"("exclude": [null])"), "ipam.exclude[0]", "null"},
           {with(R"("exclude": [""])"), "ipam.exclude[0]", "IP address"},
           {with(R"("exclude": ["10.1.0.9", "x"])"), "ipam.exclude[1]", "\"x\""},
           {with(R"("exclude": ["10.1.0.0/33"])"), "ipam.exclude[0]", "10.1.0.0/33"},
           {with(R"("exclude": ["10.1.0.1-10.1.0.9"])"), "ipam.exclude[0]", "network"},
           {with(R"("exclude": ["10.1.0.9/24"])"), "ipam.exclude[0]", "did you mean 10.1.0.0/24 or 10.1.0.9?"},
           {with(R"("exclude": ["10.1.0.0/24"])"), "ipam.exclude", "10.1.0.0/24 of \"ipam.subnet\""},
           {with(R"("exclude": ["0.0.0.0/0"])"), "ipam.exclude", "no address"}}) {
    EXPECT_ERROR(parse_config(request(bad.ipam)), Code::kInvalidConfig, '"' + bad.key + '"', bad.word) << bad.ipam;
  }
}

TEST(HostLocalConfig, OtherBadMembersAreRefusedWithKeyAndValue) {
  for (const Bad& bad : std::vector<Bad>{
           {R"("runtimeConfig": {"ipRanges": [[{"subnet": "10.2.0.1/24"}]]})", "runtimeConfig.ipRanges[0][0].subnet",
            "10.2.0.1/24"},
           {R"("runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/25"}]]})", "ipam.ranges[0]", "overlaps"},
           {R"("runtimeConfig": {"ips": ["x"]})", "runtimeConfig.ips[0]", "x"},
           {R"("runtimeConfig": {"ips": [""]})", "runtimeConfig.ips[0]", ""},
           {R"("runtimeConfig": {"ips": [null]})", "runtimeConfig.ips[0]", "null"},
           {R"("runtimeConfig": [])", "runtimeConfig", "object"},
           {R"("args": {"cni": {"ips": ["10.1.0.9", "10.1.0.999"]}})", "args.cni.ips[1]", "10.1.0.999"},
           {R"("args": {"cni": {"ips": "10.1.0.9"}})", "args.cni.ips", "10.1.0.9"},
           {R"("args": {"cni": 1})", "args.cni", "1"}}) {
    EXPECT_ERROR(parse_config(request(kNet, ", " + bad.ipam)), Code::kInvalidConfig, '"' + bad.key + '"', bad.word)
        << bad.ipam;
  }
}

TEST(HostLocalConfig, SetsComeInTheReferencesOrder) {
  EXPECT_EQ(sets_of(request(R"({"ranges": [[{"subnet": "10.3.0.0/24"}], [{"subnet": "fd03::/64"}]],
                               "subnet": "10.2.0.0/24", "rangeStart": "10.2.0.5"})",
                            R"(, "runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/24"}]]})")),
            Texts({"10.1.0.0/24", "10.2.0.5-10.2.0.254", "10.3.0.0/24", "fd03::/64"}));
}

TEST(HostLocalConfig, RuntimeRangesAreEnough) {
  EXPECT_EQ(sets_of(request("{}", R"(, "runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/24"}]]})")),
            Texts({"10.1.0.0/24"}));
}

TEST(HostLocalConfig, ASetMayPoolDisjointRangesOfOneSubnet) {
  EXPECT_EQ(sets_of(request(ranges(R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.1.0.9"},
                                      {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.20"})"))),
            Texts({"10.1.0.1-10.1.0.9, 10.1.0.20-10.1.0.254"}));
}

TEST(HostLocalConfig, OldVersionsTakeOneSetOfAFamily) {
  const std::string two = R"({"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.2.0.0/24"}]]})";
  const std::string dual = R"({"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd01::/64"}]]})";
  for (const char* version : {"", "0.1.0", "0.2.0"}) {
    EXPECT_ERROR(parse_config(request(two, "", "", "ADD", version)), Code::kInvalidConfig, "\"cniVersion\"", "IPv4");
    EXPECT_OK(parse_config(request(dual, "", "", "ADD", version)));
  }
  EXPECT_OK(parse_config(request(two, "", "", "ADD", "0.3.0")));
}

TEST(HostLocalConfig, RequestedAddressesOfAllSourcesAreJoined) {
  const auto config = parse_config(request(kNet, R"(, "args": {"cni": {"ips": ["10.1.0.8/16", "::ffff:10.1.0.7"]}},
                 "runtimeConfig": {"ips": ["FD01::6", "10.1.0.9/24"]})",
                                           "IP=10.1.0.9"));
  ASSERT_OK(config);
  EXPECT_EQ(texts(config.value().requested), Texts({"10.1.0.9", "10.1.0.8", "10.1.0.7", "fd01::6"}));
}

TEST(HostLocalConfig, CniArgs) {
  EXPECT_OK(parse_config(request(kNet, "", "IP=10.1.0.9;IgnoreUnknown=1;K8S_POD_NAME=x")));
  EXPECT_OK(parse_config(request(kNet, "", "IP=")));
  EXPECT_OK(parse_config(request(kNet, "", "MAC=02:00:00:00:00:01"))) << "meant for bridge";
  EXPECT_OK(parse_config(request(kNet, "", "K8S_POD_NAMESPACE=default;K8S_POD_NAME=x")));
  EXPECT_ERROR(parse_config(request(kNet, "", "IP=x")), Code::kInvalidEnvironment, "CNI_ARGS", "x");
  EXPECT_ERROR(parse_config(request(kNet, "", "ip=10.1.0.9")), Code::kInvalidEnvironment, "ip");
  EXPECT_ERROR(parse_config(request(kNet, "", "FOO=BAR")), Code::kInvalidEnvironment, "FOO");
  EXPECT_ERROR(parse_config(request(kNet, "", "FOO")), Code::kInvalidEnvironment);
  EXPECT_OK(parse_config(request(kNet, "", "FOO", "STATUS"))) << "STATUS does not look at them";
}

TEST(HostLocalConfig, ExcludeConcernsEverySetThatItMeets) {
  const auto config = parse_config(
      request(R"({"subnet": "10.1.0.0/24", "ranges": [[{"subnet": "10.2.0.0/24"}, {"subnet": "10.3.0.0/24"}],
                               [{"subnet": "fd01::/64"}]],
                               "exclude": ["10.1.0.2", "10.3.0.0/25", "::ffff:10.9.0.2", "fd01::/120", "192.0.2.0/24"]})",
              R"(, "runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/24"}]]})"));
  ASSERT_OK(config);
  const auto& sets = config.value().sets;
  ASSERT_EQ(sets.size(), 4U);
  EXPECT_TRUE(sets[0].excludes(*IpAddr::parse("10.9.0.2"))) << "what the runtime adds is not exempt";
  EXPECT_TRUE(sets[1].excludes(*IpAddr::parse("10.1.0.2")));
  EXPECT_FALSE(sets[1].excludes(*IpAddr::parse("10.1.0.3")));
  EXPECT_TRUE(sets[2].excludes(*IpAddr::parse("10.3.0.127")));
  EXPECT_FALSE(sets[2].excludes(*IpAddr::parse("10.2.0.127")));
  EXPECT_TRUE(sets[3].excludes(*IpAddr::parse("fd01::ff")));
  EXPECT_FALSE(sets[3].excludes(*IpAddr::parse("fd01::100")));
}

TEST(HostLocalConfig, ExcludeMayBeEmptyOrMeetNothing) {
  for (const char* list : {"null", "[]", R"(["10.2.0.0/16"])", R"(["fd01::/16", "::1"])"}) {
    const auto config = parse_config(request(R"({"subnet": "10.1.0.0/24", "exclude": )" + std::string(list) + "}"));
    ASSERT_OK(config) << list;
    EXPECT_FALSE(config.value().sets[0].has_excluded()) << list;
  }
}

TEST(HostLocalConfig, ExcludeMustLeaveAnAddressInEverySet) {
  const std::string sets = R"("ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.2.0.0/30"}]])";
  EXPECT_ERROR(parse_config(request("{" + sets + R"(, "exclude": ["10.2.0.2"]})")), Code::kInvalidConfig,
               "\"ipam.exclude\"", "10.2.0.0/30 of \"ipam.ranges[1]\"");
  EXPECT_ERROR(parse_config(request("{" + sets + R"(, "exclude": ["10.1.0.0/25", "10.1.0.128/25"]})")),
               Code::kInvalidConfig, "\"ipam.exclude\"", "\"ipam.ranges[0]\"");
  EXPECT_OK(parse_config(request("{" + sets + R"(, "exclude": ["10.1.0.0/25"]})")));
}

TEST(HostLocalConfig, Routes) {
  const auto config = parse_config(request(R"({"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"},
      {"dst": "10.5.0.0/16", "gw": "10.1.0.254", "mtu": 1400, "priority": 7}]})"));
  ASSERT_OK(config);
  ASSERT_EQ(config.value().routes.size(), 2U);
  EXPECT_TRUE(config.value().routes[0].dst.is_default_route());
  EXPECT_EQ(config.value().routes[1].gw, IpAddr::parse("10.1.0.254"));
  EXPECT_EQ(config.value().routes[1].mtu, 1400);
}

TEST(HostLocalConfig, StoreIsTheFolderOfTheNetwork) {
  const auto store = [](const std::string& folder) {
    const auto config = parse_config(request(R"({"subnet": "10.1.0.0/24", "dataDir": ")" + folder + "\"}"));
    EXPECT_OK(config);
    return config.ok() ? config.value().store.folder : "";
  };
  EXPECT_EQ(store("/data"), "/data/net");
  EXPECT_EQ(store("/data/"), "/data/net");
  EXPECT_EQ(store("data"), "data/net");
  EXPECT_EQ(store("/"), "/net");
  EXPECT_EQ(store(""), "/var/lib/cni/networks/net");
}

TEST(HostLocalConfig, TheLockIsWaitedForAsLongAsSaid) {
  const auto limit = [](const std::string& value) {
    return parse_config(request(R"({"subnet": "10.1.0.0/24", "lockTimeoutSeconds": )" + value + "}"));
  };
  EXPECT_EQ(limit("null").value().store.lock_limit, std::chrono::seconds(20));
  EXPECT_EQ(limit("1").value().store.lock_limit, std::chrono::seconds(1));
  EXPECT_EQ(limit("3600").value().store.lock_limit, std::chrono::hours(1));
  for (const char* bad : {"0", "-1", "3601", "1.5", "\"20\"", "true"}) {
    EXPECT_ERROR(limit(bad), Code::kInvalidConfig, "\"ipam.lockTimeoutSeconds\"");
  }
}

TEST(HostLocalConfig, WhatIsOfBeforeTheLastBootIsReclaimedUnlessToldOtherwise) {
  const auto reclaim = [](const std::string& value) {
    return parse_config(request(R"({"subnet": "10.1.0.0/24", "reclaim": )" + value + "}"));
  };
  for (const char* yes : {"null", "\"\"", "\"reboot\""}) EXPECT_TRUE(reclaim(yes).value().store.reclaim) << yes;
  EXPECT_FALSE(reclaim("\"never\"").value().store.reclaim);
  for (const char* bad : {"\"Never\"", "\"always\"", "false", "1"}) {
    EXPECT_ERROR(reclaim(bad), Code::kInvalidConfig, "\"ipam.reclaim\"");
  }
}

// DEL and GC get along with whatever is there.
StoreConfig store_of(const std::string& ipam, const std::string& more = "", const std::string& args = "") {
  std::vector<std::string> ignored;
  return parse_store(request(ipam, more, args, "DEL"), ignored);
}

TEST(HostLocalConfig, DelAndGcAreContentWithWrongKeysOfTheStore) {
  const StoreConfig store = store_of(R"({"lockTimeoutSeconds": 0, "reclaim": "x"})");
  EXPECT_EQ(store.lock_limit, std::chrono::seconds(20));
  EXPECT_FALSE(store.reclaim) << "what is not understood gives nothing up";
  EXPECT_TRUE(store_of("{}").reclaim);
  EXPECT_EQ(store_of(R"({"lockTimeoutSeconds": 7})").lock_limit, std::chrono::seconds(7));
}

TEST(HostLocalConfig, DelAndGcWorkOnTheStoreWhateverElseIsBroken) {
  FAULT("C10 options");
  for (const std::string ipam : {"", "null", "{}", R"({"ranges": "x", "routes": 1, "type": 7, "resolvConf": []})",
                                 R"({"subnet": "10.1.0.7/24", "dataDir": ""})"}) {
    const StoreConfig store = store_of(ipam, R"(, "args": 1, "runtimeConfig": {"ips": "x"}, "prevResult": 3)", "FOO");
    EXPECT_EQ(store.folder, "/var/lib/cni/networks/net") << ipam;
  }
  EXPECT_EQ(store_of(R"({"ranges": 1, "dataDir": "/data"})", "", "IP=ten").folder, "/data/net");
}

TEST(HostLocalConfig, DelAndGcSayWhenTheyGuessTheFolder) {
  FAULT("C10 options");
  for (const std::string ipam :
       {R"({"dataDir": 5})", R"({"dataDir": ["/data"]})", R"({"dataDir": "/data\u0000/x"})", R"("text")", "[]", "7"}) {
    std::vector<std::string> ignored;
    EXPECT_EQ(parse_store(request(ipam, "", "", "GC"), ignored).folder, "/var/lib/cni/networks/net") << ipam;
    ASSERT_EQ(ignored.size(), 1U) << ipam;
    EXPECT_NE(ignored[0].find("\"ipam"), std::string::npos) << ignored[0];
    EXPECT_NE(ignored[0].find("/var/lib/cni/networks/net"), std::string::npos) << ignored[0];
  }
}

}  // namespace
}  // namespace cnio::host_local
