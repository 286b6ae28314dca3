// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/filter.hpp"

#include <linux/if_ether.h>

#include "cnio/net/link/ifb.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FilterTest : public test::NetTest {
 protected:
  FilterTest() {
    add_veth("v0", "v1");
    ip("link add i0 type ifb");
    ip("link set i0 up");
  }

  /// "u32 pref 7", in their order.
  std::vector<std::string> listed(TcHandle parent = kFiltersOfIngress) {
    const auto filters = list_filters(route(), link("v0"), parent);
    EXPECT_OK(filters);
    std::vector<std::string> out;
    for (const Filter& filter : filters.value()) out.push_back(filter.kind + " " + std::to_string(filter.preference));
    return out;
  }

  static void tc(const std::string& words) {
    std::istringstream stream(words);
    std::vector<std::string> argv = {"tc"};
    for (std::string word; stream >> word;) argv.push_back(word);
    test::must_run(argv);
  }
};

TEST_F(FilterTest, ARedirectTakesEveryPacket) {
  ASSERT_OK(add_ingress(route(), link("v0")));
  ASSERT_OK(add_redirect(route(), link("v0"), {.preference = 7, .to = link("i0").index}));
  const std::string shown = test::must_run({"tc", "filter", "show", "dev", "v0", "parent", "ffff:"});
  EXPECT_THAT(shown, HasSubstr("protocol all pref 7 u32"));
  EXPECT_THAT(shown, HasSubstr("match 00000000/00000000 at 0"));
  EXPECT_THAT(shown, HasSubstr("mirred (Egress Redirect to device i0) stolen"));
  const auto filters = list_filters(route(), link("v0"), kFiltersOfIngress).value();
  ASSERT_EQ(filters.size(), 1U) << "neither the classifier nor its table is one";
  EXPECT_TRUE(filters[0].every_packet);
  EXPECT_EQ(filters[0].preference, 7);
  EXPECT_EQ(filters[0].protocol, ETH_P_ALL);
  EXPECT_THAT(filters[0].redirects, ElementsAre(link("i0").index));
  EXPECT_TRUE(filters[0].redirects_to(link("i0").index));
}

TEST_F(FilterTest, PacketsGoWhereTheyAreRedirected) {
  ASSERT_OK(add_ingress(route(), link("v0")));
  ASSERT_OK(add_redirect(route(), link("v0"), {.preference = 7, .to = link("i0").index}));
  ip("addr add 10.9.0.1/24 dev v1");
  ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v1");
  test::run({{"ping", "-c", "1", "-W", "1", "10.9.0.2"}});
  const test::Json counters = test::ip_json({"-s", "link", "show", "i0"})[0]["stats64"]["rx"];
  EXPECT_GE(counters["packets"].get<int>(), 1);
}

TEST_F(FilterTest, OthersAreToldApart) {
  tc("qdisc add dev v0 clsact");
  tc("filter add dev v0 ingress pref 3 protocol ip u32 match ip dst 10.0.0.0/8 flowid 1:2");
  tc("filter add dev v0 ingress pref 5 protocol all u32 match u32 0 0 action mirred egress mirror dev i0");
  tc("filter add dev v0 ingress pref 9 protocol all u32 match u32 0 0 action mirred egress redirect dev i0");
  tc("filter add dev v0 egress pref 4 protocol ip u32 match u32 0 0 flowid 1:2");
  const auto filters = list_filters(route(), link("v0"), kFiltersOfClsact).value();
  ASSERT_EQ(filters.size(), 3U);
  EXPECT_FALSE(filters[0].every_packet);
  EXPECT_EQ(filters[0].protocol, ETH_P_IP);
  EXPECT_TRUE(filters[1].every_packet);
  EXPECT_THAT(filters[1].redirects, IsEmpty()) << "a copy is no redirection";
  EXPECT_TRUE(filters[2].redirects_to(link("i0").index));
  EXPECT_THAT(listed(kFiltersOfClsactOut), ElementsAre("u32 4"));
  EXPECT_THAT(listed(kFiltersOfIngress), IsEmpty());
}

TEST_F(FilterTest, WhereNothingIsThereIsNoFilter) {
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_THAT(listed(kFiltersOfClsact), IsEmpty());
}

TEST_F(FilterTest, OneThatLeadsNowhereSaysSo) {
  ASSERT_OK(add_ingress(route(), link("v0")));
  ASSERT_OK(add_redirect(route(), link("v0"), {.preference = 7, .to = link("i0").index}));
  ip("link del i0");
  EXPECT_THAT(list_filters(route(), link("v0"), kFiltersOfIngress).value()[0].redirects, ElementsAre(IfIndex::kNone));
}

TEST_F(FilterTest, RemovalIsOfOneAndCanBeRepeated) {
  ASSERT_OK(add_clsact(route(), link("v0")));
  tc("filter add dev v0 ingress pref 3 protocol ip u32 match ip dst 10.0.0.0/8 flowid 1:2");
  ASSERT_OK(add_redirect(route(), link("v0"), {.parent = kFiltersOfClsact, .preference = 7, .to = link("i0").index}));
  const auto filters = list_filters(route(), link("v0"), kFiltersOfClsact).value();
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_OK(remove_filter(route(), link("v0"), filters.back()));
    EXPECT_THAT(listed(kFiltersOfClsact), ElementsAre("u32 3"));
    EXPECT_OK(remove_all_like(route(), link("v0"), filters.back()));
    EXPECT_THAT(test::must_run({"tc", "filter", "show", "dev", "v0", "ingress"}), ::testing::Not(HasSubstr("pref 7")));
  }
  const Link gone = link("v0");
  ip("link del v0");
  EXPECT_OK(remove_filter(route(), gone, filters.back()));
}

TEST_F(FilterTest, WhatTheKernelRefusesLeavesNothing) {
  ASSERT_OK(add_ingress(route(), link("v0")));
  EXPECT_ERROR(add_redirect(route(), link("v0"), {.preference = 7, .to = IfIndex{4711}}), Code::kKernel,
               "redirect what v0 receives");
  EXPECT_THAT(listed(), IsEmpty());
}

class IfbTest : public test::NetTest {
 protected:
  const MacAddr mac_ = MacAddr::parse("02:00:00:00:00:07").value();
};

TEST_F(IfbTest, IsMadeAsAskedFor) {
  ASSERT_OK(create_ifb(route(), {.name = "i0", .index = IfIndex{1'234'567'890}, .mtu = 1'400, .mac = mac_}));
  const test::Json made = test::find_link("i0");
  EXPECT_EQ(made.at("ifindex"), 1'234'567'890);
  EXPECT_EQ(made.at("linkinfo").at("info_kind"), "ifb");
  EXPECT_EQ(made.at("mtu"), 1'400);
  EXPECT_EQ(made.at("address"), "02:00:00:00:00:07");
  EXPECT_EQ(made.at("num_tx_queues"), 1);
  EXPECT_FALSE(made.contains("txqlen"));
  EXPECT_THAT(made.at("flags"), ::testing::Not(::testing::Contains("UP")));
}

TEST_F(IfbTest, TheNextLinksAreCountedAsBefore) {
  ip("link add before type ifb");
  ASSERT_OK(create_ifb(route(), {.name = "i0", .index = random_index(), .mac = mac_}));
  ip("link add after type ifb");
  EXPECT_EQ(static_cast<int>(link("after").index), static_cast<int>(link("before").index) + 1);
}

TEST_F(IfbTest, TakenNamesAndNumbersAreTold) {
  ASSERT_OK(create_ifb(route(), {.name = "i0", .index = IfIndex{77}, .mac = mac_}));
  EXPECT_EQ(create_ifb(route(), {.name = "i0", .mac = mac_}).error().errnum(), EEXIST);
  EXPECT_EQ(create_ifb(route(), {.name = "i1", .index = IfIndex{77}, .mac = mac_}).error().errnum(), EEXIST);
}

TEST_F(IfbTest, WithoutAnIpv6AddressOfItsOwn) {
  ASSERT_OK(create_ifb(route(), {.name = "i0", .mac = mac_}));
  ASSERT_OK(set_no_ipv6_address(route(), link("i0")));
  ASSERT_OK(set_link_up(route(), link("i0")));
  EXPECT_EQ(test::find_link("i0").at("inet6_addr_gen_mode"), "none");
}

TEST_F(IfbTest, AreListedWithoutOtherKinds) {
  ip("link add i0 type ifb");
  ip("link add b0 type bridge");
  ip("link add i1 type ifb");
  const auto listed = list_ifbs(route());
  ASSERT_OK(listed);
  std::vector<std::string> names;
  for (const Link& each : listed.value()) names.push_back(each.name);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("i0", "i1"));
}

}  // namespace
}  // namespace cnio::net
