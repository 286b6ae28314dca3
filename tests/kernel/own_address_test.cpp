// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/own_address.hpp"

#include "cnio/net/address.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

IpAddr address(std::string_view text) { return IpAddr::parse(text).value(); }

class OwnAddress : public test::NetTest {
 protected:
  OwnAddress() {
    add_veth("v0", "p0");
    add_veth("v1", "p1");
  }
  Status wait(const std::string& of, const std::vector<IpAddr>& addresses, int timeout_ms = 60'000) {
    return wait_until_own(route(), link(of), addresses, timeout_ms, listen_here);
  }
};

Result<Netlink> nobody_listens(const std::vector<int>& /*groups*/) {
  return Error::make(Code::kKernel, "this was not to be asked for");
}

TEST_F(OwnAddress, IsWaitedForFromTheMomentThatItIsAdded) {
  for (int i = 1; i <= 20; ++i) {
    const Cidr added = Cidr::host(address("fd01::" + std::to_string(i)));
    ASSERT_OK(add_address(route(), link("v0"), added, DuplicateDetection::kOff));
    ASSERT_OK(wait("v0", {added.addr}));
    EXPECT_OK(wait_until_own(route(), link("v0"), {added.addr}, 0, nobody_listens));
  }
}

TEST_F(OwnAddress, ThatOfAnotherLinkIsNotThisOnes) {
  ip("addr add fd01::1/128 dev v1 nodad");
  ASSERT_OK(wait("v1", {address("fd01::1")}));
  EXPECT_ERROR(wait("v0", {address("fd01::1")}, 20), Code::kTryAgain,
               "the kernel has not made the address fd01::1 of v0 its own within 20 ms");
  ip("addr add fd01::1/128 dev v0 nodad");
  EXPECT_OK(wait("v0", {address("fd01::1")}));
}

TEST_F(OwnAddress, OfALinkThatIsRemovedNoneIsWaitedFor) {
  const Link going = link("v0");
  test::Command later;
  later.argv = {"sh", "-c", "sleep 0.3; ip link delete v0"};
  test::Child helper(later);
  EXPECT_ERROR(wait_until_own(route(), going, {address("fd01::1")}, 3'600'000, listen_here), Code::kTryAgain,
               "interface v0 was removed meanwhile");
  EXPECT_EQ(helper.wait().exit_code, 0);
  EXPECT_ERROR(wait_until_own(route(), going, {address("fd01::1")}, 3'600'000, listen_here), Code::kTryAgain,
               "interface v0 was removed meanwhile");
}

TEST_F(OwnAddress, WithoutOneThereIsNothingToWaitFor) {
  EXPECT_OK(wait_until_own(route(), link("v0"), {}, 0, nobody_listens));
}

TEST_F(OwnAddress, OneUnderDuplicateDetectionComesWhenThatIsDone) {
  ip("addr add fd01::1/64 dev v0");
  EXPECT_ERROR(wait("v0", {address("fd01::1")}, 0), Code::kTryAgain, "fd01::1 of v0");
  EXPECT_OK(wait("v0", {address("fd01::1")}));
}

TEST_F(OwnAddress, LinkLocalOnesAreThoseThatNobodyElseHas) {
  ip("addr flush dev v0");
  ip("addr flush dev p0");
  EXPECT_THAT(list_link_local_addresses(route(), link("v0")).value(), IsEmpty());
  ip("addr add fe80::5/64 dev p0 nodad");
  ip("addr add fe80::6/64 dev v0 nodad");
  ip("addr add fd01::6/64 dev v0 nodad");
  EXPECT_THAT(list_link_local_addresses(route(), link("v0")).value(), ElementsAre(address("fe80::6")));
  ip("addr add fe80::5/64 dev v0");
  EXPECT_TRUE(test::happens([&] { return test::ip_json({"addr", "show", "dev", "v0", "dadfailed"}).size() == 1; }));
  EXPECT_THAT(list_link_local_addresses(route(), link("v0")).value(), ElementsAre(address("fe80::6")));
}

}  // namespace
}  // namespace cnio::net
