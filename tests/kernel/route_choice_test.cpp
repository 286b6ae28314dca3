// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What becomes of a route where there is one already, and which one the host has for an address.
#include <cerrno>
#include <linux/rtnetlink.h>

#include "cnio/net/address.hpp"
#include "cnio/net/route.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::Json;
using test::routes_to;

Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }
IpAddr parsed(std::string_view text) { return IpAddr::parse(text).value(); }

// Two links, each with a gateway of each family.
class RouteChoice : public test::NetTest {
 protected:
  RouteChoice() {
    add_veth("v0", "p0");
    add_veth("v1", "p1");
    ip("addr add 10.1.0.5/24 dev v0");
    ip("addr add 10.2.0.5/24 dev v1");
    ip("addr add fd01::5/64 dev v0 nodad");
    ip("addr add fd02::5/64 dev v1 nodad");
  }
  Status add(const std::string& link_name, std::string_view dst, IfThere if_there, std::string_view gateway = "") {
    RouteSpec spec;
    spec.dst = cidr(dst);
    spec.gateway = IpAddr::parse(gateway);
    return add_route(route(), link(link_name), spec, if_there);
  }
  std::optional<RouteMatch> matched(std::string_view text) {
    const auto match = match_route(route(), parsed(text));
    EXPECT_OK(match) << text;
    return match.ok() ? match.value() : std::nullopt;
  }
  // "10.1.0.0/24 v0"; "none".
  std::string match_of(std::string_view text) {
    const auto match = matched(text);
    if (!match) return "none";
    if (match->barrier) return "a barrier";
    for (const char* name : {"v0", "v1", "lo"}) {
      if (link(name).index == match->link) return match->dst.to_string() + " " + name + (match->local ? " local" : "");
    }
    return "another link";
  }
};

TEST_F(RouteChoice, TheOneThatFollowsIsUsedWhenTheOtherIsGone) {
  for (const auto& [dst, first, second, family] : {std::tuple("10.50.0.0/16", "10.1.0.1", "10.2.0.1", "-4"),
                                                   std::tuple("fd50::/32", "fd01::1", "fd02::1", "-6")}) {
    ASSERT_OK(add("v0", dst, IfThere::kFollow, first));
    ASSERT_OK(add("v1", dst, IfThere::kFollow, second));
  }
  EXPECT_EQ(routes_to("10.50.0.0/16").at(0).at("dev"), "v0");
  ip("link del v0");
  EXPECT_EQ(routes_to("10.50.0.0/16").at(0).at("dev"), "v1");
  EXPECT_EQ(routes_to("fd50::/32", "", "-6").at(0).at("dev"), "v1");
}

TEST_F(RouteChoice, OnTheLinkAlso) {
  for (const char* dst : {"10.60.0.1/32", "fd60::1/128"}) {
    ASSERT_OK(add("v0", dst, IfThere::kFollow));
    ASSERT_OK(add("v1", dst, IfThere::kFollow)) << dst;
  }
  EXPECT_EQ(match_of("10.60.0.1"), "10.60.0.1/32 v0");
  EXPECT_EQ(match_of("fd60::1"), "fd60::1/128 v0");
  ip("link del v0");
  EXPECT_EQ(routes_to("10.60.0.1").at(0).at("dev"), "v1");
  EXPECT_EQ(routes_to("fd60::1", "", "-6").at(0).at("dev"), "v1");
}

TEST_F(RouteChoice, OfSeveralPathsAllLinksAreKnownAndItGoesWhole) {
  for (const auto& [family, dst, first, second] : {std::tuple("-4", "10.60.0.1/32", "10.1.0.1", "10.2.0.1"),
                                                   std::tuple("-6", "fd60::1/128", "fd01::1", "fd02::1")}) {
    ip(std::string(family) + " route add " + dst + " metric 7 nexthop via " + first + " dev v0 nexthop via " + second +
       " dev v1");
    const auto match = matched(cidr(dst).addr.to_string());
    ASSERT_TRUE(match) << dst;
    EXPECT_TRUE(match->link == link("v0").index || match->link == link("v1").index);  // old kernels choose
    EXPECT_FALSE(match->direct || match->local || match->barrier);
    EXPECT_EQ(match->table, RT_TABLE_MAIN);
    const auto routes = list_routes_to(route(), cidr(dst));
    ASSERT_OK(routes);
    ASSERT_EQ(routes.value().size(), 1U);
    EXPECT_EQ(routes.value().at(0).links, (std::vector{link("v0").index, link("v1").index}));
    EXPECT_EQ(routes.value().at(0).priority, 7U);
    EXPECT_OK(remove_route(route(), cidr(dst), routes.value().at(0)));
    EXPECT_TRUE(list_routes_to(route(), cidr(dst)).value().empty());
    EXPECT_OK(remove_route(route(), cidr(dst), routes.value().at(0))) << "again";
  }
}

TEST_F(RouteChoice, TheTableOfARuleIsNamed) {
  for (const auto& [family, dst] : {std::pair("-4", "10.60.0.1/32"), std::pair("-6", "fd60::1/128")}) {
    ip(std::string(family) + " rule add pref 10 lookup 100");
    ip(std::string(family) + " route add " + dst + " dev v0 table 100");
    const auto match = matched(cidr(dst).addr.to_string());
    ASSERT_TRUE(match) << dst;
    EXPECT_EQ(match->table, 100U);
    EXPECT_TRUE(match->direct);
    const auto routes = list_routes_to(route(), cidr(dst)).value();
    ASSERT_EQ(routes.size(), 1U);
    EXPECT_OK(remove_route(route(), cidr(dst), routes.at(0)));
    EXPECT_FALSE(matched(cidr(dst).addr.to_string())) << dst;
    ip(std::string(family) + " rule del pref 10");
  }
}

TEST_F(RouteChoice, OneThatMustBeTheFirstFailsBehindAnother) {
  for (const char* dst : {"10.60.0.1/32", "fd60::1/128"}) {
    ASSERT_OK(add("v0", dst, IfThere::kFail));
    EXPECT_EQ(add("v1", dst, IfThere::kFail).error().errnum(), EEXIST) << dst;
    ASSERT_OK(add("v1", dst, IfThere::kReplace));
  }
  EXPECT_EQ(match_of("10.60.0.1"), "10.60.0.1/32 v1");
  EXPECT_EQ(match_of("fd60::1"), "fd60::1/128 v1");
  EXPECT_EQ(routes_to("10.60.0.1").size() + routes_to("fd60::1", "", "-6").size(), 2U);
}

TEST_F(RouteChoice, AGatewayThatIsOnTheLinkNeedsNoRoute) {
  for (const auto& [dst, gateway, family] :
       {std::tuple("10.70.0.0/16", "10.99.0.1", "-4"), std::tuple("fd70::/32", "fd99::1", "-6")}) {
    RouteSpec spec;
    spec.dst = cidr(dst);
    spec.gateway = parsed(gateway);
    EXPECT_FALSE(add_route(route(), link("v0"), spec).ok());
    spec.gateway_on_link = true;
    ASSERT_OK(add_route(route(), link("v0"), spec));
    const Json seen = routes_to(dst, "", family).at(0);
    EXPECT_EQ(seen.at("gateway"), gateway);
    EXPECT_THAT(seen.at("flags"), ::testing::Contains("onlink"));
  }
}

TEST_F(RouteChoice, TheBestMatchIsTheAnswer) {
  EXPECT_EQ(match_of("10.1.0.77"), "10.1.0.0/24 v0");
  EXPECT_EQ(match_of("fd02::77"), "fd02::/64 v1");
  EXPECT_EQ(match_of("10.9.0.1"), "none");
  EXPECT_EQ(match_of("fd09::1"), "none");
  ip("route add default via 10.2.0.1");
  ip("route add default via fd02::1");
  EXPECT_EQ(match_of("10.9.0.1"), "0.0.0.0/0 v1");
  EXPECT_EQ(match_of("fd09::1"), "::/0 v1");
  ip("route add 10.1.0.77/32 dev v1");
  ip("route add fd01::77/128 dev v1");
  EXPECT_EQ(match_of("10.1.0.77"), "10.1.0.77/32 v1");
  EXPECT_EQ(match_of("fd01::77"), "fd01::77/128 v1");
}

TEST_F(RouteChoice, TheHostsOwnAddressesAreLocal) {
  EXPECT_TRUE(matched("10.1.0.5")->local);
  EXPECT_EQ(matched("10.1.0.5")->dst, cidr("10.1.0.5/32"));
  EXPECT_TRUE(test::happens([&] { return matched("fd01::5")->local; })) << "a moment after it is there";
  EXPECT_EQ(matched("fd01::5")->dst, cidr("fd01::5/128"));
  EXPECT_TRUE(matched("127.0.0.1")->local);
}

TEST_F(RouteChoice, WhatLetsNothingThroughIsABarrier) {
  for (const char* kind : {"blackhole", "unreachable", "prohibit"}) {
    for (const char* dst : {"10.80.0.1", "fd80::1"}) {
      ip(std::string("route add ") + kind + " " + dst);
      EXPECT_EQ(match_of(dst), "a barrier") << kind;
      ip(std::string("route del ") + kind + " " + dst);
    }
  }
  ip("route add throw 10.80.0.1");  // the next table is asked
  EXPECT_EQ(match_of("10.80.0.1"), "none");
}

TEST_F(RouteChoice, AHostWithoutAddressesHasRoutesToo) {
  for (const char* name : {"v0", "v1"}) ip(std::string("addr flush dev ") + name);
  ip("link set lo up");
  ip("route add 10.80.0.1 dev v1 scope host");
  EXPECT_EQ(match_of("10.80.0.1"), "10.80.0.1/32 v1");
}

TEST_F(RouteChoice, RulesAreFollowed) {
  ip("route add 10.90.0.1/32 dev v1 table 100");
  EXPECT_EQ(match_of("10.90.0.1"), "none");
  ip("rule add to 10.90.0.0/16 lookup 100");
  EXPECT_EQ(match_of("10.90.0.1"), "10.90.0.1/32 v1");
}

TEST_F(RouteChoice, AnAddressBringsARouteUnlessToldNotTo) {
  for (const char* text : {"10.5.0.2/24", "fd05::2/64"}) {
    ASSERT_OK(add_address(route(), link("v0"), cidr(text), DuplicateDetection::kOff, PrefixRoute::kNone));
  }
  EXPECT_EQ(match_of("10.5.0.9"), "none");
  EXPECT_EQ(match_of("fd05::9"), "none");
  EXPECT_TRUE(matched("10.5.0.2")->local);
  EXPECT_TRUE(test::happens([&] {
    const auto match = matched("fd05::2");
    return match && match->local;
  }));
  EXPECT_EQ(test::addresses("v0").size(), 4U);
}

TEST_F(RouteChoice, ACarrierIsSeen) {
  EXPECT_TRUE(link("v0").carrier);
  ip("link set p0 down");
  EXPECT_FALSE(link("v0").carrier);
  EXPECT_TRUE(link("v0").up);
  EXPECT_TRUE(link("lo").carrier) << "which never says that it is operational";
  EXPECT_FALSE(link("lo").operational);
}

}  // namespace
}  // namespace cnio::net
