// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/qdisc.hpp"

#include <cerrno>

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr TcHandle kFirst = 0x00010000;
constexpr uint64_t kMegabyte = 1'000'000;

class QdiscTest : public test::NetTest {
 protected:
  QdiscTest() { add_veth("v0", "v1"); }

  /// "tbf 1:", of what somebody has added.
  std::vector<std::string> listed(const std::string& name) {
    const auto qdiscs = list_qdiscs(route(), link(name));
    EXPECT_OK(qdiscs);
    std::vector<std::string> out;
    for (const Qdisc& qdisc : qdiscs.value()) {
      if (!qdisc.chosen_by_kernel()) out.push_back(qdisc.kind + " " + to_string_tc(qdisc.handle));
    }
    return out;
  }

  Qdisc root(const std::string& name) {
    const auto found = find_qdisc(list_qdiscs(route(), link(name)).value(), kRoot);
    if (!found) throw std::runtime_error("no root on " + name);
    return *found;
  }

  static std::string tc(const std::string& link) { return test::must_run({"tc", "qdisc", "show", "dev", link}); }
};

TEST_F(QdiscTest, ATokenBucketIsWhatWasAskedFor) {
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = kMegabyte, .burst = 100'000, .limit = 125'000}));
  EXPECT_THAT(tc("v0"), ContainsRegex("qdisc tbf 1: root refcnt . rate 8Mbit burst 100000b lat 25ms"));
  const Qdisc made = root("v0");
  ASSERT_TRUE(made.tbf);
  EXPECT_EQ(made.kind, "tbf");
  EXPECT_EQ(made.handle, kFirst);
  EXPECT_EQ(made.link, link("v0").index);
  EXPECT_EQ(made.tbf->rate, kMegabyte);
  EXPECT_EQ(made.tbf->limit, 125'000U);
  EXPECT_EQ(made.tbf->buffer, 1'562'500U);
  EXPECT_EQ(ticks_of(kMegabyte, 100'000), 1'562'500U);
}

TEST_F(QdiscTest, RatesBeyond32BitsAreNotCut) {
  constexpr uint64_t kRate = 125'000'000'000'000;  // 1 Pbit/s
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = kRate, .burst = UINT32_MAX, .limit = INT32_MAX}));
  EXPECT_EQ(root("v0").tbf->rate, kRate);
  EXPECT_EQ(root("v0").tbf->limit, static_cast<uint32_t>(INT32_MAX));
  EXPECT_NEAR(root("v0").tbf->buffer, static_cast<double>(ticks_of(kRate, UINT32_MAX)), 2);
}

// The field for the time, 32 bits of 64 ns, holds 274 s: the kernel takes the bytes, and tells what the field holds.
TEST_F(QdiscTest, ABucketThatTakesMinutesToFillIsNotCut) {
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = 125, .burst = 125'000, .limit = 2'000}));
  EXPECT_EQ(ticks_of(125, 125'000), 15'625'000'000U);  // 1000 s
  EXPECT_NEAR(root("v0").tbf->buffer, static_cast<uint32_t>(15'625'000'000), 20);
}

// tc(8) shows the peak rate by which that is done.
TEST_F(QdiscTest, WhatTheQueueCannotHoldIsCut) {
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = kMegabyte, .burst = 100'000, .limit = 26'518}));
  EXPECT_THAT(tc("v0"), HasSubstr("peakrate"));
  EXPECT_EQ(root("v0").tbf->rate, kMegabyte);
  EXPECT_EQ(root("v0").tbf->limit, 26'518U);
  EXPECT_EQ(root("v0").tbf->buffer, 1'562'500U);
}

TEST_F(QdiscTest, ThereIsOneRoot) {
  const TbfSpec spec = {.rate = kMegabyte, .burst = 100'000, .limit = 125'000};
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, spec));
  const Status again = add_tbf(route(), link("v0"), kFirst, spec);
  EXPECT_ERROR(again, Code::kKernel, "limit what v0 sends");
  EXPECT_EQ(again.error().errnum(), EEXIST);
}

TEST_F(QdiscTest, WhatIsReceivedHasAPlaceOfItsOwn) {
  ASSERT_OK(add_ingress(route(), link("v0")));
  ASSERT_OK(add_clsact(route(), link("v1")));
  EXPECT_THAT(listed("v0"), ElementsAre("ingress ffff:"));
  EXPECT_THAT(listed("v1"), ElementsAre("clsact ffff:"));
  EXPECT_EQ(add_clsact(route(), link("v0")).error().errnum(), EEXIST);
  const auto qdiscs = list_qdiscs(route(), link("v0"));
  EXPECT_EQ(find_qdisc(qdiscs.value(), kIngress)->kind, "ingress");
  EXPECT_FALSE(find_qdisc(qdiscs.value(), kRoot)) << "the kernel's own is nobody's";
}

TEST_F(QdiscTest, ThoseOfOneLinkOrOfAllAreListed) {
  test::must_run({"tc", "qdisc", "add", "dev", "v0", "root", "handle", "7:", "htb"});
  test::must_run({"tc", "class", "add", "dev", "v0", "parent", "7:", "classid", "7:1", "htb", "rate", "1mbit"});
  test::must_run({"tc", "qdisc", "add", "dev", "v0", "parent", "7:1", "handle", "70:", "pfifo"});
  test::must_run({"tc", "qdisc", "add", "dev", "v1", "ingress"});
  EXPECT_THAT(listed("v0"), UnorderedElementsAre("htb 7:", "pfifo 70:"));
  const auto all = list_qdiscs(route());
  ASSERT_OK(all);
  std::vector<std::string> kinds;
  for (const Qdisc& qdisc : all.value()) {
    if (!qdisc.chosen_by_kernel()) kinds.push_back(qdisc.kind);
  }
  EXPECT_THAT(kinds, UnorderedElementsAre("htb", "pfifo", "ingress"));
  EXPECT_EQ(to_string_tc(0x00070001), "7:1");
}

TEST_F(QdiscTest, RemovalIsOfThisKindAndCanBeRepeated) {
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = kMegabyte, .burst = 100'000, .limit = 125'000}));
  ASSERT_OK(add_ingress(route(), link("v0")));
  const auto qdiscs = list_qdiscs(route(), link("v0")).value();
  for (int turn = 0; turn < 2; ++turn) {
    for (const TcHandle parent : {kRoot, kIngress}) {
      EXPECT_OK(remove_qdisc(route(), link("v0"), find_qdisc(qdiscs, parent).value()));
    }
    EXPECT_THAT(listed("v0"), IsEmpty());
  }
  const Link gone = link("v0");
  ip("link del v0");
  EXPECT_OK(remove_qdisc(route(), gone, find_qdisc(qdiscs, kRoot).value()));
  EXPECT_THAT(list_qdiscs(route(), gone).value(), IsEmpty());
}

TEST_F(QdiscTest, WhatWaitsIsCounted) {
  ASSERT_OK(add_tbf(route(), link("v0"), kFirst, {.rate = 125, .burst = 1'600, .limit = 100'000}));
  ip("addr add 10.9.0.1/24 dev v0");
  ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0");
  test::run({{"ping", "-c", "1", "-s", "1400", "-W", "1", "10.9.0.2"}});
  test::run({{"ping", "-c", "1", "-s", "1400", "-W", "1", "10.9.0.2"}});
  EXPECT_GT(root("v0").overlimits, 0U);
  EXPECT_GE(root("v0").backlog, 1'442U);
}

}  // namespace
}  // namespace cnio::net
