// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/route.hpp"

#include <cerrno>
#include <linux/rtnetlink.h>

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::Json;
using test::routes_to;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

class RouteTest : public test::NetTest {
 protected:
  RouteTest() {
    add_veth("v0", "v1");
    ip("addr add 10.1.0.5/24 dev v0");
    ip("addr add fd01::5/64 dev v0 nodad");
  }
  static RouteSpec to(std::string_view dst, std::string_view gateway = "") {
    RouteSpec spec;
    spec.dst = cidr(dst);
    spec.gateway = IpAddr::parse(gateway);
    return spec;
  }
  Status add(const RouteSpec& spec) { return add_route(route(), link("v0"), spec); }
  std::vector<KernelRoute> listed(Family family, const std::string& name = "v0") {
    auto list = list_routes(route(), link(name), family);
    EXPECT_OK(list);
    return std::move(list).value();
  }
  // The one listed route to a destination.
  KernelRoute listed_to(std::string_view dst) {
    std::vector<KernelRoute> found;
    for (const KernelRoute& each : listed(cidr(dst).family())) {
      if (each.dst == cidr(dst)) found.push_back(each);
    }
    EXPECT_EQ(found.size(), 1U) << dst;
    return found.empty() ? KernelRoute{} : found.front();
  }
};

TEST_F(RouteTest, ThroughAGateway) {
  PARITY("T44");
  ASSERT_OK(add(to("0.0.0.0/0", "10.1.0.1")));
  ASSERT_OK(add(to("::/0", "fd01::1")));
  const Json v4 = routes_to("default").at(0);
  EXPECT_EQ(v4.at("gateway"), "10.1.0.1");
  EXPECT_EQ(v4.at("dev"), "v0");
  EXPECT_EQ(v4.at("protocol"), "boot");
  EXPECT_EQ(v4.at("scope"), "global");
  const Json v6 = routes_to("default", "", "-6").at(0);
  EXPECT_EQ(v6.at("gateway"), "fd01::1");
  EXPECT_EQ(v6.at("dev"), "v0");
  const KernelRoute seen = listed_to("0.0.0.0/0");
  EXPECT_THAT(seen.gateways, ElementsAre(IpAddr::parse("10.1.0.1").value()));
  EXPECT_EQ(seen.table, 254U);
  EXPECT_THAT(listed_to("::/0").gateways, ElementsAre(IpAddr::parse("fd01::1").value()));
}

TEST_F(RouteTest, EveryAttributeReachesTheKernel) {
  PARITY("T44");
  for (const auto& [dst, gateway, family] :
       {std::tuple("10.50.0.0/16", "10.1.0.1", "-4"), std::tuple("fd50::/16", "fd01::1", "-6")}) {
    RouteSpec spec = to(dst, gateway);
    spec.table = 1000;
    spec.priority = 77;
    spec.mtu = 1400;
    spec.advmss = 1360;
    ASSERT_OK(add(spec));
    const Json seen = routes_to(dst, "", family).at(0);
    EXPECT_EQ(seen.at("table"), "1000");
    EXPECT_EQ(seen.at("metric"), 77);
    EXPECT_EQ(seen.at("metrics").at(0).at("mtu"), 1400);
    EXPECT_EQ(seen.at("metrics").at(0).at("advmss"), 1360);
    const KernelRoute own = listed_to(dst);
    EXPECT_EQ(own.table, 1000U);
    EXPECT_EQ(own.priority, 77U);
    EXPECT_EQ(own.mtu, 1400U);
    EXPECT_EQ(own.advmss, 1360U);
  }
}

TEST_F(RouteTest, WithoutGatewayIsOnTheLink) {
  ASSERT_OK(add(to("10.60.0.0/16")));
  ASSERT_OK(add(to("fd60::/16")));
  EXPECT_EQ(routes_to("10.60.0.0/16").at(0).at("scope"), "link");
  EXPECT_FALSE(routes_to("10.60.0.0/16").at(0).contains("gateway"));
  EXPECT_FALSE(routes_to("fd60::/16", "", "-6").at(0).contains("gateway"));
  EXPECT_TRUE(listed_to("10.60.0.0/16").gateways.empty());
  EXPECT_EQ(listed_to("10.60.0.0/16").scope, RT_SCOPE_LINK);
}

TEST_F(RouteTest, AnExplicitScopeIsTaken) {
  RouteSpec host = to("10.61.0.1/32");
  host.scope = RT_SCOPE_HOST;
  ASSERT_OK(add(host));
  EXPECT_EQ(routes_to("10.61.0.1").at(0).at("scope"), "host");
  RouteSpec site = to("10.62.0.0/16", "10.1.0.1");
  site.scope = RT_SCOPE_SITE;
  ASSERT_OK(add(site));
  EXPECT_EQ(listed_to("10.62.0.0/16").scope, RT_SCOPE_SITE);
}

TEST_F(RouteTest, EqualIpv6DestinationsBecomeOneMultipathRoute) {
  PARITY("T60");
  ASSERT_OK(add(to("fd70::/16", "fd01::1")));
  ASSERT_OK(add(to("fd70::/16", "fd01::2")));
  EXPECT_EQ(routes_to("fd70::/16", "", "-6").at(0).at("nexthops").size(), 2U);
  EXPECT_THAT(listed_to("fd70::/16").gateways,
              UnorderedElementsAre(IpAddr::parse("fd01::1").value(), IpAddr::parse("fd01::2").value()));
}

TEST_F(RouteTest, AnEqualIpv4DestinationWithAnotherGatewayGoesInFront) {
  ASSERT_OK(add(to("10.70.0.0/16", "10.1.0.1")));
  ASSERT_OK(add(to("10.70.0.0/16", "10.1.0.2")));
  const Json seen = routes_to("10.70.0.0/16");
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen.at(0).at("gateway"), "10.1.0.2");
}

TEST_F(RouteTest, AnExactDuplicateIsEexist) {
  for (const auto& spec : {to("10.71.0.0/16", "10.1.0.1"), to("fd71::/16", "fd01::1")}) {
    ASSERT_OK(add(spec));
    const Status again = add(spec);
    EXPECT_ERROR(again, Code::kKernel, "add route " + spec.dst.to_string() + " via ", " dev v0: File exists");
    EXPECT_EQ(again.error().errnum(), EEXIST);
  }
}

TEST_F(RouteTest, RefusalsCarryTheKernelsOwnWords) {
  const Status unreachable = add(to("10.80.0.0/16", "192.0.2.1"));
  EXPECT_ERROR(unreachable, Code::kKernel,
               "add route 10.80.0.0/16 via 192.0.2.1 dev v0: Network is unreachable (Nexthop has invalid gateway)");
  EXPECT_EQ(unreachable.error().errnum(), ENETUNREACH);
  EXPECT_ERROR(add(to("10.80.0.1/16", "10.1.0.1")), Code::kKernel,
               "add route 10.80.0.1/16 via 10.1.0.1 dev v0: Invalid argument (Invalid prefix");
  EXPECT_ERROR(add(to("fd80::/16", "fd99::1")), Code::kKernel, "add route fd80::/16 via fd99::1 dev v0: No route");
  ip("link set v0 down");
  EXPECT_ERROR(add(to("10.81.0.0/16")), Code::kKernel, "add route 10.81.0.0/16 dev v0: Network is down");
}

TEST_F(RouteTest, OnlyThoseThroughTheLinkAreListed) {
  ip("addr add 10.2.0.5/24 dev v1");
  ip("route add 10.90.0.0/16 via 10.1.0.1 dev v0");
  ip("route add 10.91.0.0/16 via 10.2.0.1 dev v1");
  ip("route add table 300 10.92.0.0/16 via 10.1.0.1 dev v0");
  ip("route add 10.93.0.0/16 nexthop via 10.1.0.1 dev v0 nexthop via 10.2.0.1 dev v1");
  ip("route add 10.94.0.0/16 nexthop via 10.2.0.1 dev v1 nexthop via 10.2.0.2 dev v1");
  ip("route add blackhole 10.95.0.0/16");
  std::vector<std::string> seen;
  for (const KernelRoute& each : listed(Family::kIpv4)) seen.push_back(each.dst.to_string());
  // 10.1.0.0/24 belongs to the address; its local and broadcast routes are the kernel's own business.
  EXPECT_THAT(seen, UnorderedElementsAre("10.1.0.0/24", "10.90.0.0/16", "10.92.0.0/16", "10.93.0.0/16"));
  EXPECT_THAT(listed_to("10.93.0.0/16").gateways, ElementsAre(IpAddr::parse("10.1.0.1").value()));
  EXPECT_EQ(listed_to("10.92.0.0/16").table, 300U);
}

TEST_F(RouteTest, ThousandsAreListed) {
  std::string lines;
  for (int i = 0; i < 3000; ++i) {
    lines += "route add 10." + std::to_string(100 + i / 250) + "." + std::to_string(i % 250) + ".0/24 via 10.1.0.1\n";
  }
  ip_batch(lines);
  EXPECT_EQ(listed(Family::kIpv4).size(), 3001U);
}

}  // namespace
}  // namespace cnio::net
