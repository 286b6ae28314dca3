// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/forwarding.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::sysctl;

constexpr char kIpv4[] = "net/ipv4/ip_forward";
constexpr char kIpv6[] = "net/ipv6/conf/all/forwarding";

class ForwardingTest : public test::NetTest {
 protected:
  ForwardingTest() {
    test::set_sysctl(kIpv4, "0");
    test::set_sysctl(kIpv6, "0");
  }
};

TEST_F(ForwardingTest, IsSwitchedOnForOneFamily) {
  ASSERT_OK(switch_on_forwarding(route(), Family::kIpv4));
  EXPECT_EQ(sysctl(kIpv4), "1");
  EXPECT_EQ(sysctl(kIpv6), "0");
  ASSERT_OK(switch_on_forwarding(route(), Family::kIpv6));
  EXPECT_EQ(sysctl(kIpv6), "1");
}

// Setting it anew would reset what an administrator has set of single interfaces.
TEST_F(ForwardingTest, ThatIsOnIsNotTouched) {
  add_veth("v0", "v1");
  ASSERT_OK(switch_on_forwarding(route(), Family::kIpv4));
  ASSERT_OK(switch_on_forwarding(route(), Family::kIpv6));
  for (const char* family : {"ipv4", "ipv6"}) {
    test::set_sysctl("net/" + std::string(family) + "/conf/v0/forwarding", "0");
  }
  EXPECT_OK(switch_on_forwarding(route(), Family::kIpv4));
  EXPECT_OK(switch_on_forwarding(route(), Family::kIpv6));
  EXPECT_EQ(sysctl("net/ipv4/conf/v0/forwarding"), "0");
  EXPECT_EQ(sysctl("net/ipv6/conf/v0/forwarding"), "0");
}

}  // namespace
}  // namespace cnio::net
