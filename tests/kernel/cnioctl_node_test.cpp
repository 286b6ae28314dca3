// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What a node is found to be for pods of a subnet. PARITY T-F52.
#include <linux/netlink.h>

#include <gmock/gmock.h>

#include "cnioctl/node.hpp"
#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

using cnioctl::Exit;
using cnioctl::Overlay;
using cnioctl::Report;
using cnioctl::Wire;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Node : public HostTest {
 protected:
  Node() {
    must_run({"ip", "link", "add", "eth0", "type", "bridge"});
    must_run({"ip", "address", "add", "192.0.2.11/24", "dev", "eth0"});
    must_run({"ip", "link", "set", "eth0", "up"});
    must_run({"ip", "route", "add", "default", "via", "192.0.2.254"});
    subnets_.networks = {Cidr::parse("10.240.0.0/16").value()};
    subnets_.subnets = {Cidr::parse("10.240.1.1/24").value()};
    subnets_.mtu = 1500;
  }

  std::vector<std::string> look(Wire wire = {}) {
    net::Netlink host = net::Netlink::open(NETLINK_ROUTE).value();
    const Report report = cnioctl::look_at_node(host, subnets_, "cnio0", wire);
    exit_ = report.exit();
    std::vector<std::string> out;
    for (const auto& each : report.findings()) out.push_back(each.kind + ": " + each.what);
    return out;
  }

  ipam::NodeSubnets subnets_;
  Exit exit_ = Exit::kWell;
};

TEST_F(Node, IsWellWithItsOwnBridgeRoutesAndOverlay) {
  must_run({"ip", "link", "add", "cnio0", "type", "bridge"});
  must_run({"ip", "address", "add", "10.240.1.1/24", "dev", "cnio0"});
  must_run({"ip", "link", "set", "cnio0", "up"});
  must_run({"ip", "route", "add", "10.240.2.0/24", "via", "192.0.2.12"});
  must_run({"ip", "route", "add", "10.240.0.0/16", "via", "192.0.2.1"});
  must_run({"ip", "route", "add", "unreachable", "10.240.1.0/24", "metric", "4000"});
  must_run({"ip", "address", "add", "10.240.1.0/32", "dev", "eth0"});  // as flannel and WireGuard have it
  set_sysctl("net/ipv4/ip_forward", "1");
  const auto found = look();
  EXPECT_EQ(exit_, Exit::kWell);
  EXPECT_THAT(found, Not(Contains(HasSubstr("overlap"))));
}

TEST_F(Node, SaysThatForwardingIsDropped) {
  PARITY("T-F52");
  must_run({"iptables-nft", "-P", "FORWARD", "DROP"});
  EXPECT_THAT(look(), Contains(HasSubstr("forward-drop: forwarding of IPv4 from cnio0 is dropped by the policy")));
  EXPECT_EQ(exit_, Exit::kFound);
}

TEST_F(Node, FindsItsOwnAddressInTheSubnet) {
  must_run({"ip", "address", "add", "10.240.1.9/28", "dev", "eth0"});
  EXPECT_THAT(look(), Contains("overlap: 10.240.1.9/28 of eth0 overlaps the subnet 10.240.1.0/24"));
  EXPECT_EQ(exit_, Exit::kFound);
}

TEST_F(Node, FindsTheSubnetOnAnotherBridge) {
  must_run({"ip", "link", "add", "cni0", "type", "bridge"});
  must_run({"ip", "address", "add", "10.240.1.1/24", "dev", "cni0"});
  EXPECT_THAT(look(), Contains("overlap: 10.240.1.1/24 of cni0 overlaps the subnet 10.240.1.0/24"));
}

TEST_F(Node, FindsAnotherNodeWithItsSubnet) {
  must_run({"ip", "route", "add", "10.240.1.0/24", "via", "192.0.2.12"});
  EXPECT_THAT(look(), Contains(HasSubstr("the route to 10.240.1.0/24 leads to eth0, so another node")));
  EXPECT_EQ(exit_, Exit::kFound);
}

TEST_F(Node, NamesItsAddressInTheClustersRange) {
  must_run({"ip", "address", "add", "10.240.9.5/24", "dev", "eth0"});
  EXPECT_THAT(look(), Contains(HasSubstr("cluster: 10.240.9.5/24 of eth0 lies in the cluster's range 10.240.0.0/16")));
  EXPECT_EQ(exit_, Exit::kWell);
}

TEST_F(Node, ComparesMtus) {
  must_run({"ip", "link", "set", "eth0", "mtu", "1460"});
  must_run({"ip", "link", "add", "cnio0", "type", "bridge"});
  EXPECT_THAT(look(), Contains("mtu: the pods' MTU 1500 is more than the 1460 that the way to other nodes carries"));
  subnets_.mtu = 1410;
  EXPECT_THAT(look({Overlay::kVxlan, "eth0"}), Contains("mtu: cnio0 has MTU 1500, new pods will have 1410"));
  EXPECT_EQ(exit_, Exit::kWell);
  EXPECT_THAT(look({Overlay::kWireguard, "eth0"}), Contains(HasSubstr("is more than the 1380")));
}

TEST_F(Node, WarnsOfReversePathsOverAnOverlay) {
  set_sysctl("net/ipv4/conf/all/rp_filter", "1");
  EXPECT_THAT(look(), Not(Contains(HasSubstr("rp-filter"))));
  must_run({"ip", "link", "add", "wg0", "type", "vxlan", "id", "7", "dstport", "4789"});
  set_sysctl("net/ipv4/conf/wg0/rp_filter", "0");
  EXPECT_THAT(look(), Contains(HasSubstr("rp-filter: net.ipv4.conf.wg0.rp_filter is 1")));
  set_sysctl("net/ipv4/conf/wg0/rp_filter", "2");
  EXPECT_THAT(look(), Not(Contains(HasSubstr("rp-filter"))));
}

TEST_F(Node, SaysWhatItCannotKnow) {
  must_run({"ip", "route", "delete", "default"});
  EXPECT_THAT(look(), Contains(HasSubstr("unreadable: there is no default route")));
  EXPECT_EQ(exit_, Exit::kBlind);
}

TEST_F(Node, GivesPodsTheUplinksMtu) {
  net::Netlink host = net::Netlink::open(NETLINK_ROUTE).value();
  EXPECT_EQ(cnioctl::pod_mtu(host, {}).value(), 1500U);
  EXPECT_EQ(cnioctl::pod_mtu(host, {Overlay::kVxlan, "eth0"}).value(), 1450U);
  EXPECT_FALSE(cnioctl::pod_mtu(host, {Overlay::kNone, "eth7"}).ok());
}

}  // namespace
}  // namespace cnio::test
