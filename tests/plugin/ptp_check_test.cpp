// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// CHECK and STATUS of ptp.
#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

/// What somebody may do to an attachment, and a word that the complaint has to hold; none: it is no damage.
struct PtpDamage {
  std::string name;
  std::string commands;  ///< of a shell; $P is the pod, $H the host end
  std::string complaint;
};
void PrintTo(const PtpDamage& damage, std::ostream* out) { *out << damage.name; }

class DamagedPtp : public PtpTest, public ::testing::WithParamInterface<PtpDamage> {
 protected:
  DamagedPtp() {
    Json config = dual_ptp_config();
    config["ipMasq"] = true;
    config["ipam"]["routes"].push_back({{"dst", "10.50.0.0/16"}, {"mtu", 1300}, {"advmss", 1200}});
    config_ = with_prev_result(config, must_add(config, pod()));
  }
  Json config_;
};
INSTANTIATE_TEST_SUITE_P(
    Table, DamagedPtp,
    ::testing::Values(
        PtpDamage{"HostEndDown", "ip link set $H down", "up, found down"},
        PtpDamage{"HostEndGone", "ip link del $H", "eth0"},
        PtpDamage{"HostEndElsewhere", "ip netns add c9; ip link set $H netns c9", "none on this host"},
        PtpDamage{"HostRouteGone", "ip route del 10.1.0.2", "the host's route to 10.1.0.2"},
        PtpDamage{"HostRouteOfSixGone", "ip -6 route del fd01::2", "the host's route to fd01::2"},
        PtpDamage{"HostRouteElsewhere",
                  "ip link add u0 type veth peer name u1; ip link set u0 up; ip route replace 10.1.0.2 dev u0",
                  "leads elsewhere"},
        PtpDamage{"HostRouteByAnotherHop", "ip route replace 10.1.0.2 via 10.99.9.9 dev $H onlink", "leads elsewhere"},
        PtpDamage{"HostRouteOfSixHidden", "ip -6 route add blackhole fd01::2 metric 1", "lets nothing through"},
        PtpDamage{"HostEndInABridge", "ip link add b9 type bridge; ip link set b9 up; ip link set $H master b9",
                  "a port of b9"},
        PtpDamage{"RouterAdvertisementsBelieved", "sysctl -qw net.ipv6.conf.$H.accept_ra=2", "accept_ra"},
        PtpDamage{"GatewayAddressGone", "ip addr del 10.1.0.1/32 dev $H", "10.1.0.1"},
        PtpDamage{"GatewayAddressOfSixGone", "ip addr del fd01::1/128 dev $H", "fd01::1"},
        PtpDamage{"ForwardingOff", "sysctl -qw net.ipv4.ip_forward=0", "ip_forward"},
        PtpDamage{"ForwardingOfSixOff", "sysctl -qw net.ipv6.conf.all.forwarding=0", "forwarding"},
        PtpDamage{"RulesGone", "nft flush ruleset", "masquerading is incomplete"},
        PtpDamage{"FirewallDropsAll",
                  "nft 'add table ip f; add chain ip f f { type filter hook forward priority 0; policy drop; }'",
                  "dropped"},
        PtpDamage{"GatewayRouteGone", "$P route del 10.1.0.1", "route 10.1.0.1"},
        PtpDamage{"GatewayRouteByAnotherHop", "$P route replace 10.1.0.1 via 10.1.0.99 dev eth0 onlink",
                  "route 10.1.0.1"},
        PtpDamage{"RouteMtuChanged", "$P route change 10.50.0.0/16 via 10.1.0.1 mtu 600 advmss 1200", "10.50.0.0/16"},
        PtpDamage{"RouteSegmentSizeGone", "$P route change 10.50.0.0/16 via 10.1.0.1 mtu 1300", "10.50.0.0/16"},
        PtpDamage{"GatewayRouteOfSixGone", "$P -6 route del fd01::1", "route fd01::1"},
        PtpDamage{"SubnetRouteGone", "$P route del 10.1.0.0/24", "route 10.1.0.0/24"},
        PtpDamage{"DefaultRouteGone", "$P route del default", "0.0.0.0/0"},
        PtpDamage{"DefaultRouteElsewhere", "$P route replace default dev eth0", "0.0.0.0/0"},
        PtpDamage{"StaticRouteGone", "$P route del 10.50.0.0/16", "10.50.0.0/16"},
        PtpDamage{"AddressGone", "$P addr del 10.1.0.2/24 dev eth0", "10.1.0.2"},
        PtpDamage{"LinkDown", "$P link set eth0 down", "eth0"},
        PtpDamage{"MacChanged", "$P link set eth0 address 02:00:00:00:00:77", "02:00:00:00:00:77"},
        PtpDamage{"AnotherKind", "$P link del eth0; $P link add eth0 type bridge", "veth"},
        PtpDamage{"ReservationGone", "rm /var/lib/cni/networks/net/10.1.0.2", "c1"},
        PtpDamage{"ForeignAddressAdded", "ip addr add 10.77.0.1/24 dev $H", ""},
        PtpDamage{"ForeignRouteAdded", "$P route add 10.77.0.0/16 via 10.1.0.1; ip route add 10.78.0.0/16 dev $H", ""},
        PtpDamage{"HostEndsMacChanged", "ip link set $H address 02:00:00:00:00:66", ""},
        PtpDamage{"AliasCleared", "ip link set $H alias ''", ""}),
    [](const auto& test) { return test.param.name; });

TEST_P(DamagedPtp, IsNoticed) {
  PARITY("T-M28 M21");
  ASSERT_TRUE(succeeded_silently(check(config_, pod())));
  Command command{.argv = {"sh", "-ec", GetParam().commands}};
  command.env["P"] = "ip -n c1";
  command.env["H"] = host_end(config_.at("prevResult"));
  const Outcome done = run(command);
  ASSERT_EQ(done.exit_code, 0) << describe(done);
  if (GetParam().complaint.empty()) {
    EXPECT_TRUE(succeeded_silently(check(config_, pod())));
  } else {
    EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {GetParam().complaint}));
  }
}

class PtpCheckVersion : public PtpTest, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, PtpCheckVersion, ::testing::Values("0.4.0", "1.0.0", "1.1.0"),
                         [](const auto& test) { return "v" + identifier(test.param); });

TEST_P(PtpCheckVersion, FreshAttachmentIsInOrder) {
  PARITY("T-M02 T-M28");
  const Json config = dual_ptp_config(GetParam());
  const Json call = with_prev_result(config, must_add(config, pod()));
  const Snapshot before = Snapshot::of_host();
  const Snapshot sandbox = Snapshot::of(pod().netns);
  EXPECT_TRUE(succeeded_silently(check(call, pod())));
  EXPECT_TRUE(same(before, Snapshot::of_host())) << "CHECK changes nothing";
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod().netns)));
}

class PtpCheck : public PtpTest {};

// The kernel cuts what is too much, and leads IPv6's along with the link.
TEST_F(PtpCheck, RoutesHaveTheMtuThatTheKernelGivesThem) {
  Json config = dual_ptp_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0", "mtu": 65535, "advmss": 65535},
                                             {"dst": "::/0", "mtu": 1500}])");
  const Json call = with_prev_result(config, must_add(config, pod()));
  EXPECT_TRUE(succeeded_silently(check(call, pod())));
  must_run({"ip", "link", "set", "eth0", "mtu", "1400"}, pod().netns);  // as tuning does
  EXPECT_TRUE(succeeded_silently(check(call, pod())));
}

TEST_F(PtpCheck, WhatAddCouldNotSetIsNotMissed) {
  set_sysctl("net/ipv4/ip_forward", "1");
  const Json config = ptp_config();
  const Json result = must_add(config, pod());
  set_sysctl("net/ipv6/conf/" + host_end(result) + "/accept_ra", "1");
  EXPECT_TRUE(failed(check(with_prev_result(config, result), pod()), code::kCheck, {"accept_ra"}));
  must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
  must_run({"umount", "/proc/sys"});
  set_sysctl("net/ipv6/conf/" + host_end(result) + "/disable_ipv6", "1");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod()))) << "no advertisement gets through";
}

TEST_F(PtpCheck, OtherWordsForTheSame) {
  PARITY("M21");
  const Json config = dual_ptp_config();
  Json call = with_prev_result(config, must_add(config, pod()));
  auto mac = call["prevResult"]["interfaces"][1]["mac"].get<std::string>();
  for (char& letter : mac) letter = static_cast<char>(std::toupper(letter));
  call["prevResult"]["interfaces"][1]["mac"] = mac;
  Attachment same_place = pod();
  same_place.netns = "/var/run/netns/c1";
  EXPECT_TRUE(succeeded_silently(check(call, same_place)));
}

// What a later plugin of the chain has given the pod besides.
TEST_F(PtpCheck, InterfacesOfOtherPluginsAreTheirs) {
  Json config = dual_ptp_config();
  config["ipMasq"] = true;
  Json call = with_prev_result(config, must_add(config, pod()));
  call["prevResult"]["interfaces"].push_back({{"name", "tap0"}, {"sandbox", "/run/netns/vm"}});
  call["prevResult"]["ips"].push_back({{"address", "10.9.0.2/24"}, {"interface", 2}});
  EXPECT_TRUE(succeeded_silently(check(call, pod())));
}

TEST_F(PtpCheck, NeedsPrevResult) {
  must_add(ptp_config(), pod());
  EXPECT_TRUE(failed(check(ptp_config(), pod()), code::kConfig, {"prevResult"}));
}

// ---- STATUS

class PtpStatus : public PtpTest {};

TEST_F(PtpStatus, OfWhatWorks) {
  PARITY("M26");
  for (const char* backend : {"", "nftables", "iptables"}) {
    Json config = dual_ptp_config();
    config["ipMasq"] = *backend != '\0';
    if (config["ipMasq"] == true) config["ipMasqBackend"] = backend;
    const Snapshot before = Snapshot::of_host();
    EXPECT_TRUE(succeeded_silently(status(config))) << backend;
    EXPECT_TRUE(same(before, Snapshot::of_host())) << "STATUS changes nothing";
  }
}

TEST_F(PtpStatus, OfWhatCannot) {
  PARITY("T-M09 M26");
  Json config = ptp_config();
  config["ipam"]["type"] = "no-such-ipam";
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"no-such-ipam"}));
  config = ptp_config();
  config["mtu"] = "large";
  EXPECT_TRUE(failed(status(config), code::kConfig, {"mtu"}));
  config = ptp_config();
  config["ipam"]["ranges"] = Json::array({one_address_ranges("2").at(0)});
  must_add(config, pod());
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"no free address"}));
}

}  // namespace
}  // namespace cnio::test
