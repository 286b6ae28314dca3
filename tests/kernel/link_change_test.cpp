// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What an administrator sets of a link: MTU, promiscuity, all-multicast, queue, MAC address.
#include <algorithm>

#include "cnio/net/link/link.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::Json;
using ::testing::HasSubstr;
using ::testing::Not;

class LinkChangeTest : public test::NetTest {
 protected:
  LinkChangeTest() { ip("link add v0 type veth peer name v1"); }
  static Json shown() { return test::find_link("v0"); }
  // Without what the kernel finds out by itself a while after a link is up.
  static Json settled() {
    Json out = shown();
    out.erase("operstate");
    Json& flags = out.at("flags");
    flags.erase(std::remove(flags.begin(), flags.end(), "NO-CARRIER"), flags.end());
    return out;
  }

  const LinkChange all_{.mac = MacAddr::parse("02:00:00:00:00:99"),
                        .mtu = 1400,
                        .promiscuous = true,
                        .all_multicast = true,
                        .tx_queue = 77};
};

TEST_F(LinkChangeTest, SetsAllAtOnce) {
  const LinkChange before = present(link("v0"), all_);
  EXPECT_OK(change_link(route(), link("v0"), all_));
  EXPECT_EQ(present(link("v0"), all_), all_);
  EXPECT_EQ(shown().at("address"), "02:00:00:00:00:99");
  EXPECT_EQ(shown().at("mtu"), 1400);
  EXPECT_EQ(shown().at("promiscuity"), 1);
  EXPECT_THAT(shown().at("flags").dump(), HasSubstr("ALLMULTI"));
  EXPECT_EQ(shown().at("txqlen"), 77);
  EXPECT_OK(change_link(route(), link("v0"), all_)) << "again";
  EXPECT_EQ(shown().at("promiscuity"), 1);
  EXPECT_OK(change_link(route(), link("v0"), before));
  EXPECT_EQ(present(link("v0"), all_), before);
  EXPECT_EQ(shown().at("promiscuity"), 0);
  EXPECT_THAT(shown().at("flags").dump(), Not(HasSubstr("ALLMULTI")));
}

TEST_F(LinkChangeTest, LeavesAllElse) {
  ip("link set v0 promisc on allmulticast on up");
  Json expected = settled();
  EXPECT_OK(change_link(route(), link("v0"), {.tx_queue = 0}));
  expected.erase("txqlen");  // ip shows none
  Json after = settled();
  after.erase("txqlen");
  EXPECT_EQ(after, expected);
  EXPECT_EQ(link("v0").tx_queue, 0U);
  EXPECT_TRUE(link("v0").all_multicast);
}

TEST_F(LinkChangeTest, QueueOfAnyLength) {
  EXPECT_OK(change_link(route(), link("v0"), {.tx_queue = UINT32_MAX}));
  EXPECT_EQ(link("v0").tx_queue, UINT32_MAX);
}

TEST_F(LinkChangeTest, MtuHasLimits) {
  EXPECT_EQ(link("v0").min_mtu, 68U);
  EXPECT_EQ(link("v0").max_mtu, 65535U);
  EXPECT_ERROR(change_link(route(), link("v0"), {.mtu = 65536}), Code::kKernel, "set mtu 65536 of v0");
  EXPECT_ERROR(change_link(route(), link("v0"), {.mtu = 67}), Code::kKernel, "set mtu 67 of v0");
}

TEST_F(LinkChangeTest, ErrorNamesAllThatWasToBeSet) {
  const Link gone = link("v0");
  ip("link del v0");
  EXPECT_ERROR(change_link(route(), gone, all_), Code::kKernel,
               "set MAC address 02:00:00:00:00:99, mtu 1400, promisc on, allmulti on, txQLen 77 of v0: No such device");
}

TEST_F(LinkChangeTest, DifferenceIsWhatIsToBeSet) {
  EXPECT_TRUE(differing(all_, all_).empty());
  LinkChange other = all_;
  other.mtu = 1500;
  other.promiscuous = false;
  EXPECT_EQ(to_string(differing(all_, other)), "mtu 1400, promisc on");
  EXPECT_EQ(differing(all_, LinkChange()), all_);
  EXPECT_TRUE(differing(LinkChange(), LinkChange()).empty());
}

TEST_F(LinkChangeTest, ANewMacAddressIsAnnouncedOrNot) {
  EXPECT_FALSE(link("v0").announces_ipv4);
  EXPECT_OK(set_arp_notify(route(), link("v0")));
  EXPECT_TRUE(link("v0").announces_ipv4);
  EXPECT_OK(set_arp_notify(route(), link("v0"), false));
  EXPECT_FALSE(link("v0").announces_ipv4);
  ASSERT_TRUE(link("v0").ipv6);
  EXPECT_FALSE(link("v0").ipv6->announces);
  test::set_sysctl("net/ipv6/conf/v0/ndisc_notify", "1");
  EXPECT_TRUE(link("v0").ipv6->announces);
}

}  // namespace
}  // namespace cnio::net
