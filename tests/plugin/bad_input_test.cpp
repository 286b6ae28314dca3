// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// One row for each wrong thing that a runtime, an administrator or an attacker may hand to a plugin. All must answer
// with one error object that has the right code and names the cause, and leave host, pod and store as they were.
// Undecodable input and bad variables that concern every plugin alike are in protocol_test.cpp, ranges in
// host_local_test.cpp.
#include <functional>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

struct BadInput {
  std::string name;
  std::string plugin;
  std::string patch;  ///< JSON merge patch of the plugin's good configuration
  int code;
  std::vector<std::string> words;
  std::map<std::string, std::string> env{};           ///< variables that differ
  std::function<std::string(std::string)> text = {};  ///< change of the text itself
  std::string verb = "ADD";
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.plugin << " " << bad.verb << " " << bad.patch; }

Json good_config(const std::string& plugin) {
  Json config = minimal_config(plugin);
  if (plugin != "bridge") return config;
  config = bridge_config();
  config["ipMasq"] = true;
  return config;
}

std::string nested(std::size_t depth) {
  return "{\"name\":\"net\",\"x\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

const BadInput kBadInputs[] = {
    // Wrong types, key by key.
    {"NameNumber", "bridge", R"({"name": 7})", code::kDecoding, {"name"}},
    {"BridgeNumber", "bridge", R"({"bridge": 7})", code::kConfig, {"\"bridge\""}},
    {"BridgeNul", "bridge", R"({"bridge": "br0\u0000x"})", code::kConfig, {"\"bridge\"", "NUL"}},
    {"IpMasqExcludeNul",
     "bridge",
     R"({"ipMasqExclude": ["10.0.0.0/8\u0000"]})",
     code::kConfig,
     {"ipMasqExclude", "NUL"}},
    {"DataDirNul", "host-local", R"({"ipam": {"dataDir": "/tmp/a\u0000b"}})", code::kConfig, {"ipam.dataDir", "NUL"}},
    {"IsGatewayText", "bridge", R"({"isGateway": "true"})", code::kConfig, {"isGateway"}},
    {"IsDefaultGatewayNumber", "bridge", R"({"isDefaultGateway": 1})", code::kConfig, {"isDefaultGateway"}},
    {"ForceAddressText", "bridge", R"({"forceAddress": "yes"})", code::kConfig, {"forceAddress"}},
    {"IpMasqText", "bridge", R"({"ipMasq": "true"})", code::kConfig, {"ipMasq"}},
    {"IpMasqBackendNumber", "bridge", R"({"ipMasqBackend": 1})", code::kConfig, {"ipMasqBackend"}},
    {"IpMasqExcludeText", "bridge", R"({"ipMasqExclude": "10.0.0.0/8"})", code::kConfig, {"ipMasqExclude"}},
    {"IpMasqExcludeNumbers", "bridge", R"({"ipMasqExclude": [10]})", code::kConfig, {"ipMasqExclude"}},
    {"MtuText", "bridge", R"({"mtu": "1500"})", code::kConfig, {"mtu"}},
    {"MtuFraction", "bridge", R"({"mtu": 1400.0})", code::kConfig, {"mtu"}},
    {"MtuList", "bridge", R"({"mtu": [1500]})", code::kConfig, {"mtu"}},
    {"HairpinModeText", "bridge", R"({"hairpinMode": "on"})", code::kConfig, {"hairpinMode"}},
    {"PromiscModeNumber", "bridge", R"({"promiscMode": 0})", code::kConfig, {"promiscMode"}},
    {"EnabledadText", "bridge", R"({"enabledad": "no"})", code::kConfig, {"enabledad"}},
    {"IpamText", "bridge", R"({"ipam": "host-local"})", code::kConfig, {"ipam"}},
    {"IpamTypeNumber", "bridge", R"({"ipam": {"type": 7}})", code::kConfig, {"ipam.type"}},
    {"DnsText", "bridge", R"({"dns": "10.0.0.1"})", code::kConfig, {"dns"}},
    {"DnsNameserversText", "bridge", R"({"dns": {"nameservers": "10.0.0.1"}})", code::kConfig, {"dns.nameservers"}},
    {"DnsDomainNumber", "bridge", R"({"dns": {"domain": 7}})", code::kConfig, {"dns.domain"}},
    {"RuntimeConfigText", "bridge", R"({"runtimeConfig": "x"})", code::kConfig, {"runtimeConfig"}},
    {"RuntimeMacNumber", "bridge", R"({"runtimeConfig": {"mac": 7}})", code::kConfig, {"runtimeConfig.mac"}},
    {"ArgsText", "bridge", R"({"args": "x"})", code::kConfig, {"args"}},
    {"ArgsMacNumber", "bridge", R"({"args": {"cni": {"mac": 7}}})", code::kConfig, {"args.cni.mac"}},
    {"PrevResultText", "bridge", R"({"prevResult": "x"})", code::kConfig, {"prevResult"}},
    {"HostLocalIpamMissing", "host-local", R"({"ipam": null})", code::kConfig, {"ipam"}},
    {"HostLocalIpamList", "host-local", R"({"ipam": []})", code::kConfig, {"ipam"}},
    {"RangesObject", "host-local", R"({"ipam": {"ranges": {}}})", code::kConfig, {"ipam.ranges"}},
    {"RangesFlat",
     "host-local",
     R"({"ipam": {"ranges": [{"subnet": "10.1.0.0/24"}]}})",
     code::kConfig,
     {"ipam.ranges"}},
    {"RangesNull", "host-local", R"({"ipam": {"ranges": [[null]]}})", code::kConfig, {"ipam.ranges"}},
    {"SubnetNumber", "host-local", R"({"ipam": {"subnet": 10}})", code::kConfig, {"ipam.subnet"}},
    {"RangeStartNumber",
     "host-local",
     R"({"ipam": {"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": 5}]]}})",
     code::kConfig,
     {"rangeStart"}},
    {"GatewayNumber",
     "host-local",
     R"({"ipam": {"ranges": [[{"subnet": "10.1.0.0/24", "gateway": 5}]]}})",
     code::kConfig,
     {"gateway"}},
    {"RoutesObject", "host-local", R"({"ipam": {"routes": {"dst": "0.0.0.0/0"}}})", code::kConfig, {"ipam.routes"}},
    {"RouteNull", "host-local", R"({"ipam": {"routes": [null]}})", code::kConfig, {"ipam.routes"}},
    {"RouteMtuText",
     "host-local",
     R"({"ipam": {"routes": [{"dst": "10.9.0.0/16", "mtu": "1"}]}})",
     code::kConfig,
     {"mtu"}},
    {"DataDirNumber", "host-local", R"({"ipam": {"dataDir": 7}})", code::kConfig, {"ipam.dataDir"}},
    {"ResolvConfList", "host-local", R"({"ipam": {"resolvConf": []}})", code::kConfig, {"ipam.resolvConf"}},
    {"RuntimeIpsText", "host-local", R"({"runtimeConfig": {"ips": "10.1.0.5"}})", code::kConfig, {"runtimeConfig.ips"}},
    {"RuntimeIpsNull", "host-local", R"({"runtimeConfig": {"ips": [null]}})", code::kConfig, {"runtimeConfig.ips"}},
    {"RuntimeRangesText",
     "host-local",
     R"({"runtimeConfig": {"ipRanges": "x"}})",
     code::kConfig,
     {"runtimeConfig.ipRanges"}},
    {"LoopbackPrevResultList", "loopback", R"({"prevResult": [1]})", code::kConfig, {"prevResult"}},

    // Values that make no sense.
    {"BridgeEmpty", "bridge", R"({"bridge": ""})", code::kConfig, {"\"bridge\""}},
    {"BridgeTooLong", "bridge", R"({"bridge": "sixteen-letters-"})", code::kConfig, {"sixteen-letters-"}},
    {"BridgePath", "bridge", R"({"bridge": "../br0"})", code::kConfig, {"../br0"}},
    {"BridgeBlank", "bridge", R"({"bridge": "br 0"})", code::kConfig, {"br 0"}},
    {"BridgeOfAllSettings", "bridge", R"({"bridge": "all"})", code::kConfig, {"all", "settings"}},
    {"BridgeOfNewSettings", "bridge", R"({"bridge": "default"})", code::kConfig, {"default", "settings"}},
    {"BridgePattern", "bridge", R"({"bridge": "br%d"})", code::kConfig, {"br%d"}},
    {"MtuTiny", "bridge", R"({"mtu": 20})", code::kConfig, {"mtu"}},
    {"MtuHuge", "bridge", R"({"mtu": 70000})", code::kConfig, {"mtu"}},
    {"MtuBeyondIntegers", "bridge", R"({"mtu": 99999999999999999999})", code::kConfig, {"mtu"}},
    {"BackendUnknown", "bridge", R"({"ipMasqBackend": "pf"})", code::kConfig, {"ipMasqBackend", "pf"}},
    {"ExcludeNonsense", "bridge", R"({"ipMasqExclude": ["ten"]})", code::kConfig, {"ipMasqExclude", "ten"}},
    {"ExcludeLongPrefix", "bridge", R"({"ipMasqExclude": ["10.0.0.0/33"]})", code::kConfig, {"10.0.0.0/33"}},
    {"HairpinAndPromisc",
     "bridge",
     R"({"hairpinMode": true, "promiscMode": true})",
     code::kConfig,
     {"hairpinMode", "promiscMode"}},
    {"MacNonsense", "bridge", R"({"runtimeConfig": {"mac": "zz"}})", code::kConfig, {"runtimeConfig.mac", "zz"}},
    {"MacMulticast",
     "bridge",
     R"({"runtimeConfig": {"mac": "01:00:5e:00:00:01"}})",
     code::kConfig,
     {"01:00:5e:00:00:01"}},
    {"MacZero", "bridge", R"({"args": {"cni": {"mac": "00:00:00:00:00:00"}}})", code::kConfig, {"args.cni.mac"}},
    {"MacEightBytes", "bridge", R"({"runtimeConfig": {"mac": "02:00:00:00:00:00:00:01"}})", code::kConfig, {"mac"}},
    {"RouteNonsense", "host-local", R"({"ipam": {"routes": [{"dst": "x"}]}})", code::kConfig, {"dst"}},
    {"RouteWithoutDst", "host-local", R"({"ipam": {"routes": [{"gw": "10.1.0.1"}]}})", code::kConfig, {"dst"}},
    {"RouteGatewayNonsense",
     "host-local",
     R"({"ipam": {"routes": [{"dst": "10.9.0.0/16", "gw": "x"}]}})",
     code::kConfig,
     {"gw"}},
    {"RequestNonsense", "host-local", R"({"runtimeConfig": {"ips": ["ten"]}})", code::kConfig, {"ten"}},
    {"RequestOutside", "host-local", R"({"args": {"cni": {"ips": ["10.99.0.5"]}}})", code::kConfig, {"10.99.0.5"}},
    {"OctalAddress", "host-local", R"({"runtimeConfig": {"ips": ["10.1.0.010"]}})", code::kConfig, {"10.1.0.010"}},
    {"RangesThroughBridge",
     "bridge",
     R"({"ipam": {"ranges": [[{"subnet": "10.1.0.5/24"}]]}})",
     code::kConfig,
     {"host-local", "10.1.0.5/24"}},
    {"NameWithPath", "host-local", R"({"name": "../../etc"})", code::kConfig, {"../../etc"}},
    {"NameIsParent", "host-local", R"({"name": ".."})", code::kConfig, {".."}},
    {"PortZero",
     "portmap",
     R"({"runtimeConfig": {"portMappings": [{"hostPort": 0, "containerPort": 80, "protocol": "tcp"}]}})",
     code::kConfig,
     {"runtimeConfig.portMappings[0].hostPort"}},
    {"PortOfNoProtocol",
     "portmap",
     R"({"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "icmp"}]}})",
     code::kConfig,
     {"runtimeConfig.portMappings[0].protocol", "icmp"}},
    {"PortOfNoAddress",
     "portmap",
     R"({"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "tcp", "hostIP": "foo"}]}})",
     code::kConfig,
     {"runtimeConfig.portMappings[0].hostIP", "foo"}},
    {"PortBackendUnknown", "portmap", R"({"backend": "pf"})", code::kConfig, {"backend", "pf"}},
    {"PortConditionUnknown",
     "portmap",
     R"({"backend": "nftables", "conditionsV4": ["frobnicate"]})",
     code::kConfig,
     {"conditionsV4", "frobnicate"}},
    {"PortWithoutPrevResult", "portmap", R"({"prevResult": null})", code::kConfig, {"prevResult"}},
    {"LimitWithoutBurst", "bandwidth", R"({"ingressRate": 8000})", code::kConfig, {"ingressBurst"}},
    {"LimitNegative", "bandwidth", R"({"egressRate": -8, "egressBurst": 8})", code::kConfig, {"egressRate", "-8"}},
    {"LimitOfTheRuntimeAsText",
     "bandwidth",
     R"({"runtimeConfig": {"bandwidth": {"ingressRate": "1M", "ingressBurst": 8}}})",
     code::kConfig,
     {"runtimeConfig.bandwidth.ingressRate", "1M"}},
    {"LimitLatencyTooLong", "bandwidth", R"({"latency": 10001})", code::kConfig, {"latency", "10001"}},
    {"LimitWithoutPrevResult", "bandwidth", R"({"prevResult": null})", code::kConfig, {"prevResult"}},
    {"PrevResultOtherGroup", "loopback", R"({"prevResult": {"cniVersion": "0.2.0"}})", code::kConfig, {"prevResult"}},

    // The environment.
    {"MacArgNonsense", "bridge", "{}", code::kEnvironment, {"MAC", "zz"}, {{"CNI_ARGS", "MAC=zz"}}},
    {"IpArgNonsense", "host-local", "{}", code::kEnvironment, {"IP", "ten"}, {{"CNI_ARGS", "IP=ten"}}},
    {"UnknownArg", "bridge", "{}", code::kEnvironment, {"FOO"}, {{"CNI_ARGS", "FOO=1"}}},
    {"ArgWithoutValue", "bridge", "{}", code::kEnvironment, {"FOO"}, {{"CNI_ARGS", "IgnoreUnknown=1;FOO"}}},
    {"ContainerIdPath", "host-local", "{}", code::kEnvironment, {"../x"}, {{"CNI_CONTAINERID", "../x"}}},
    {"IfnamePattern", "bridge", "{}", code::kEnvironment, {"eth%d"}, {{"CNI_IFNAME", "eth%d"}}},
    {"IfnameTooLong", "bridge", "{}", code::kEnvironment, {}, {{"CNI_IFNAME", "sixteen-letters-"}}},
    {"NetnsMissing", "bridge", "{}", code::kEnvironment, {"/run/netns/no"}, {{"CNI_NETNS", "/run/netns/no"}}},
    {"NetnsFolder", "bridge", "{}", code::kEnvironment, {"/run/netns"}, {{"CNI_NETNS", "/run/netns"}}},
    {"NetnsPlainFile", "bridge", "{}", code::kEnvironment, {"/etc/passwd"}, {{"CNI_NETNS", "/etc/passwd"}}},
    {"NetnsOfAnotherKind", "bridge", "{}", code::kEnvironment, {"/proc/1/ns/uts"}, {{"CNI_NETNS", "/proc/1/ns/uts"}}},
    {"NetnsProcFile", "loopback", "{}", code::kEnvironment, {"/proc/self/stat"}, {{"CNI_NETNS", "/proc/self/stat"}}},
    {"NetnsIsTheHost", "bridge", "{}", code::kOwnNamespace, {}, {{"CNI_NETNS", "/proc/self/ns/net"}}},
    {"PathWithoutPlugins", "bridge", "{}", code::kIpam, {"host-local", "/nowhere"}, {{"CNI_PATH", "/nowhere"}}},

    // The text.
    {"TooDeep", "bridge", "{}", code::kDecoding, {"deep"}, {}, [](const std::string&) { return nested(1200); }},
    {"FarTooDeep", "loopback", "{}", code::kDecoding, {}, {}, [](const std::string&) { return nested(300000); }},
    {"TooLarge",
     "bridge",
     "{}",
     code::kDecoding,
     {"1 MiB"},
     {},
     [](const std::string& good) { return good + std::string(1U << 20U, ' '); }},
    {"FarTooLarge",
     "host-local",
     "{}",
     code::kDecoding,
     {"1 MiB"},
     {},
     [](const std::string&) { return std::string(32U << 20U, '['); }},
    {"HalfAnObject",
     "bridge",
     "{}",
     code::kDecoding,
     {},
     {},
     [](const std::string& good) { return good.substr(0, good.size() / 2); }},
    {"TrailingText", "bridge", "{}", code::kDecoding, {}, {}, [](const std::string& good) { return good + "x"; }},
    {"Comment", "bridge", "{}", code::kDecoding, {}, {}, [](const std::string& good) { return "/* */" + good; }},
    {"NulBytes", "bridge", "{}", code::kDecoding, {}, {}, [](const std::string&) { return std::string(100, '\0'); }},
    {"SingleQuotes", "loopback", "{}", code::kDecoding, {}, {}, [](const std::string&) { return "{'name': 'x'}"; }},

    // What is there already.
    {"DuplicateAdd", "bridge", "{}", code::kInTheWay, {"eth0"}, {{"CNI_CONTAINERID", "live"}}},
    {"InterfaceTaken", "bridge", "{}", code::kInTheWay, {"taken0"}, {{"CNI_IFNAME", "taken0"}}},
    {"InterfaceIsLo", "bridge", "{}", code::kInTheWay, {"lo"}, {{"CNI_IFNAME", "lo"}}},
    {"BridgeIsNoBridge", "bridge", R"({"bridge": "dummy-veth"})", code::kInTheWay, {"dummy-veth"}},
    {"BridgeIsLo", "bridge", R"({"bridge": "lo"})", code::kInTheWay, {"lo"}},
    {"RangeExhausted",
     "bridge",
     R"({"ipam": {"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2",
     "rangeEnd": "10.1.0.2"}]]}})",
     code::kNoAddress,
     {"10.1.0.2"}},
    {"RequestTaken", "bridge", R"({"runtimeConfig": {"ips": ["10.1.0.2"]}})", code::kNoAddress, {"10.1.0.2"}},
    {"RequestIsGateway", "bridge", R"({"runtimeConfig": {"ips": ["10.1.0.1"]}})", code::kNoAddress, {"10.1.0.1"}},
    {"DataDirIsAFile", "host-local", R"({"ipam": {"dataDir": "/run/test/file"}})", code::kIo, {"/run/test/file"}},
    {"DataDirReadOnly", "bridge", R"({"ipam": {"dataDir": "/proc/sys"}})", code::kIo, {"/proc/sys"}},
    {"ResolverMissing", "bridge", R"({"ipam": {"resolvConf": "/run/test/none"}})", code::kIo, {"/run/test/none"}},

    // CHECK.
    {"CheckWithoutPrevResult", "bridge", "{}", code::kConfig, {"prevResult"}, {}, {}, "CHECK"},
    {"CheckPrevResultText", "bridge", R"({"prevResult": "x"})", code::kConfig, {"prevResult"}, {}, {}, "CHECK"},
    {"CheckNullAddress",
     "bridge",
     R"({"prevResult": {"cniVersion": "1.1.0", "ips": [null]}})",
     code::kConfig,
     {"prevResult"},
     {},
     {},
     "CHECK"},
    {"CheckBadAddress",
     "bridge",
     R"({"prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "x"}]}})",
     code::kConfig,
     {"prevResult", "address"},
     {},
     {},
     "CHECK"},
};

/// A host in use: bridge and store hold one living attachment, so that nothing may change at all.
class BadInputs : public BridgeTest, public ::testing::WithParamInterface<BadInput> {
 protected:
  BadInputs() {
    must_add(good_config("bridge"), pod("live"));
    must_run({"ip", "link", "add", "dummy-veth", "type", "veth", "peer", "name", "dummy-peer"});
    must_run({"ip", "link", "add", "taken0", "type", "bridge"}, pod("c1").netns);
    write_file(make_folder("") + "/file", "");
  }

  Command command() const {
    const BadInput& bad = GetParam();
    Json config = good_config(bad.plugin);
    config.merge_patch(Json::parse(bad.patch));
    Command command = plugin_command({bad.plugin, bad.verb, pod("c1"), config.dump()});
    for (const auto& [name, value] : bad.env) command.env[name] = value;
    if (bad.env.contains("CNI_CONTAINERID") && bad.env.at("CNI_CONTAINERID") == "live") {
      command.env["CNI_NETNS"] = pod("live").netns;
    }
    if (bad.text) command.stdin_text = bad.text(command.stdin_text);
    return command;
  }
};

INSTANTIATE_TEST_SUITE_P(Table, BadInputs, ::testing::ValuesIn(kBadInputs),
                         [](const auto& test) { return test.param.name; });

TEST_P(BadInputs, NameTheCauseAndChangeNothing) {
  PARITY("T12 T14 T27 T30 T33 T34 T76 T79 T80");
  const Snapshot host = Snapshot::of_host();
  const Snapshot sandbox = Snapshot::of(pod("c1").netns);
  const Snapshot living = Snapshot::of(pod("live").netns);
  EXPECT_TRUE(failed(run(command()), GetParam().code, GetParam().words));
  EXPECT_TRUE(same(host, Snapshot::of_host()));
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod("c1").netns)));
  EXPECT_TRUE(same(living, Snapshot::of(pod("live").netns)));
}

}  // namespace
}  // namespace cnio::test
