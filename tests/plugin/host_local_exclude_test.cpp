// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Addresses and networks that host-local keeps back: the key `exclude`, which the reference does not know.
#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

Json excluding(const Json& list, const std::vector<std::string>& subnets = {"10.1.0.0/29"}) {
  Json config = host_local_config(subnets);
  config["ipam"]["exclude"] = list;
  return config;
}

class HostLocalExclude : public HostTest {};

TEST_F(HostLocalExclude, KeepsAddressesAndNetworksBack) {
  const Json config = excluding({"10.1.0.2/31", "10.1.0.5"});
  EXPECT_EQ(first_address(config, pod("c1")), "10.1.0.4/29");
  EXPECT_EQ(first_address(config, pod("c2")), "10.1.0.6/29");
  EXPECT_TRUE(failed(add(config, pod("c3")), code::kNoAddress, {"10.1.0.0/29", "2 of 2 reserved", "ipam.exclude"}));
}

TEST_F(HostLocalExclude, ALargePartOfALargeRangeCostsNothing) {
  const Json config = excluding({"10.0.0.0/9", "fd01::/65"}, {"10.0.0.0/8", "fd01::/64"});
  EXPECT_EQ(addresses_of(must_add(config, pod("c1"))),
            (std::vector<std::string>{"10.128.0.0/8", "fd01::8000:0:0:0/64"}));
  // Around the end, and over the excluded half again.
  write_file(kStore + "/last_reserved_ip.0", "10.255.255.254");
  EXPECT_EQ(first_address(config, pod("c2")), "10.128.0.1/8");
  write_file(kStore + "/last_reserved_ip.0", "10.0.0.77");
  EXPECT_EQ(first_address(config, pod("c3")), "10.128.0.2/8") << "the cursor stands within what is excluded";
}

TEST_F(HostLocalExclude, RequestsAreRefusedNamingTheKeyBeforeAnyChange) {
  Json config = excluding({"10.1.0.4/30", "fd01::9"}, {"10.1.0.0/29", "fd01::/64"});
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.1.0.5")), code::kNoAddress, {"10.1.0.5", "ipam.exclude"}));
  config["runtimeConfig"]["ips"] = {"fd01::9/64"};
  EXPECT_TRUE(failed(add(config, pod("c1")), code::kNoAddress, {"fd01::9", "ipam.exclude"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(HostLocalExclude, OneListServesNodesWithDifferentRanges) {
  const Json list = {"10.1.0.2", "10.2.0.2", "10.3.0.0/28", "fd01::2"};
  for (const char* subnet : {"10.1.0.0/24", "10.2.0.0/24", "fd01::/64"}) {
    const Json config = excluding(list, {subnet});
    const std::string given = first_address(config, pod("c1"));
    EXPECT_TRUE(given.ends_with("3/24") || given == "fd01::3/64") << given;
    must_del(config, pod("c1"));
  }
  EXPECT_EQ(first_address(excluding(list, {"10.4.0.0/24"}), pod("c1")), "10.4.0.2/24") << "nothing of it is excluded";
}

TEST_F(HostLocalExclude, AlsoConcernsOldStyleAndRuntimeRanges) {
  Json config = excluding({"10.8.0.2", "10.9.0.2/31"}, {});
  config["ipam"]["subnet"] = "10.8.0.0/24";
  config["runtimeConfig"]["ipRanges"] = Json::parse(R"([[{"subnet": "10.9.0.0/24"}]])");
  EXPECT_EQ(addresses_of(must_add(config, pod("c1"))), (std::vector<std::string>{"10.9.0.4/24", "10.8.0.3/24"}));
}

TEST_F(HostLocalExclude, WhoHoldsAnAddressKeepsIt) {
  must_add(host_local_config(), pod("c1"));
  const Json config = excluding({"10.1.0.2"}, {"10.1.0.0/24"});
  EXPECT_TRUE(succeeded_silently(check(config, pod("c1"))));
  EXPECT_TRUE(succeeded_silently(del(config, pod("c1"))));
  EXPECT_FALSE(reserved("10.1.0.2"));
  EXPECT_EQ(first_address(config, pod("c2")), "10.1.0.3/24");
}

TEST_F(HostLocalExclude, NothingLeftIsAConfigurationError) {
  const Snapshot before = Snapshot::of_host();
  const Json config = excluding({"10.2.0.2"}, {"10.1.0.0/24", "10.2.0.0/30"});
  EXPECT_TRUE(failed(add(config, pod("c1")), code::kConfig, {"\"ipam.exclude\"", "10.2.0.0/30", "ipam.ranges[1]"}));
  EXPECT_TRUE(failed(status(config), code::kConfig, {"\"ipam.exclude\""}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(succeeded_silently(del(config, pod("c1")))) << "DEL does not need it";
}

}  // namespace
}  // namespace cnio::test
