// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/subnet_file.hpp"

#include <filesystem>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::ipam {
namespace {

constexpr char kBoth[] =
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
    "FLANNEL_IPV6_NETWORK=fd01::/48\nFLANNEL_IPV6_SUBNET=fd01:0:0:1::1/64\n"
    "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

NodeSubnets subnets_of(std::vector<std::string> networks, std::vector<std::string> subnets) {
  NodeSubnets out;
  for (const std::string& each : networks) out.networks.push_back(Cidr::parse(each).value());
  for (const std::string& each : subnets) out.subnets.push_back(Cidr::parse(each).value());
  out.mtu = 1450;
  out.ip_masq = true;
  return out;
}

Result<NodeSubnets> parse(const std::string& text) { return parse_subnets(text, "subnet.env"); }

TEST(SubnetFile, IsReadAsFlanneldWritesIt) {
  PARITY("T-F36");
  const auto read = parse(kBoth);
  ASSERT_OK(read);
  EXPECT_EQ(read.value(), subnets_of({"10.244.0.0/16", "fd01::/48"}, {"10.244.1.1/24", "fd01:0:0:1::1/64"}));
}

TEST(SubnetFile, IsReadWithCommentsBlankLinesOtherKeysAndWindowsLineEnds) {
  PARITY("T-F36");
  const auto read = parse(
      "# of node 1\r\n\r\nDOCKER_OPTS=x\r\nnot a pair\r\nFLANNEL_NETWORK=10.1.0.0/16\r\nFLANNEL_SUBNET=10.1.2.0/24\r\n"
      " FLANNEL_SUBNET=none, for the blank is part of the key\r\nFLANNEL_MTU=01450\r\nFLANNEL_IPMASQ=false\r\n");
  ASSERT_OK(read);
  NodeSubnets expected = subnets_of({"10.1.0.0/16"}, {"10.1.2.0/24"});
  expected.ip_masq = false;
  EXPECT_EQ(read.value(), expected);
}

TEST(SubnetFile, MayListSeveralNetworksEachOnce) {
  PARITY("T-F36");
  const auto read = parse(
      "FLANNEL_IPV6_NETWORK=fd01::/48,fd02::/48,fd01::1/48\nFLANNEL_IPV6_SUBNET=fd01::/64\nFLANNEL_MTU=0\n"
      "FLANNEL_IPMASQ=TRUE\n");
  ASSERT_OK(read);
  EXPECT_EQ(read.value().networks.size(), 2);
  EXPECT_EQ(read.value().networks[1].to_string(), "fd02::/48");
  EXPECT_EQ(read.value().mtu, 0);
  EXPECT_FALSE(read.value().ip_masq);  // as the reference reads it
}

TEST(SubnetFile, TheLastOfEqualKeysCounts) {
  const auto read = parse(std::string(kBoth) + "FLANNEL_MTU=1400");
  ASSERT_OK(read);
  EXPECT_EQ(read.value().mtu, 1400);
}

TEST(SubnetFile, WhatIsMissingIsNamedAllAtOnce) {
  PARITY("T-F35");
  EXPECT_ERROR(parse(""), Code::kDecode,
               "subnet.env is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, "
               "FLANNEL_MTU, FLANNEL_IPMASQ");
  const auto read = parse("FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_IPV6_SUBNET=fd01::/64\nFLANNEL_IPMASQ=true\n");
  EXPECT_ERROR(read, Code::kDecode, "subnet.env is missing FLANNEL_MTU");
  EXPECT_NE(cnio::test::details(read).find("flanneld"), std::string::npos);
}

TEST(SubnetFile, AFamilyHasANetworkAndASubnetOrNeither) {
  PARITY("T-F36 F22");
  const std::string rest = "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
  EXPECT_ERROR(parse("FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_IPV6_SUBNET=fd01::/64\n" + rest), Code::kDecode,
               "FLANNEL_NETWORK is there, but no FLANNEL_SUBNET");
  EXPECT_ERROR(parse("FLANNEL_IPV6_SUBNET=fd01::/64\nFLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.1.0/24\n" + rest),
               Code::kDecode, "FLANNEL_IPV6_SUBNET is there, but no FLANNEL_IPV6_NETWORK");
  EXPECT_ERROR(parse("FLANNEL_NETWORK=fd01::/48\n" + rest), Code::kDecode, "line 1: FLANNEL_NETWORK: must be an IPv4");
}

TEST(SubnetFile, AKnownKeyNeedsAValue) {
  PARITY("T-F36 F23");
  EXPECT_ERROR(parse(std::string(kBoth) + "FLANNEL_SUBNET\n"), Code::kDecode,
               "read subnet.env: line 7: FLANNEL_SUBNET has no \"=\" and no value");
  EXPECT_ERROR(parse(std::string(kBoth) + "FLANNEL_SUBNET"), Code::kDecode, "line 7: FLANNEL_SUBNET has no \"=\"");
  EXPECT_ERROR(parse(std::string(kBoth) + "FLANNEL_SUBNET="), Code::kDecode, "line 7: FLANNEL_SUBNET: must be", "\"\"");
  for (const std::string mtu : {"", "-1", "+1", "1450 ", "4294967296", "0x5aa", "\"1450\""}) {
    EXPECT_ERROR(parse(std::string(kBoth) + "FLANNEL_MTU=" + mtu + "\n"), Code::kDecode, "line 7: FLANNEL_MTU: must be")
        << mtu;
  }
  for (const std::string network : {"", "10.1.0.0", "10.1.0.0/16,", "10.1.0.0/16, 10.2.0.0/16", "\"10.1.0.0/16\""}) {
    EXPECT_ERROR(parse(std::string(kBoth) + "FLANNEL_NETWORK=" + network + "\n"), Code::kDecode,
                 "line 7: FLANNEL_NETWORK: must be")
        << network;
  }
}

// Whatever of it has been written: no part of the file is taken for the whole, but for one whose last value is whole.
TEST(SubnetFile, ATornOneIsNoOther) {
  const std::string whole = kBoth;
  const NodeSubnets expected = parse(whole).value();
  for (size_t size = 0; size < whole.size() - 1; ++size) {
    EXPECT_ERROR(parse(whole.substr(0, size)), Code::kDecode, "subnet.env") << whole.substr(0, size);
  }
  EXPECT_EQ(parse(whole.substr(0, whole.size() - 1)).value(), expected);
  const std::string turned =
      "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\nFLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n";
  EXPECT_ERROR(parse(turned + "FLANNEL_IPV6_N"), Code::kDecode, "line 5", "breaks off behind \"FLANNEL_IPV6_N\"");
  EXPECT_OK(parse(turned + "# the end"));
}

class SubnetFileOnDisk : public ::testing::Test {
 protected:
  [[nodiscard]] ino_t inode() const {
    struct stat info {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return info.st_ino;
  }

  test::TempFolder folder_;
  std::string path_ = folder_.at("run/flannel/subnet.env");
  NodeSubnets both_ = parse(kBoth).value();
  const std::map<std::string, std::string> only_it_ = {
      {"run", ""}, {"run/flannel", ""}, {"run/flannel/subnet.env", kBoth}};
};

TEST_F(SubnetFileOnDisk, IsWrittenAsFlanneldWritesItWhereWhoeverNeedsItCanReadIt) {
  const auto written = write_subnets(path_, both_);
  ASSERT_OK(written);
  EXPECT_TRUE(written.value());
  EXPECT_EQ(read_subnets(path_).value(), both_);
  EXPECT_EQ(folder_.mode("run/flannel/subnet.env"), 0644U);
  EXPECT_EQ(folder_.contents(), only_it_);
}

TEST_F(SubnetFileOnDisk, StaysIfNothingChanges) {
  ASSERT_OK(write_subnets(path_, both_));
  const ino_t before = inode();
  EXPECT_FALSE(write_subnets(path_, both_).value());
  EXPECT_EQ(inode(), before);
  both_.mtu = 1400;
  EXPECT_TRUE(write_subnets(path_, both_).value());
  EXPECT_EQ(read_subnets(path_).value().mtu, 1400);
  EXPECT_EQ(folder_.contents().size(), only_it_.size());
}

TEST_F(SubnetFileOnDisk, IsNotTouchedIfItCannotBeReplaced) {
  std::filesystem::create_directories(path_);
  EXPECT_ERROR(write_subnets(path_, both_), Code::kIo, "rename");
  EXPECT_EQ(folder_.contents().size(), only_it_.size());
  EXPECT_ERROR(read_subnets(path_), Code::kIo, "is not a regular file but a folder");
}

TEST_F(SubnetFileOnDisk, AbsentItIsFlanneldsToWrite) {
  PARITY("T-F35");
  const auto read = read_subnets(path_);
  EXPECT_ERROR(read, Code::kIo, "open " + path_, "No such file");
  EXPECT_NE(cnio::test::details(read).find("flanneld"), std::string::npos);
}

TEST(SubnetCheck, TakesWhatFlanneldAndPeopleWrite) {
  EXPECT_OK(check_subnets(parse(kBoth).value(), 110));
  EXPECT_OK(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.244.1.0/24"}), 253));
  EXPECT_OK(check_subnets(subnets_of({"10.244.1.0/24"}, {"10.244.1.0/24"}), 1));
}

TEST(SubnetCheck, RefusesASubnetThatLiesOutsideOfTheCluster) {
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16", "10.246.0.0/16"}, {"10.245.1.0/24"}), 110),
               Code::kInvalidConfig, "FLANNEL_SUBNET", "10.245.1.0/24 does not lie in", "10.244.0.0/16,10.246.0.0/16");
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.0.0.0/8"}), 110), Code::kInvalidConfig,
               "does not lie in");
}

TEST(SubnetCheck, RefusesHostBits) {
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.244.1.2/24"}), 110), Code::kInvalidConfig,
               "FLANNEL_SUBNET", "host bits set; the subnet is 10.244.1.0/24");
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.1/16"}, {"10.244.1.0/24"}), 110), Code::kInvalidConfig,
               "FLANNEL_NETWORK", "the network is 10.244.0.0/16");
}

TEST(SubnetCheck, RefusesNetworksThatOverlap) {
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16", "10.244.128.0/17"}, {"10.244.1.0/24"}), 110),
               Code::kInvalidConfig, "FLANNEL_NETWORK", "overlaps");
}

TEST(SubnetCheck, RefusesWhatNoPodCanHave) {
  EXPECT_ERROR(check_subnets(subnets_of({"127.0.0.0/8"}, {"127.1.0.0/24"}), 110), Code::kInvalidConfig,
               "FLANNEL_NETWORK", "127.0.0.0/8 is not for pods: 127.0.0.1/8 is a loopback address");
  EXPECT_ERROR(check_subnets(subnets_of({"192.0.0.0/2"}, {"224.1.0.0/24"}), 110), Code::kInvalidConfig,
               "FLANNEL_SUBNET", "is a multicast address");
  EXPECT_ERROR(check_subnets(subnets_of({"0.0.0.0/0"}, {"10.244.1.0/24"}), 110), Code::kInvalidConfig,
               "FLANNEL_NETWORK", "the whole world");
  EXPECT_ERROR(check_subnets(subnets_of({"fe80::/10"}, {"fe80::/64"}), 110), Code::kInvalidConfig,
               "FLANNEL_IPV6_NETWORK", "is a link-local address");
}

TEST(SubnetCheck, RefusesASubnetThatIsTooSmallForThePods) {
  EXPECT_OK(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.244.1.0/25"}), 110));
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.244.1.0/26"}), 110), Code::kInvalidConfig,
               "FLANNEL_SUBNET", "10.244.1.0/26 is too small for 110 pods");
  EXPECT_ERROR(check_subnets(subnets_of({"10.244.0.0/16"}, {"10.244.1.0/32"}), 0), Code::kInvalidConfig, "too small");
  NodeSubnets v6 = subnets_of({"fd01::/48"}, {"fd01::/121"});
  EXPECT_OK(check_subnets(v6, 110));
  v6.subnets = {Cidr::parse("fd01::/122").value()};
  EXPECT_ERROR(check_subnets(v6, 110), Code::kInvalidConfig, "FLANNEL_IPV6_SUBNET", "too small");
  v6.subnets = {Cidr::parse("fd01::/64").value()};
  EXPECT_OK(check_subnets(v6, UINT64_MAX));
}

TEST(SubnetCheck, RefusesAnMtuThatNoLinkHas) {
  NodeSubnets subnets = subnets_of({"10.244.0.0/16"}, {"10.244.1.0/24"});
  for (const uint32_t mtu : {0U, 67U, 65536U}) {
    subnets.mtu = mtu;
    EXPECT_ERROR(check_subnets(subnets, 110), Code::kInvalidConfig, "FLANNEL_MTU", "68 and 65535");
  }
  NodeSubnets both = parse(kBoth).value();
  both.mtu = 1279;
  EXPECT_ERROR(check_subnets(both, 110), Code::kInvalidConfig, "FLANNEL_MTU", "1280 and 65535");
}

}  // namespace
}  // namespace cnio::ipam
