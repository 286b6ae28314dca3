// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/address.hpp"

#include <cerrno>
#include <linux/rtnetlink.h>

#include "cnio/net/sandbox.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::address_texts;
using test::addresses;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

class AddressTest : public test::NetTest {
 protected:
  AddressTest() { add_veth("v0", "v1"); }

  Status add(const std::string& text, DuplicateDetection detection = DuplicateDetection::kOff) {
    return add_address(route(), link("v0"), cidr(text), detection);
  }
  // The global ones, as the code under test sees them.
  std::vector<std::string> listed(const std::string& name, std::optional<Family> family = {}) {
    const auto list = list_addresses(route(), link(name), family);
    EXPECT_OK(list);
    std::vector<std::string> out;
    for (const Address& address : list.value()) {
      if (address.scope != RT_SCOPE_LINK) out.push_back(address.cidr.to_string());
    }
    return out;
  }
};

TEST_F(AddressTest, Ipv4ComesWithItsBroadcastAddress) {
  ASSERT_OK(add("10.1.2.133/25"));
  const test::Json seen = addresses("v0").at(0);
  EXPECT_EQ(seen.at("local"), "10.1.2.133");
  EXPECT_EQ(seen.at("prefixlen"), 25);
  EXPECT_EQ(seen.at("broadcast"), "10.1.2.255");
  EXPECT_EQ(seen.at("scope"), "global");
  EXPECT_EQ(seen.value("valid_life_time", 0U), UINT32_MAX);
}

TEST_F(AddressTest, NetworksOfOneOrTwoHaveNoBroadcastAddress) {
  ASSERT_OK(add("10.1.2.3/32"));
  ASSERT_OK(add("10.1.3.4/31"));
  EXPECT_THAT(address_texts("v0"), ElementsAre("10.1.2.3/32", "10.1.3.4/31"));
  for (const auto& seen : addresses("v0")) EXPECT_FALSE(seen.contains("broadcast")) << seen.dump();
}

TEST_F(AddressTest, Ipv6IsUsableAtOnceWithoutDetection) {
  PARITY("T36");
  test::set_sysctl("net/ipv6/conf/v0/dad_transmits", "100");  // detection would take minutes
  ASSERT_OK(add("fd01::5/64"));
  const test::Json seen = addresses("v0").at(0);
  EXPECT_EQ(seen.at("local"), "fd01::5");
  EXPECT_EQ(seen.at("prefixlen"), 64);
  EXPECT_FALSE(seen.contains("tentative")) << seen.dump();
  EXPECT_TRUE(seen.value("nodad", false)) << seen.dump();
  const auto listed = list_addresses(route(), link("v0"), Family::kIpv6);
  ASSERT_OK(listed);
  for (const Address& address : listed.value()) {
    EXPECT_FALSE(address.cidr == cidr("fd01::5/64") && (address.tentative || address.dad_failed));
  }
}

TEST_F(AddressTest, AddingTwiceIsEexist) {
  for (const char* text : {"10.1.2.3/24", "fd01::5/64"}) {
    ASSERT_OK(add(text));
    const Status again = add(text);
    EXPECT_ERROR(again, Code::kKernel, "add address " + std::string(text) + " to v0: ");
    EXPECT_EQ(again.error().errnum(), EEXIST);
  }
}

TEST_F(AddressTest, WhatTheKernelRefusesIsNamed) {
  EXPECT_ERROR(add("ff02::5/64"), Code::kKernel, "add address ff02::5/64 to v0");
  EXPECT_ERROR(add("::/64"), Code::kKernel, "add address ::/64 to v0");
  EXPECT_THAT(addresses("v0"), IsEmpty());
}

TEST_F(AddressTest, RemovalIsRepeatable) {
  for (const char* text : {"10.1.2.3/24", "fd01::5/64"}) {
    ASSERT_OK(add(text));
    EXPECT_OK(remove_address(route(), link("v0"), cidr(text)));
    EXPECT_THAT(address_texts("v0"), IsEmpty());
    EXPECT_OK(remove_address(route(), link("v0"), cidr(text)));
  }
  const Link gone = link("v0");
  ip("link del v0");
  EXPECT_OK(remove_address(route(), gone, cidr("10.1.2.3/24")));
  EXPECT_OK(remove_address(route(), gone, cidr("fd01::5/64")));
}

TEST_F(AddressTest, RemovalTakesTheOneThatIsMeant) {
  ASSERT_OK(add("10.1.2.3/24"));
  ASSERT_OK(add("10.1.2.3/16"));
  ASSERT_OK(add("10.2.2.3/24"));
  EXPECT_OK(remove_address(route(), link("v0"), cidr("10.1.2.3/16")));
  EXPECT_THAT(address_texts("v0"), ElementsAre("10.1.2.3/24", "10.2.2.3/24"));
}

TEST_F(AddressTest, AreListedOfOneLinkAndFamily) {
  ip("addr add 10.1.2.3/24 dev v0");
  ip("addr add fd01::5/64 dev v0 nodad");
  ip("addr add 10.9.9.9/24 dev v1");
  EXPECT_THAT(listed("v0"), ElementsAre("10.1.2.3/24", "fd01::5/64"));
  EXPECT_THAT(listed("v0", Family::kIpv4), ElementsAre("10.1.2.3/24"));
  EXPECT_THAT(listed("v0", Family::kIpv6), ElementsAre("fd01::5/64"));
  EXPECT_THAT(listed("v1"), ElementsAre("10.9.9.9/24"));
  EXPECT_THAT(listed("lo"), ElementsAre("127.0.0.1/8", "::1/128"));
}

TEST_F(AddressTest, OfALinkThatIsGoneThereAreNone) {
  const Link gone = link("v0");
  ASSERT_OK(add("10.1.2.3/24"));
  ASSERT_OK(remove_link(route(), gone));
  const auto list = list_addresses(route(), gone);
  ASSERT_OK(list);
  EXPECT_THAT(list.value(), IsEmpty());
}

TEST_F(AddressTest, OfAPointToPointLinkIsOurOwnSide) {
  ip("addr add 10.1.2.3/32 peer 10.1.2.4/24 dev v0");
  EXPECT_THAT(listed("v0"), ElementsAre("10.1.2.3/24"));
}

TEST_F(AddressTest, ThousandsAreListed) {
  std::string lines;
  for (int i = 0; i < 2000; ++i) {
    lines += "addr add 10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + "/32 dev v0\n";
  }
  ip_batch(lines);
  EXPECT_EQ(listed("v0").size(), 2000U);
  EXPECT_THAT(listed("v1"), IsEmpty());
}

// ---- duplicate address detection, between the two ends of a pair in different namespaces

class DuplicateTest : public test::NetTest {
 protected:
  DuplicateTest() : sandbox_(Sandbox::open(test::add_netns("pod")).value()) {
    ip("link add host0 type veth peer name eth0 netns pod");
    ip("addr add fd01::5/64 dev host0 nodad");
    ip("link set host0 up");
    ip("link set eth0 up", "/run/netns/pod");
  }
  Link eth0() { return find_link(sandbox_.route(), "eth0").value().value(); }
  // Hears what happens in the sandbox.
  AddressEvents events() {
    std::optional<AddressEvents> opened;
    EXPECT_OK(sandbox_.run([&]() -> Status {
      CNIO_LET(opened, AddressEvents::open());
      return {};
    }));
    return std::move(opened).value();
  }
  Status add(const std::string& text, DuplicateDetection detection) {
    return add_address(sandbox_.route(), eth0(), cidr(text), detection);
  }

  Sandbox sandbox_;
};

TEST_F(DuplicateTest, AnAddressOfSomeoneElseIsAConflictThatNamesIt) {
  PARITY("T37");
  AddressEvents heard = events();
  ASSERT_OK(add("fd01::5/64", DuplicateDetection::kOn));
  EXPECT_ERROR(heard.wait_settled(sandbox_.route(), eth0(), 60'000), Code::kConflict,
               "address fd01::5/64 of eth0: duplicate address detection failed");
  EXPECT_TRUE(addresses("eth0", "/run/netns/pod").at(0).value("dadfailed", false));
  // Asked again, when no event comes any more, it is still known.
  EXPECT_ERROR(heard.wait_settled(sandbox_.route(), eth0(), 60'000), Code::kConflict, "fd01::5/64");
}

TEST_F(DuplicateTest, AFreeAddressSettles) {
  AddressEvents heard = events();
  ASSERT_OK(add("fd01::6/64", DuplicateDetection::kOn));
  ASSERT_OK(heard.wait_settled(sandbox_.route(), eth0(), 60'000));
  EXPECT_FALSE(addresses("eth0", "/run/netns/pod").at(0).contains("tentative"));
}

TEST_F(DuplicateTest, WithoutDetectionThereIsNothingToWaitFor) {
  AddressEvents heard = events();
  ASSERT_OK(heard.wait_settled(sandbox_.route(), eth0(), 60'000));  // the link-local address that the kernel adds
  ASSERT_OK(add("fd01::5/64", DuplicateDetection::kOff));
  EXPECT_OK(heard.wait_settled(sandbox_.route(), eth0(), 0));
}

TEST_F(DuplicateTest, AnUndecidedAddressIsNamedWithTheTime) {
  test::set_sysctl("net/ipv6/conf/eth0/dad_transmits", "1000", "/run/netns/pod");
  AddressEvents heard = events();
  ASSERT_OK(add("fd01::6/64", DuplicateDetection::kOn));
  const Status status = heard.wait_settled(sandbox_.route(), eth0(), 20);
  EXPECT_ERROR(status, Code::kTryAgain, " of eth0: duplicate address detection not done within 20 ms");
}

// Not taken for lack of memory.
TEST_F(AddressTest, OneThatCannotBeIsAnErrorThatNamesIt) {
  FAULT("D14 library errors");
  for (const char* text : {"::/0", "0.0.0.0/0", "::/64"}) {
    EXPECT_ERROR(add_address(route(), link("v0"), *Cidr::parse(text), DuplicateDetection::kOff), Code::kKernel, text);
  }
}

TEST_F(AddressTest, ThoseOfAllLinksAreListedWithTheirOwners) {
  ip("addr add 10.1.0.1/24 dev v0");
  ip("addr add fd01::1/64 dev v1");
  const auto all = list_addresses(route());
  ASSERT_OK(all);
  std::vector<std::string> seen;
  for (const OwnedAddress& each : all.value()) {
    if (each.owner == link("v0").index) seen.push_back("v0 " + each.address.cidr.to_string());
    if (each.owner == link("v1").index) seen.push_back("v1 " + each.address.cidr.to_string());
  }
  EXPECT_THAT(seen, ::testing::IsSupersetOf({"v0 10.1.0.1/24", "v1 fd01::1/64"}));
}

}  // namespace
}  // namespace cnio::net
