// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/protocol/result.hpp"

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::protocol {
namespace {

constexpr SpecVersion kAll[] = {SpecVersion::k010, SpecVersion::k020, SpecVersion::k030, SpecVersion::k031,
                                SpecVersion::k040, SpecVersion::k100, SpecVersion::k110};

Json json(std::string_view text) {
  auto parsed = parse_json(text);
  EXPECT_OK(parsed) << text;
  return parsed.ok() ? std::move(parsed).value() : Json();
}

IpConfig ip(std::string_view address, std::string_view gateway = "", std::optional<size_t> interface = {}) {
  return {Cidr::parse(address).value(), IpAddr::parse(gateway), interface};
}

Route route(std::string_view dst, std::string_view gw = "") {
  Route out;
  out.dst = Cidr::parse(dst).value();
  out.gw = IpAddr::parse(gw);
  return out;
}

Interface interface(const std::string& name, const std::string& mac, const std::string& sandbox = "") {
  Interface out;
  out.name = name;
  out.mac = mac;
  out.sandbox = sandbox;
  return out;
}

// Without the white space that the four-space indentation adds; keys keep their order.
std::string compact(const AddResult& result, SpecVersion version) {
  const auto text = format_result(result, version);
  EXPECT_OK(text);
  return text.ok() ? json(text.value()).dump() : std::string();
}

AddResult read(std::string_view text, SpecVersion version) {
  auto result = parse_result(json(text), version, "prevResult", Code::kInvalidConfig);
  EXPECT_OK(result) << text;
  return result.ok() ? std::move(result).value() : AddResult{};
}

// ---- the captured answers of the reference

// bridge with isDefaultGateway on dual-stack host-local.
AddResult dual_stack() {
  AddResult out;
  out.interfaces = {interface("fxbr0", "3e:d8:ba:0c:f1:b4"), interface("veth98a1af49", "56:86:fe:55:b5:2a"),
                    interface("eth0", "f2:96:2f:a5:b3:b3", "/run/netns/fxc1")};
  out.ips = {ip("10.99.0.23/24", "10.99.0.1", 2), ip("fd99::17/64", "fd99::1", 2)};
  out.routes = {route("0.0.0.0/0", "10.99.0.1"), route("::/0", "fd99::1")};
  return out;
}

TEST(Result, DualStackInEveryVersion) {
  PARITY("T20 T22");
  const std::string oldest =
      R"("ip4":{"ip":"10.99.0.23/24","gateway":"10.99.0.1","routes":[{"dst":"0.0.0.0/0","gw":"10.99.0.1"}]},)"
      R"("ip6":{"ip":"fd99::17/64","gateway":"fd99::1","routes":[{"dst":"::/0","gw":"fd99::1"}]},"dns":{}})";
  const std::string middle =
      R"("interfaces":[{"name":"fxbr0","mac":"3e:d8:ba:0c:f1:b4"},{"name":"veth98a1af49","mac":"56:86:fe:55:b5:2a"},)"
      R"({"name":"eth0","mac":"f2:96:2f:a5:b3:b3","sandbox":"/run/netns/fxc1"}],)"
      R"("ips":[{"version":"4","interface":2,"address":"10.99.0.23/24","gateway":"10.99.0.1"},)"
      R"({"version":"6","interface":2,"address":"fd99::17/64","gateway":"fd99::1"}],)"
      R"("routes":[{"dst":"0.0.0.0/0","gw":"10.99.0.1"},{"dst":"::/0","gw":"fd99::1"}],"dns":{}})";
  const std::string current =
      R"("interfaces":[{"mac":"3e:d8:ba:0c:f1:b4","name":"fxbr0"},{"mac":"56:86:fe:55:b5:2a","name":"veth98a1af49"},)"
      R"({"mac":"f2:96:2f:a5:b3:b3","name":"eth0","sandbox":"/run/netns/fxc1"}],)"
      R"("ips":[{"address":"10.99.0.23/24","gateway":"10.99.0.1","interface":2},)"
      R"({"address":"fd99::17/64","gateway":"fd99::1","interface":2}],)"
      R"("routes":[{"dst":"0.0.0.0/0","gw":"10.99.0.1"},{"dst":"::/0","gw":"fd99::1"}]})";
  for (const SpecVersion version : kAll) {
    const std::string& body = version < SpecVersion::k030 ? oldest : version < SpecVersion::k100 ? middle : current;
    EXPECT_EQ(compact(dual_stack(), version), "{\"cniVersion\":\"" + std::string(to_string(version)) + "\"," + body);
  }
}

TEST(Result, WithoutAddresses) {
  AddResult result;
  result.interfaces = {interface("fxbr1", "ae:0a:13:76:45:1e"), interface("eth0", "aa:e4:d5:e0:f9:2e", "/x")};
  EXPECT_EQ(compact(result, SpecVersion::k040),
            R"({"cniVersion":"0.4.0","interfaces":[{"name":"fxbr1","mac":"ae:0a:13:76:45:1e"},)"
            R"({"name":"eth0","mac":"aa:e4:d5:e0:f9:2e","sandbox":"/x"}],"dns":{}})");
  EXPECT_EQ(compact({}, SpecVersion::k110), R"({"cniVersion":"1.1.0"})");
  EXPECT_EQ(compact({}, SpecVersion::k030), R"({"cniVersion":"0.3.0","dns":{}})");
  EXPECT_ERROR(format_result(result, SpecVersion::k020), Code::kUnsupportedField, "0.2.0", "without addresses");
  EXPECT_ERROR(format_result({}, SpecVersion::k010), Code::kUnsupportedField);
}

TEST(Result, EveryRouteMember) {
  PARITY("T21");
  AddResult result;
  result.ips = {ip("10.99.0.10/24", "10.99.0.1")};
  Route full = route("10.50.0.0/16", "10.99.0.1");
  full.mtu = 1400;
  full.advmss = 1360;
  full.priority = 77;
  full.table = 100;
  full.scope = 0;
  Route zeros = route("10.51.0.0/16");
  zeros.mtu = zeros.advmss = zeros.priority = 0;
  zeros.table = zeros.scope = 0;
  result.routes = {full, zeros};
  EXPECT_EQ(compact(result, SpecVersion::k031),
            R"({"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.99.0.10/24","gateway":"10.99.0.1"}],)"
            R"("routes":[{"dst":"10.50.0.0/16","gw":"10.99.0.1","mtu":1400,"advmss":1360,"priority":77,"table":100,)"
            R"("scope":0},{"dst":"10.51.0.0/16","table":0,"scope":0}],"dns":{}})");
  EXPECT_EQ(compact(result, SpecVersion::k110),
            R"({"cniVersion":"1.1.0","ips":[{"address":"10.99.0.10/24","gateway":"10.99.0.1"}],)"
            R"("routes":[{"advmss":1360,"dst":"10.50.0.0/16","gw":"10.99.0.1","mtu":1400,"priority":77,"scope":0,)"
            R"("table":100},{"dst":"10.51.0.0/16","scope":0,"table":0}]})");
  EXPECT_EQ(compact(result, SpecVersion::k020),
            R"({"cniVersion":"0.2.0","ip4":{"ip":"10.99.0.10/24","gateway":"10.99.0.1",)"
            R"("routes":[{"dst":"10.50.0.0/16","gw":"10.99.0.1"},{"dst":"10.51.0.0/16"}]},"dns":{}})");
}

TEST(Result, EveryInterfaceMember) {
  AddResult result;
  Interface full = interface("eth0", "", "/run/netns/x");
  full.mtu = 1500;
  full.socket_path = "/run/s";
  full.pci_id = "0000:00:1f.6";
  result.interfaces = {full, interface("", "")};
  EXPECT_EQ(compact(result, SpecVersion::k110),
            R"({"cniVersion":"1.1.0","interfaces":[{"mtu":1500,"name":"eth0","pciID":"0000:00:1f.6",)"
            R"("sandbox":"/run/netns/x","socketPath":"/run/s"},{"name":""}]})");
  EXPECT_EQ(compact(result, SpecVersion::k040),
            R"({"cniVersion":"0.4.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/x"},{"name":""}],"dns":{}})");
}

TEST(Result, InterfaceNumberZeroIsNotLeftOut) {
  AddResult result;
  result.interfaces = {interface("lo", "00:00:00:00:00:00", "/x")};
  result.ips = {ip("127.0.0.1/8", "", 0)};
  EXPECT_EQ(compact(result, SpecVersion::k100),
            R"({"cniVersion":"1.0.0","interfaces":[{"mac":"00:00:00:00:00:00","name":"lo","sandbox":"/x"}],)"
            R"("ips":[{"address":"127.0.0.1/8","interface":0}]})");
}

TEST(Result, Dns) {
  AddResult result;
  result.ips = {ip("10.99.0.15/24", "10.99.0.1")};
  result.dns = {{"10.0.0.53"}, "d.example", {"a.example", "b.example"}, {"ndots:2"}};
  const std::string older =
      R"("dns":{"nameservers":["10.0.0.53"],"domain":"d.example","search":["a.example","b.example"],)"
      R"("options":["ndots:2"]}})";
  EXPECT_EQ(compact(result, SpecVersion::k100),
            R"({"cniVersion":"1.0.0","dns":{"domain":"d.example","nameservers":["10.0.0.53"],"options":["ndots:2"],)"
            R"("search":["a.example","b.example"]},"ips":[{"address":"10.99.0.15/24","gateway":"10.99.0.1"}]})");
  EXPECT_EQ(
      compact(result, SpecVersion::k040),
      R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.99.0.15/24","gateway":"10.99.0.1"}],)" + older);
  EXPECT_EQ(compact(result, SpecVersion::k010),
            R"({"cniVersion":"0.1.0","ip4":{"ip":"10.99.0.15/24","gateway":"10.99.0.1"},)" + older);
}

TEST(Result, OldVersionsHoldTheFirstAddressOfEachFamily) {
  PARITY("T23 T24");
  AddResult result;
  result.ips = {ip("fd99::5/64"), ip("10.1.0.5/24", "10.1.0.1"), ip("10.2.0.5/24", "10.2.0.1"), ip("fd98::5/64")};
  EXPECT_EQ(
      compact(result, SpecVersion::k020),
      R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.5/24","gateway":"10.1.0.1"},"ip6":{"ip":"fd99::5/64"},"dns":{}})");
  result.ips = {ip("10.1.0.5/24")};
  result.routes = {route("::/0"), route("10.0.0.0/8")};
  EXPECT_EQ(compact(result, SpecVersion::k020),
            R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.5/24","routes":[{"dst":"10.0.0.0/8"}]},"dns":{}})");
}

TEST(Result, IsIndentedAndEscaped) {
  PARITY("T13");
  AddResult result;
  result.interfaces = {interface("<a&b>", "")};
  EXPECT_EQ(format_result(result, SpecVersion::k110).value(),
            "{\n    \"cniVersion\": \"1.1.0\",\n    \"interfaces\": [\n        {\n            \"name\": "
            "\"\\u003ca\\u0026b\\u003e\"\n        }\n    ]\n}");
}

// ---- reading

TEST(Result, WhatIsWrittenIsReadBack) {
  for (const SpecVersion version : kAll) {
    const std::string once = compact(dual_stack(), version);
    EXPECT_EQ(compact(read(once, version), version), once);
  }
}

TEST(Result, OldestShapeIsLiftedToTheNewest) {
  const AddResult result = read(
      R"({"ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1", "routes": [{"dst": "10.0.0.0/8"}]},
          "ip6": {"ip": "fd01::5/64", "routes": [{"dst": "::/0", "gw": "fd01::1"}]}, "dns": {"domain": "d"}})",
      SpecVersion::k020);
  EXPECT_EQ(compact(result, SpecVersion::k110),
            R"({"cniVersion":"1.1.0","dns":{"domain":"d"},"ips":[{"address":"10.1.0.5/24","gateway":"10.1.0.1"},)"
            R"({"address":"fd01::5/64"}],"routes":[{"dst":"10.0.0.0/8"},{"dst":"::/0","gw":"fd01::1"}]})");
}

TEST(Result, TheVersionDecidesWhichKeysCount) {
  const char* text = R"({"ip4": {"ip": "10.1.0.5/24"}, "ips": [{"address": "10.2.0.5/24"}]})";
  EXPECT_EQ(read(text, SpecVersion::k020).ips.at(0).address.to_string(), "10.1.0.5/24");
  EXPECT_EQ(read(text, SpecVersion::k030).ips.at(0).address.to_string(), "10.2.0.5/24");
  EXPECT_EQ(read(text, SpecVersion::k030).ips.size(), 1U);
}

TEST(Result, UnknownKeysAreDroppedAndAddressesReSpelled) {
  const AddResult result = read(
      R"({"x": 1, "ips": [{"version": "6", "address": "FD01:0::5/64", "y": 2}, {"address": "::ffff:10.1.0.5/120"}]})",
      SpecVersion::k110);
  EXPECT_EQ(compact(result, SpecVersion::k110),
            R"({"cniVersion":"1.1.0","ips":[{"address":"fd01::5/64"},{"address":"10.1.0.5/24"}]})");
}

// A runtime whose decoder keeps numbers as floating point writes integers back as 1.0.
TEST(Result, WholeFloatingPointNumbersAreIntegers) {
  const AddResult result = read(
      R"({"interfaces": [{"name": "a", "mtu": 1500.0}], "ips": [{"address": "10.1.0.5/24", "interface": 0.0}],
          "routes": [{"dst": "10.0.0.0/8", "mtu": 1.4e3, "priority": 7.0, "table": 100.0, "scope": 253.0}]})",
      SpecVersion::k110);
  EXPECT_EQ(result.interfaces.at(0).mtu, 1500);
  EXPECT_EQ(result.ips.at(0).interface, 0U);
  EXPECT_EQ(result.routes.at(0).mtu, 1400);
  EXPECT_EQ(result.routes.at(0).table, 100);
  EXPECT_EQ(result.routes.at(0).scope, 253);
}

TEST(Result, WrongContentNamesTheKey) {
  struct Bad {
    SpecVersion version;
    std::string text;
    std::string says;
  };
  const auto now = SpecVersion::k110;
  for (const Bad& bad : std::vector<Bad>{
           {now, "[]", "prevResult: must be an object"},
           {now, "7", "prevResult: must be an object"},
           {now, R"({"ips": {}})", "prevResult.ips\": must be a list"},
           {now, R"({"ips": [null]})", "prevResult.ips[0]\": must be an object, not null"},
           {SpecVersion::k030, R"({"ips": [null]})", "prevResult.ips[0]\": must be an object, not null"},
           {now, R"({"ips": [{}]})", "prevResult.ips[0].address\": is missing"},
           {now, R"({"ips": [{"address": "10.1.0.5"}]})", "prevResult.ips[0].address"},
           {now, R"({"ips": [{"address": 5}]})", "prevResult.ips[0].address\": must be a string"},
           {now, R"({"ips": [{"address": "10.1.0.5/24", "gateway": "x"}]})", "prevResult.ips[0].gateway"},
           {now, R"({"ips": [{"address": "10.1.0.5/24", "interface": "0"}]})", "prevResult.ips[0].interface"},
           {now, R"({"ips": [{"address": "10.1.0.5/24", "interface": 0.5}]})", "must be an integer"},
           {now, R"({"interfaces": [{}], "ips": [{"address": "10.1.0.5/24", "interface": 1}]})", "entry 1 of 1"},
           {now, R"({"interfaces": [{}], "ips": [{"address": "10.1.0.5/24", "interface": -1}]})", "entry -1 of 1"},
           {now, R"({"interfaces": [{"name": 5}]})", "prevResult.interfaces[0].name"},
           {now, R"({"interfaces": [{"mtu": 1e300}]})", "prevResult.interfaces[0].mtu"},
           {now, R"({"interfaces": [5]})", "prevResult.interfaces[0]"},
           {now, R"({"routes": [{}]})", "prevResult.routes[0].dst\": is missing"},
           {now, R"({"routes": [{"dst": "10.0.0.0/8", "gw": "10.1"}]})", "prevResult.routes[0].gw"},
           {now, R"({"routes": [{"dst": "10.0.0.0/8", "mtu": 1.5}]})", "prevResult.routes[0].mtu"},
           {now, R"({"routes": [{"dst": "10.0.0.0/8", "table": "main"}]})", "prevResult.routes[0].table"},
           {now, R"({"dns": []})", "prevResult.dns\": must be an object"},
           {now, R"({"dns": {"nameservers": "10.0.0.53"}})", "prevResult.dns.nameservers\": must be a list"},
           {now, R"({"dns": {"search": [1]}})", "prevResult.dns.search[0]\": must be a string"},
           {SpecVersion::k010, R"({"ip4": {}})", "prevResult.ip4.ip\": is missing"},
           {SpecVersion::k010, R"({"ip4": []})", "prevResult.ip4\": must be an object"},
           {SpecVersion::k010, R"({"ip6": {"ip": "fd01::5/64", "routes": [{"dst": "x"}]}})",
            "prevResult.ip6.routes[0]"}}) {
    EXPECT_ERROR(parse_result(json(bad.text), bad.version, "prevResult", Code::kInvalidConfig), Code::kInvalidConfig,
                 bad.says)
        << bad.text;
  }
}

TEST(Routes, OfAConfigurationHaveIntegersWrittenAsSuch) {
  PARITY("T14");
  const Json config =
      json(R"({"good": [{"dst": "10.0.0.0/8", "mtu": 1400}], "bad": [{"dst": "10.0.0.0/8", "mtu": 1400.0}]})");
  EXPECT_EQ(parse_routes(Fields(config), "good").value().at(0).mtu, 1400);
  EXPECT_ERROR(parse_routes(Fields(config), "bad"), Code::kInvalidConfig,
               "bad[0].mtu\": must be an integer, not 1400.0");
  EXPECT_TRUE(parse_routes(Fields(config), "none").value().empty());
}

// ---- a delegate's answer

TEST(DelegateResult, ItsOwnVersionSelectsTheShape) {
  const auto of = [](std::string_view text, SpecVersion config) {
    const auto result = parse_delegate_result(text, config, "ipam");
    EXPECT_OK(result) << text;
    return result.ok() && !result.value().ips.empty() ? result.value().ips[0].address.to_string() : std::string("none");
  };
  EXPECT_EQ(of(R"({"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.5/24"}})", SpecVersion::k110), "10.1.0.5/24");
  EXPECT_EQ(of(R"({"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/24"}]})", SpecVersion::k010), "10.1.0.5/24");
  EXPECT_EQ(of(R"({"ips": [{"address": "10.1.0.5/24"}]})", SpecVersion::k031), "10.1.0.5/24");
  EXPECT_EQ(of(R"({"cniVersion": "", "ip4": {"ip": "10.1.0.5/24"}})", SpecVersion::k020), "10.1.0.5/24");
  EXPECT_EQ(of(R"({"ips": [{"address": "10.1.0.5/24"}]})", SpecVersion::k020), "none");
  EXPECT_EQ(of("null", SpecVersion::k110), "none");
  EXPECT_EQ(of("{}\n", SpecVersion::k110), "none");
}

// Its interfaces may be numbered without being listed: the caller ties addresses to its own.
TEST(DelegateResult, InterfaceNumbersNeedNoList) {
  const auto result =
      parse_delegate_result(R"({"ips": [{"address": "10.1.0.5/24", "interface": 2}]})", SpecVersion::k110, "ipam");
  ASSERT_OK(result);
  EXPECT_EQ(result.value().ips.at(0).interface, 2U);
}

TEST(DelegateResult, NonsenseIsTheDelegatesFault) {
  const auto fails = [](std::string_view text) { return parse_delegate_result(text, SpecVersion::k110, "ipam"); };
  EXPECT_ERROR(fails(""), Code::kDelegate, "it printed nothing");
  const auto garbage = fails("panic: <oops>");
  EXPECT_ERROR(garbage, Code::kDelegate, "not JSON");
  EXPECT_EQ(garbage.error().details(), "it printed \"panic: <oops>\"");
  EXPECT_ERROR(fails("[]"), Code::kDelegate, "no JSON object");
  EXPECT_ERROR(fails("\"10.1.0.5\""), Code::kDelegate, "no JSON object");
  EXPECT_ERROR(fails("{}{}"), Code::kDelegate, "not JSON");
  EXPECT_ERROR(fails(R"({"cniVersion": "9.9.9"})"), Code::kDelegate, "9.9.9");
  EXPECT_ERROR(fails(R"({"cniVersion": 1})"), Code::kDelegate, "cniVersion");
  EXPECT_ERROR(fails(R"({"ips": [{"address": "x"}]})"), Code::kDelegate, "ipam.ips[0].address");
}

// ---- prevResult

struct PrevCase {
  SpecVersion config;
  std::string own;  // the member cniVersion with its comma, or nothing
  bool accepted;
};

TEST(PrevResult, VersionMustBeOfTheSameGroup) {
  PARITY("T25 T26");
  for (const PrevCase& each : std::vector<PrevCase>{{SpecVersion::k010, "", true},
                                                    {SpecVersion::k010, R"("cniVersion": "",)", true},
                                                    {SpecVersion::k010, R"("cniVersion": "0.2.0",)", true},
                                                    {SpecVersion::k020, R"("cniVersion": "0.1.0",)", true},
                                                    {SpecVersion::k020, R"("cniVersion": "0.3.0",)", false},
                                                    {SpecVersion::k030, "", true},
                                                    {SpecVersion::k030, R"("cniVersion": "0.4.0",)", true},
                                                    {SpecVersion::k040, R"("cniVersion": "0.3.1",)", true},
                                                    {SpecVersion::k040, R"("cniVersion": "",)", false},
                                                    {SpecVersion::k040, R"("cniVersion": "0.2.0",)", false},
                                                    {SpecVersion::k040, R"("cniVersion": "1.0.0",)", false},
                                                    {SpecVersion::k100, "", true},
                                                    {SpecVersion::k100, R"("cniVersion": null,)", true},
                                                    {SpecVersion::k100, R"("cniVersion": "1.1.0",)", true},
                                                    {SpecVersion::k110, R"("cniVersion": "1.0.0",)", true},
                                                    {SpecVersion::k100, R"("cniVersion": "0.4.0",)", false},
                                                    {SpecVersion::k100, R"("cniVersion": "",)", false},
                                                    {SpecVersion::k110, R"("cniVersion": "1.2.0",)", false},
                                                    {SpecVersion::k110, R"("cniVersion": 1,)", false}}) {
    const Json config = json("{\"prevResult\": {" + each.own + " \"dns\": {}}}");
    const auto result = parse_prev_result(Fields(config), each.config);
    const std::string shown = std::string(to_string(each.config)) + " with " + each.own;
    if (each.accepted) {
      EXPECT_OK(result) << shown;
      EXPECT_TRUE(!result.ok() || result.value()) << shown;
    } else {
      EXPECT_ERROR(result, Code::kInvalidConfig, "prevResult.cniVersion") << shown;
    }
  }
}

TEST(PrevResult, AbsentOrNullIsNothing) {
  for (const char* text : {"{}", R"({"prevResult": null})"}) {
    const Json config = json(text);
    const auto result = parse_prev_result(Fields(config), SpecVersion::k110);
    ASSERT_OK(result);
    EXPECT_FALSE(result.value());
  }
}

TEST(PrevResult, IsReadInTheConfigurationsShape) {
  const Json config = json(R"({"prevResult": {"interfaces": [{"name": "eth0", "sandbox": "/x"}],
      "ips": [{"version": "4", "interface": 0, "address": "10.1.0.5/24"}]}})");
  const auto result = parse_prev_result(Fields(config), SpecVersion::k040);
  ASSERT_OK(result);
  EXPECT_EQ(result.value()->ips.at(0).interface, 0U);
  EXPECT_EQ(result.value()->interfaces.at(0).sandbox, "/x");
}

TEST(PrevResult, WrongTypesAreInvalidConfiguration) {
  for (const char* text : {R"({"prevResult": []})", R"({"prevResult": "x"})", R"({"prevResult": {"ips": 5}})"}) {
    const Json config = json(text);
    EXPECT_ERROR(parse_prev_result(Fields(config), SpecVersion::k110), Code::kInvalidConfig, "prevResult") << text;
  }
}

}  // namespace
}  // namespace cnio::protocol
