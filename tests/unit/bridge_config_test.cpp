// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bridge/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::bridge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

// A request whose configuration holds these members besides the required ones.
protocol::Request request(const std::string& members, const std::string& cni_args = "") {
  const protocol::Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + cni_args});
  auto parsed = protocol::parse_environment(environment);
  EXPECT_OK(parsed);
  protocol::Request out = std::move(parsed).value();
  EXPECT_OK(protocol::parse_stdin(
      out, R"({"cniVersion": "1.1.0", "name": "n", "type": "bridge")" + (members.empty() ? "" : ", " + members) + "}"))
      << members;
  return out;
}

Result<Config> parsed(const std::string& members, const std::string& cni_args = "") {
  return parse_config(request(members, cni_args), Validation::kFull);
}

Config good(const std::string& members, const std::string& cni_args = "") {
  auto config = parsed(members, cni_args);
  EXPECT_OK(config) << members;
  return config.ok() ? std::move(config).value() : Config{};
}

TEST(BridgeConfig, Defaults) {
  for (const char* members : {"", R"("ipam": {})", R"("ipam": null, "bridge": null, "mtu": null, "dns": null)"}) {
    const Config config = good(members);
    EXPECT_EQ(config.bridge, "cni0");
    EXPECT_FALSE(config.is_gateway || config.is_default_gateway || config.force_address || config.ip_masq);
    EXPECT_FALSE(config.hairpin || config.promiscuous || config.detect_duplicates);
    EXPECT_FALSE(config.ip_masq_backend);
    EXPECT_TRUE(config.ip_masq_exclude.empty());
    EXPECT_EQ(config.mtu, 0U);
    EXPECT_FALSE(config.mac);
    EXPECT_EQ(config.ipam_type, "");
    EXPECT_FALSE(config.dns);
  }
}

TEST(BridgeConfig, EveryKey) {
  const Config config = good(R"("bridge": "cnio0", "isGateway": true, "forceAddress": true, "ipMasq": true,
      "ipMasqBackend": "iptables", "ipMasqExclude": ["10.0.0.0/8", "fd00::/8"], "mtu": 1450, "hairpinMode": true,
      "enabledad": true, "ipam": {"type": "host-local"}, "dns": {"domain": "d"},
      "runtimeConfig": {"mac": "0A:58:0a:f0:01:02"}, "capabilities": {"mac": true}, "addIf": "eth0")");
  EXPECT_EQ(config.bridge, "cnio0");
  EXPECT_TRUE(config.is_gateway && config.force_address && config.ip_masq && config.hairpin);
  EXPECT_TRUE(config.detect_duplicates);
  EXPECT_FALSE(config.is_default_gateway || config.promiscuous);
  EXPECT_EQ(config.ip_masq_backend, "iptables");
  ASSERT_EQ(config.ip_masq_exclude.size(), 2U);
  EXPECT_EQ(config.ip_masq_exclude[1].to_string(), "fd00::/8");
  EXPECT_EQ(config.mtu, 1450U);
  EXPECT_EQ(config.mac->to_string(), "0a:58:0a:f0:01:02");
  EXPECT_EQ(config.ipam_type, "host-local");
  EXPECT_EQ(config.dns->domain, "d");
  EXPECT_TRUE(good(R"("promiscMode": true)").promiscuous);
}

TEST(BridgeConfig, DefaultGatewayImpliesGateway) {
  const Config config = good(R"("isDefaultGateway": true, "isGateway": false)");
  EXPECT_TRUE(config.is_gateway && config.is_default_gateway);
}

TEST(BridgeConfig, KeysInAnotherCase) {
  PARITY("T14");
  EXPECT_EQ(good(R"("BRIDGE": "br1", "MTU": 1400)").bridge, "br1");
}

TEST(BridgeConfig, MacOfTheRuntimeComesFirstThenArgsThenCniArgs) {
  PARITY("T29");
  const auto mac = [](const std::string& members, const std::string& args) {
    const Config config = good(members, args);
    return config.mac ? config.mac->to_string() : "none";
  };
  const std::string runtime = R"("runtimeConfig": {"mac": "02:00:00:00:00:01"})";
  const std::string args = R"("args": {"cni": {"mac": "02:00:00:00:00:02"}})";
  const std::string variable = "IgnoreUnknown=1;MAC=02:00:00:00:00:03";
  EXPECT_EQ(mac(runtime + ", " + args, variable), "02:00:00:00:00:01");
  EXPECT_EQ(mac(args, variable), "02:00:00:00:00:02");
  EXPECT_EQ(mac("", variable), "02:00:00:00:00:03");
  EXPECT_EQ(mac(R"("runtimeConfig": {"mac": ""}, "args": {"cni": {"mac": null}})", "MAC=02-00-00-00-00-03"),
            "02:00:00:00:00:03");
  EXPECT_EQ(mac("", "MAC="), "none");
}

TEST(BridgeConfig, CniArgs) {
  PARITY("T18 T19");
  EXPECT_OK(parsed("", "IP=10.1.0.5"));  // host-local's
  EXPECT_ERROR(parsed("", "FOO=BAR"), Code::kInvalidEnvironment, "FOO");
  EXPECT_OK(parsed("", "FOO=BAR;IgnoreUnknown=1"));
  EXPECT_ERROR(parsed("", "FOO"), Code::kInvalidEnvironment, "CNI_ARGS");
  EXPECT_ERROR(parsed("", "MAC=zz"), Code::kInvalidEnvironment, "MAC", "zz");
}

TEST(BridgeConfig, MtuThatAsksForNothing) {
  for (const char* members : {R"("mtu": 0)", R"("mtu": -1)", R"("mtu": -9223372036854775808)"}) {
    EXPECT_EQ(good(members).mtu, 0U) << members;
  }
  EXPECT_EQ(good(R"("mtu": 68)").mtu, 68U);
  EXPECT_EQ(good(R"("mtu": 65535)").mtu, 65535U);
}

TEST(BridgeConfig, OwnDnsReplacesThatOfIpamIfItSaysAnything) {
  EXPECT_FALSE(good(R"("dns": {})").dns);
  EXPECT_FALSE(good(R"("dns": {"domain": "", "search": null})").dns);
  EXPECT_TRUE(good(R"("dns": {"nameservers": []})").dns);
  EXPECT_TRUE(good(R"("dns": {"options": []})").dns);
  EXPECT_EQ(good(R"("dns": {"search": ["a"]})").dns->search.size(), 1U);
}

TEST(BridgeConfig, BackendIsLookedAtWhereItIsUsed) {
  PARITY("T65");
  EXPECT_OK(parsed(R"("ipMasqBackend": "pf")"));
  EXPECT_OK(parsed(R"("ipMasqBackend": "pf", "ipMasq": true)"));
  EXPECT_ERROR(parsed(R"("ipMasqBackend": "pf", "ipMasq": true, "ipam": {"type": "x"})"), Code::kInvalidConfig,
               "ipMasqBackend", "pf");
  EXPECT_ERROR(parsed(R"("ipMasqBackend": "", "ipMasq": true, "ipam": {"type": "x"})"), Code::kInvalidConfig);
  EXPECT_OK(parsed(R"("ipMasqBackend": "nftables", "ipMasq": true, "ipam": {"type": "x"})"));
}

struct Bad {
  std::string members;
  std::string key;
  Validation needed = Validation::kTypes;  // the weakest validation that refuses it
  Code code = Code::kInvalidConfig;
};

TEST(BridgeConfig, BadValuesNameTheKey) {
  PARITY("T27 T30");
  constexpr auto kFull = Validation::kFull;
  for (const Bad& bad : std::vector<Bad>{
           // types: refused by every verb
           {R"("bridge": 5)", "bridge"},
           {R"("bridge": "")", "bridge"},
           {R"("bridge": "a-name-of-16byte")", "bridge"},
           {R"("bridge": "a/b")", "bridge"},
           {R"("bridge": "a:b")", "bridge"},
           {R"("bridge": "a b")", "bridge"},
           {R"("bridge": "br%d")", "bridge"},
           {R"("bridge": ".")", "bridge"},
           {R"("bridge": "..")", "bridge"},
           {R"("isGateway": "true")", "isGateway"},
           {R"("isDefaultGateway": 1)", "isDefaultGateway"},
           {R"("forceAddress": "yes")", "forceAddress"},
           {R"("ipMasq": [])", "ipMasq"},
           {R"("ipMasqBackend": 1)", "ipMasqBackend"},
           {R"("ipMasqExclude": "10.0.0.0/8")", "ipMasqExclude"},
           {R"("ipMasqExclude": [10])", "ipMasqExclude"},
           {R"("mtu": "1400")", "mtu"},
           {R"("mtu": 1400.0)", "mtu"},
           {R"("mtu": 1e3)", "mtu"},
           {R"("hairpinMode": "x")", "hairpinMode"},
           {R"("promiscMode": 0)", "promiscMode"},
           {R"("enabledad": {})", "enabledad"},
           {R"("ipam": "host-local")", "ipam"},
           {R"("ipam": {"type": 5})", "ipam.type"},
           {R"("dns": [])", "dns"},
           {R"("dns": {"nameservers": "10.0.0.53"})", "dns.nameservers"},
           {R"("prevResult": [])", "prevResult"},
           {R"("capabilities": [])", "capabilities"},
           {R"("runtimeConfig": [])", "runtimeConfig"},
           {R"("runtimeConfig": {"mac": 5})", "runtimeConfig.mac"},
           {R"("args": 1)", "args"},
           {R"("args": {"cni": []})", "args.cni"},
           {R"("args": {"cni": {"mac": true}})", "args.cni.mac"},
           // values: refused where something is built or compared
           {R"("mtu": 67)", "mtu", kFull},
           {R"("mtu": 65536)", "mtu", kFull},
           {R"("mtu": 9223372036854775807)", "mtu", kFull},
           {R"("ipMasqExclude": ["10.0.0.0"])", "ipMasqExclude", kFull},
           {R"("ipMasqExclude": ["10.0.0.1/8"])", "ipMasqExclude", kFull},
           {R"("hairpinMode": true, "promiscMode": true)", "hairpinMode", kFull},
           {R"("runtimeConfig": {"mac": "zz"})", "runtimeConfig.mac", kFull},
           {R"("runtimeConfig": {"mac": "01:00:5e:00:00:01"})", "runtimeConfig.mac", kFull},
           {R"("runtimeConfig": {"mac": "00:00:00:00:00:00"})", "runtimeConfig.mac", kFull},
           {R"("args": {"cni": {"mac": "02:00:00:00:00:01:02:03"}})", "args.cni.mac", kFull},
           {R"("ipMasqOnly": ["10.0.0.1/8"])", "ipMasqOnly", kFull},
           {R"("disableContainerInterface": true, "ipam": {"type": "x"})", "disableContainerInterface", kFull},
           {R"("bridge": "a-long-bridge", "vlan": 100, "isGateway": true, "ipam": {"type": "x"})", "bridge", kFull},
           // options
           {R"("mtu": "Auto")", "mtu"},
           {R"("ipMasqOnly": "10.0.0.0/8")", "ipMasqOnly"},
           {R"("macspoofchk": "yes")", "macspoofchk"},
           {R"("portIsolation": "true")", "portIsolation"},
           {R"("disableContainerInterface": 1)", "disableContainerInterface"},
           {R"("preserveDefaultVlan": 0)", "preserveDefaultVlan"},
           {R"("deleteWhenEmpty": "x")", "deleteWhenEmpty"},
           {R"("allowOverlap": "x")", "allowOverlap"},
           {R"("hostIfPrefix": 7)", "hostIfPrefix"},
           {R"("hostIfPrefix": "")", "hostIfPrefix"},
           {R"("hostIfPrefix": "eightchr")", "hostIfPrefix"},
           {R"("hostIfPrefix": "a/b")", "hostIfPrefix"},
           {R"("hostIfPrefix": "a%d")", "hostIfPrefix"},
           // VLANs
           {R"("vlan": "100")", "vlan"},
           {R"("vlan": -1)", "vlan"},
           {R"("vlan": 4095)", "vlan"},
           {R"("vlan": 100.0)", "vlan"},
           {R"("vlanTrunk": {})", "vlanTrunk"},
           {R"("vlanTrunk": [7])", "vlanTrunk[0]"},
           {R"("vlanTrunk": [{"id": 1}, null])", "vlanTrunk[1]"},
           {R"("vlanTrunk": [{"id": 0}])", "vlanTrunk[0].id"},
           {R"("vlanTrunk": [{"id": 4095}])", "vlanTrunk[0].id"},
           {R"("vlanTrunk": [{"id": "5"}])", "vlanTrunk[0].id"},
           {R"("vlanTrunk": [{}, {"minID": 5}])", "vlanTrunk[1].maxID"},
           {R"("vlanTrunk": [{"maxID": 5}])", "vlanTrunk[0].minID"},
           {R"("vlanTrunk": [{"minID": 0, "maxID": 5}])", "vlanTrunk[0].minID"},
           {R"("vlanTrunk": [{"minID": 1, "maxID": 4095}])", "vlanTrunk[0].maxID"},
           {R"("vlanTrunk": [{"minID": 6, "maxID": 5}])", "vlanTrunk[0].minID"},
       }) {
    const protocol::Request call = request(bad.members);
    EXPECT_ERROR(parse_config(call, kFull), bad.code, "key \"" + bad.key) << bad.members;
    const auto types_only = parse_config(call, Validation::kTypes);
    if (bad.needed == kFull) {
      EXPECT_OK(types_only) << bad.members;
    } else {
      EXPECT_ERROR(types_only, bad.code, "key \"" + bad.key) << bad.members;
    }
  }
}

TEST(BridgeConfig, Options) {
  const Config none = good(R"("vlan": 0, "vlanTrunk": null, "macspoofchk": false, "portIsolation": false,
                              "disableContainerInterface": false, "preserveDefaultVlan": true)");
  EXPECT_FALSE(none.filters_vlans() || none.spoof_check || none.isolated || none.sandbox_end_down || none.mtu_auto);
  EXPECT_FALSE(none.allow_overlap || none.delete_when_empty || none.ip_masq_only);
  EXPECT_EQ(none.host_prefix, "veth");
  const Config all = good(R"("vlan": 4094, "macspoofchk": true, "portIsolation": true, "mtu": "auto",
                             "disableContainerInterface": true, "deleteWhenEmpty": true, "allowOverlap": true, "hostIfPrefix": "cnipod-",
                             "ipMasqOnly": [])");
  EXPECT_TRUE(all.filters_vlans() && all.spoof_check && all.isolated && all.sandbox_end_down && all.mtu_auto);
  EXPECT_TRUE(all.delete_when_empty);
  EXPECT_TRUE(all.allow_overlap);
  EXPECT_EQ(all.mtu, 0U);
  EXPECT_EQ(all.host_prefix, "cnipod-");
  ASSERT_TRUE(all.ip_masq_only);
  EXPECT_TRUE(all.ip_masq_only->empty());
  EXPECT_EQ(all.gateway_interface(), "cni0.4094");
}

TEST(BridgeConfig, VlanTrunk) {
  PARITY("T28");
  EXPECT_THAT(good(R"("vlanTrunk": [{"id": 101}, {"minID": 200, "maxID": 202, "id": 7}, {}, {"id": 101}])").vlan_trunk,
              Optional(ElementsAre(7, 101, 200, 201, 202)));
  EXPECT_THAT(good(R"("vlanTrunk": [])").vlan_trunk, Optional(IsEmpty()));
  EXPECT_TRUE(good(R"("vlanTrunk": [{}])").filters_vlans());
  EXPECT_EQ(good(R"("vlanTrunk": [{"minID": 1, "maxID": 4094}])").vlan_trunk->size(), 4094U);
}

}  // namespace
}  // namespace cnio::bridge
