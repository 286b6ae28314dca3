// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "side_by_side/bridge_cases.hpp"

namespace cnio::test {
namespace {

using Ptp = SideBySide;
TEST_P(Ptp, DoesTheSame) { play_both(); }

const std::vector<Case> kVersions{
    {"Version010", "T-M02", dual_ptp_config("0.1.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version020", "T-M02", dual_ptp_config("0.2.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version030", "T-M02", dual_ptp_config("0.3.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version031", "T-M02", dual_ptp_config("0.3.1"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version040", "T-M02", dual_ptp_config("0.4.0"), "{}", {"ADD", "CHECK", "!STATUS", "!GC", "DEL"}},
    {"Version100", "T-M02", dual_ptp_config("1.0.0"), "{}", {"ADD", "CHECK", "!STATUS", "!GC", "DEL"}},
    {"Version110", "T-M02", dual_ptp_config("1.1.0"), "{}", {"ADD", "CHECK", "STATUS", "DEL"}},
    {"VersionMissing", "T-M02", dual_ptp_config(), R"({"cniVersion": null})", {"ADD", "!CHECK", "DEL"}},
};
INSTANTIATE_TEST_SUITE_P(Versions, Ptp, ::testing::ValuesIn(kVersions), case_name);

const std::vector<Case> kKeys{
    {"FourOnly", "T-M03 T-M05 T-M07", ptp_config(), "{}", kLife},
    {"SixOnly", "T-M04", ptp_config({"fd01::/64"}), "{}", kLife},
    {"TwoSubnets", "T-M15", ptp_config({"10.1.0.0/24", "10.2.0.0/24"}), "{}", kLife},
    {"Mtu", "T-M06", ptp_config(), R"({"mtu": 1400})", kLife},
    {"MtuNegative", "T-M06", ptp_config(), R"({"mtu": -5})", kLife},
    {"DnsOfIpam",
     "T-M08",
     ptp_config(),
     R"({"dns": {}, "ipam": {"resolvConf": "/run/resolv.conf"}})",
     {"$ printf 'nameserver 10.0.0.9\nsearch x y\n' >/run/resolv.conf", "ADD", "CHECK", "DEL"}},
    {"DnsReplacesThatOfIpam",
     "T-M08",
     ptp_config(),
     R"({"dns": {"nameservers": []}, "ipam": {"resolvConf": "/run/resolv.conf"}})",
     {"$ echo nameserver 10.0.0.9 >/run/resolv.conf", "ADD", "DEL"}},
    {"UnknownKeys", "T-M02", ptp_config(), R"({"mac": "02:00:00:00:00:0a", "bridge": "br0", "isGateway": true})",
     kLife},
    {"BackendUnknownAndNotUsed", "T-M21", ptp_config(), R"({"ipMasqBackend": "ebtables"})", kLife},
    {"PodsReachEachOther",
     "T-M03",
     dual_ptp_config(),
     "{}",
     // The first packets by the reference's gateway may be lost while it looks for duplicates (M10).
     {"ADD", "ADD c2", "? ip netns exec c1 ping -c30 -i0.2 10.1.0.3 | grep -om1 'bytes from'",
      "? ip netns exec c1 ping -c30 -i0.2 fd01::3 | grep -om1 'bytes from'", "DEL", "CHECK c2", "DEL c2"}},
    {"RouteWithoutGateway", "T-M18", ptp_config(), R"({"ipam": {"routes": [{"dst": "10.50.0.0/16"}]}})", kLife},
    {"RouteWithPriority", "T-M18", ptp_config(), R"({"ipam": {"routes": [{"dst": "10.50.0.0/16", "priority": 7}]}})",
     kLife},
    {"RouteWithMtu",
     "T-M18 M31",
     ptp_config(),
     R"({"ipam": {"routes": [{"dst": "10.50.0.0/16", "mtu": 1300, "advmss": 1260}]}})",
     kLife,
     {{"c1 route .*10.50.0.0/16", "M31: mtu and advmss are applied"}}},
    {"RouteInATable",
     "T-M18 M21",
     ptp_config(),
     R"({"ipam": {"routes": [{"dst": "10.50.0.0/16", "table": 100}]}})",
     kLife,
     {kFalseAlarm}},
    {"RouteOnTheLink",
     "T-M19 M31",
     ptp_config(),
     R"({"ipam": {"routes": [{"dst": "10.50.0.0/16", "scope": 253}]}})",
     kLife,
     {only_ours("M31: a route of scope link gets no gateway, so it can be added")}},
    {"RouteWithAnotherGatewayOfTheSubnet", "T-M18", ptp_config(),
     R"({"ipam": {"routes": [{"dst": "10.50.0.0/16", "gw": "10.1.0.9"}]}})", kLife},
};
INSTANTIATE_TEST_SUITE_P(Keys, Ptp, ::testing::ValuesIn(kKeys), case_name);

const Difference kForwardingLater{"^[^:]*: host sysctl ipv./(conf/(all|default|lo)/|ip_forward)",
                                  "forwarding is switched on when all else has succeeded"};

// Of the reference's IPAM plugin static, which gives any gateway.
Json fixed(const std::string& address, const std::string& gateway) {
  Json config = ptp_config();
  const bool v6 = address.find(':') != std::string::npos;
  config["ipam"] = {{"type", "static"}, {"routes", Json::array({{{"dst", v6 ? "::/0" : "0.0.0.0/0"}}})}};
  Json entry = {{"address", address}};
  if (!gateway.empty()) entry["gateway"] = gateway;
  config["ipam"]["addresses"] = Json::array({entry});
  return config;
}

const std::vector<Case> kGateways{
    {"LinkLocalSix", "T-M13", fixed("fd01::2/64", "fe80::1"), "{}", kLife},
    {"SingleAddress",
     "T-M11 M19",
     fixed("10.1.0.2/32", "10.1.0.1"),
     "{}",
     kLife,
     {only_ours("M19: the gateway's route comes first, so a single address works")}},
    {"SingleAddressOfSix",
     "T-M14 M19",
     fixed("fd01::2/128", "fd02::1"),
     "{}",
     kLife,
     {only_ours("M19: the gateway's route comes first, so a single address works")}},
    {"LinkLocal",
     "T-M12 M19",
     fixed("10.1.0.2/24", "169.254.1.1"),
     "{}",
     kLife,
     {only_ours("M19: the gateway's route comes first, so it may be outside the subnet")}},
    {"NoGateway",
     "T-M10 M20",
     fixed("10.1.0.2/24", ""),
     "{}",
     {"!ADD", "DEL"},
     {kLeftPair, kForwardingLater, {"^reference: c1 ", "M20: it is refused before any change"}}},
    {"NoGatewayOfSix",
     "T-M10 M20",
     fixed("fd01::2/64", ""),
     "{}",
     {"!ADD", "DEL"},
     {kLeftPair, kForwardingLater, {"^reference: c1 ", "M20: it is refused before any change"}}},
};
INSTANTIATE_TEST_SUITE_P(Gateways, Ptp, ::testing::ValuesIn(kGateways), case_name);

const std::vector<Case> kLives{
    {"NoIpam", "T-M09", ptp_config(), R"({"ipam": null})", {"!ADD", "!CHECK", "!STATUS"}},
    {"DeleteWithoutPrevResult", "T-M22", ptp_config(), "{}", {"ADD", {"DEL", R"({"prevResult": {}})"}}},
    {"DeleteWithNamespaceGone", "T-M22", ptp_config(), "{}", {"ADD", kNamespaceGone, "DEL", "DEL"}},
    {"DeleteWithoutNamespace",
     "T-M22 M25",
     ptp_config(),
     "{}",
     {"ADD", {"DEL", "{}", {{"CNI_NETNS", ""}}}},
     {{"^reference: (.*(eth0|<host end)|host route .*10.1.0)", "DEL finds the host end without the namespace"}}},
    {"DeleteAfterLinkIsGone", "T-M22", ptp_config(), "{}", {"ADD", "$ ip -n c1 link del eth0", "DEL"}},
    {"AddAgainAfterDelete", "T-M26", dual_ptp_config(), "{}", {"ADD", "DEL", "ADD", "CHECK", "DEL"}},
    {"AddTwice", "T-M26", ptp_config(), "{}", {"ADD", "!ADD", "CHECK", "DEL"}},
    {"NameIsTaken",
     "T-M26",
     ptp_config(),
     "{}",
     {"$ ip -n c1 link add eth0 type bridge", "!ADD"},
     {kForwardingLater, {"^reference: file", "it is refused before the IPAM plugin is called"}}},
    {"HostRouteOfADeadLink",
     "T-M17 M11",
     ptp_config(),
     "{}",
     {"$ ip link add up0 type veth peer name up1; ip link set up0 up; ip route add 10.1.0.2 dev up0 scope host", "ADD",
      "? ping -c1 -W1 10.1.0.2 | grep -o '1 received'", "DEL"},
     {only_ours("M11: such a route is replaced, and the pod can be reached")}},
    {"HostRouteOfALivingLink",
     "T-M17 M11",
     ptp_config(),
     "{}",
     {"$ ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
      "ip route add 10.1.0.2 dev up0 scope host",
      "!ADD"},
     {only_ours("M11: the address is somebody else's")}},
    {"TwoInterfaces",
     "T-M24 M20",
     ptp_config(),
     "{}",
     {"ADD", "ADD c1 net1", "CHECK", "CHECK c1 net1", "DEL c1 net1", "CHECK", "DEL"},
     {only_ours("M20: a second interface of a container works")}},
    {"Ipv6IsOffOnTheHost",
     "T-M29 M33",
     ptp_config({"fd01::/64"}),
     "{}",
     {"$ sysctl -qw net.ipv6.conf.default.disable_ipv6=1", "ADD", "CHECK", "DEL"},
     {only_ours("M33: it is switched on where it is needed")}},
    {"BackendUnknown",
     "T-M21 M3",
     ptp_config(),
     R"({"ipMasq": true, "ipMasqBackend": "ebtables"})",
     {"!ADD"},
     {{"^reference: ", "M3: it is refused before anything is made"},
      {"^ours: host sysctl", "M3: it is refused before anything is made"}}},
};
INSTANTIATE_TEST_SUITE_P(Lives, Ptp, ::testing::ValuesIn(kLives), case_name);

const std::vector<Case> kChecks{
    {"CheckLostAddress", "T-M28", ptp_config(), "{}", {"ADD", "$ ip -n c1 addr del 10.1.0.2/24 dev eth0", "!CHECK"}},
    {"CheckOtherMac",
     "T-M28",
     ptp_config(),
     "{}",
     {"ADD", "$ ip -n c1 link set eth0 address 02:00:00:00:00:07", "!CHECK"}},
    {"CheckLostRoute", "T-M28", ptp_config(), "{}", {"ADD", "$ ip -n c1 route del default", "!CHECK"}},
    {"CheckLostLink", "T-M28", ptp_config(), "{}", {"ADD", "$ ip -n c1 link del eth0", "!CHECK"}},
    {"CheckHostEndDown",
     "T-M28 M21",
     ptp_config(),
     "{}",
     {"ADD", "$ ip link set '<host end of c1/eth0>' down", "!CHECK"},
     {kBlindCheck}},
    {"CheckLostHostRoute",
     "T-M28 M21",
     ptp_config(),
     "{}",
     {"ADD", "$ ip route del 10.1.0.2", "!CHECK"},
     {kBlindCheck}},
    {"CheckLostGatewayRoute",
     "T-M28 M21",
     ptp_config(),
     "{}",
     {"ADD", "$ ip -n c1 route del 10.1.0.1", "!CHECK"},
     {kBlindCheck}},
    {"CheckForwardingOff",
     "T-M28 M21",
     ptp_config(),
     "{}",
     {"ADD", "$ sysctl -qw net.ipv4.ip_forward=0", "!CHECK"},
     {kBlindCheck}},
};
INSTANTIATE_TEST_SUITE_P(Checks, Ptp, ::testing::ValuesIn(kChecks), case_name);

const char* const kShowIptables = "? iptables -t nat -S; ip6tables -t nat -S";
const Difference kOwnTable{"host nft .*\"cni(o|_plugins)_masquerade\"", "the rules are in a table of their own"};
const std::vector<Case> kMasquerade{
    {"MasqueradeByIptables",
     "T-M20",
     dual_ptp_config(),
     R"({"ipMasq": true, "ipMasqBackend": "iptables"})",
     {"ADD", "ADD c2", kShowIptables, "CHECK", "DEL", kShowIptables, "DEL c2", kShowIptables}},
    {"MasqueradeByNftables",
     "T-M20 T-M23 M25",
     dual_ptp_config(),
     R"({"ipMasq": true, "ipMasqBackend": "nftables"})",
     {"ADD", "ADD c2", "CHECK", "DEL", "DEL c2"},
     {kOwnTable, {"(outcome|stdout)", "M25: DEL does not stumble over iptables"}}},
};
INSTANTIATE_TEST_SUITE_P(Masquerade, Ptp, ::testing::ValuesIn(kMasquerade), case_name);

}  // namespace
}  // namespace cnio::test
