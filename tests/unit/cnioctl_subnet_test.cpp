// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// `cnioctl subnet`, as it is called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/cli.hpp"
#include "support/host.hpp"
#include "support/own_run.hpp"
#include "support/temp_folder.hpp"

namespace cnio::test {
namespace {

using cnioctl::Exit;
using cnioctl::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kWritten[] =
    "FLANNEL_NETWORK=10.240.0.0/16\nFLANNEL_SUBNET=10.240.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n";

Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "cnioctl");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return cnioctl::run(static_cast<int>(argv.size()), argv.data());
}

class Subnet : public ::testing::Test {
 protected:
  Subnet() { test::own_run_folder(); }
  [[nodiscard]] std::string file() const { return folder_.at("subnet.env"); }
  // More words replace nothing: they are added.
  [[nodiscard]] Outcome write(const std::string& cluster, const std::string& subnet,
                              const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {
        "subnet", "write", file(),       "--cluster",           cluster, "--subnet", subnet,
        "--mtu",  "1450",  "--data-dir", folder_.at("networks")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void reserve(const std::string& network, const std::string& address, const std::string& container) const {
    folder_.write("networks/" + network + "/" + address, container + "\r\neth0");
  }
  void node(const std::string& json) const { folder_.write("node.json", json); }
  [[nodiscard]] Outcome write_of_node(const std::string& name) const {
    return run({"subnet", "write", file(), "--cluster", "10.240.0.0/16,fd00:240::/48", "--node",
                folder_.at("node.json"), "--node-name", name, "--mtu", "1450", "--data-dir", folder_.at("networks")});
  }

  TempFolder folder_;
};

TEST_F(Subnet, IsWrittenAsAWholeAndOnce) {
  const Outcome first = write("10.240.0.0/16", "10.240.1.0/24");
  EXPECT_EQ(first.exit, Exit::kWell) << first.err;
  EXPECT_EQ(folder_.read("subnet.env"), kWritten);
  EXPECT_THAT(write("10.240.0.0/16", "10.240.1.0/24").out, HasSubstr("says so already"));
  EXPECT_EQ(folder_.contents().size(), 1U);
}

TEST_F(Subnet, IsShownWithoutHostBits) {
  folder_.write("subnet.env", kWritten);
  EXPECT_EQ(run({"subnet", "show", file()}).out,
            "cluster 10.240.0.0/16\nsubnet 10.240.1.0/24\nmtu 1450\nipmasq false\n");
  EXPECT_THAT(
      run({"--json", "subnet", "show", file()}).out,
      AllOf(HasSubstr(R"("schema": "cnioctl/1")"), HasSubstr(R"("10.240.1.0/24")"), HasSubstr(R"("mtu": 1450)")));
}

struct Refused {
  std::string cluster;
  std::string subnet;
  std::string because;
};

TEST_F(Subnet, IsRefusedAndNothingWritten) {
  for (const Refused& each :
       std::vector<Refused>{{"10.240.0.0/16", "10.241.1.0/24", "does not lie in the cluster's network 10.240.0.0/16"},
                            {"10.240.0.0/16", "10.240.1.0/28", "is too small for 110 pods"},
                            {"10.240.0.0/16", "10.240.1.7/24", "did you mean 10.240.1.0/24?"},
                            {"10.240.0.1/16", "10.240.1.0/24", "did you mean 10.240.0.0/16?"},
                            {"10.240.0.0/16", "${NODE_SUBNET}", "is no subnet like"},
                            {"10.240.0.0/16", "fd00::/64", "has no subnet of IPv4"},
                            {"10.240.0.0/16", "10.240.1.0/24,fd00::/64", "FLANNEL_IPV6"},
                            {"10.240.0.0/16,10.0.0.0/8", "10.240.1.0/24", "overlap"},
                            {"10.240.0.0/16", "10.240.1.0/24,10.240.2.0/24", "two of IPv4"},
                            {"all of it", "10.240.1.0/24", "is no subnet like"}}) {
    const Outcome refused = write(each.cluster, each.subnet);
    EXPECT_EQ(refused.exit, Exit::kFound) << each.subnet;
    EXPECT_THAT(refused.err, HasSubstr(each.because));
    EXPECT_THAT(folder_.contents(), IsEmpty());
  }
}

TEST_F(Subnet, HasRoomForAsManyPodsAsOneSays) {
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/28", {"--pods", "13"}).exit, Exit::kWell);
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/28", {"--pods", "14"}).exit, Exit::kFound);
}

TEST_F(Subnet, StaysWhilePodsHaveItsAddresses) {
  PARITY("T-F53");
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  reserve("mynet", "10.240.1.5", "c1");
  reserve("mynet", "10.240.1.6", "c2");
  const Outcome refused = write("10.240.0.0/16", "10.240.2.0/24");
  EXPECT_EQ(refused.exit, Exit::kFound);
  EXPECT_THAT(refused.out, AllOf(HasSubstr("2 running pods have addresses outside of 10.240.2.0/24"),
                                 HasSubstr("10.240.1.5 of (mynet/c1/eth0), 10.240.1.6")));
  EXPECT_EQ(folder_.read("subnet.env"), kWritten);
  EXPECT_EQ(write("10.240.0.0/16", "10.240.2.0/24", {"--force"}).exit, Exit::kWell);
  EXPECT_THAT(folder_.read("subnet.env"), HasSubstr("FLANNEL_SUBNET=10.240.2.1/24"));
}

// The gateway's address has another prefix then.
TEST_F(Subnet, StaysWhilePodsHaveAddressesOfAnotherPrefix) {
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  reserve("mynet", "10.240.1.5", "c1");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.0.0/23").exit, Exit::kFound);
}

TEST_F(Subnet, MayChangeUnderPodsOfOtherNetworksAndInTheCluster) {
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  reserve("podman", "10.88.0.2", "c1");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.2.0/24").exit, Exit::kWell);
  EXPECT_EQ(write("10.240.0.0/12", "10.240.2.0/24").exit, Exit::kWell);
}

// What an interrupted ADD leaves, and what nobody knows, is no pod.
TEST_F(Subnet, MayChangeWhereNobodyHoldsAnAddress) {
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  folder_.write("networks/mynet/10.240.1.9", "");
  folder_.write("networks/mynet/last_reserved_ip.0", "10.240.1.9");
  folder_.write("networks/mynet/lock", "");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.2.0/24").exit, Exit::kWell);
}

TEST_F(Subnet, IsNotGivenTwiceByTwoNetworks) {
  reserve("cbr0", "10.240.1.5", "c1");
  const Outcome refused = write("10.240.0.0/16", "10.240.1.0/24", {"--network", "bridge"});
  EXPECT_EQ(refused.exit, Exit::kFound);
  EXPECT_THAT(refused.out, HasSubstr("1 running pods of other networks have addresses in 10.240.1.0/24"));
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/24", {"--network", "cbr0"}).exit, Exit::kWell);
}

TEST_F(Subnet, OfTheNetworksFileCountsToo) {
  reserve("bridge", "10.9.1.5", "c1");
  folder_.write("10-bridge.conf", R"({"name": "bridge", "type": "bridge",
      "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.9.1.0/24"}]]}})");
  const std::vector<std::string> replaces = {"--replaces", folder_.at("10-bridge.conf"), "--dry-run"};
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/24", replaces).exit, Exit::kFound);
  EXPECT_EQ(write("10.9.0.0/16", "10.9.1.0/24", replaces).exit, Exit::kWell);
  EXPECT_FALSE(folder_.has("subnet.env"));
}

TEST_F(Subnet, InATornFileIsNamedAndReplaced) {
  folder_.write("subnet.env", "FLANNEL_NETWORK=10.240.0.0/16\nFLANNEL_SUB");
  const Outcome checked = run({"subnet", "check", file()});
  EXPECT_EQ(checked.exit, Exit::kFound);
  EXPECT_THAT(checked.err, HasSubstr("subnet.env"));
  EXPECT_THAT(write("10.240.0.0/16", "10.240.1.0/24").out, HasSubstr("cannot be used, and is replaced"));
  EXPECT_EQ(folder_.read("subnet.env"), kWritten);
}

// Where it cannot be seen who has addresses, nothing is changed.
TEST_F(Subnet, StaysWhereTheStoreCannotBeRead) {
  folder_.write("networks", "no folder");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kBlind);
  EXPECT_FALSE(folder_.has("subnet.env"));
}

TEST_F(Subnet, MayChangeBesideAFileThatIsNoStore) {
  folder_.write("networks/of-old.tar", "somebody's backup");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
}

TEST_F(Subnet, IsTakenFromAKubernetesNode) {
  PARITY("T-F54");
  node(R"({"kind": "Node", "metadata": {"name": "n1"},
           "spec": {"podCIDR": "10.240.3.0/24", "podCIDRs": ["10.240.3.0/24", "fd00:240:0:3::/64"]}})");
  EXPECT_EQ(write_of_node("n1").exit, Exit::kWell);
  EXPECT_THAT(folder_.read("subnet.env"), AllOf(HasSubstr("FLANNEL_SUBNET=10.240.3.1/24\n"),
                                                HasSubstr("FLANNEL_IPV6_SUBNET=fd00:240:0:3::1/64\n")));
}

TEST_F(Subnet, OfAKubernetesNodeMayBeMissingOrSomebodyElses) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {R"({"kind": "Node", "metadata": {"name": "n1"}, "spec": {}})", "has no podCIDR yet"},
      {R"({"kind": "Node", "metadata": {"name": "n2"}, "spec": {"podCIDR": "10.240.3.0/24"}})", R"(the Node is "n2")"},
      {R"({"kind": "Status", "message": "nodes \"n1\" is forbidden", "code": 403})", R"(nodes "n1" is forbidden)"},
      {R"({"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDR": "10.240.0.0/24"}})", "no subnet of IPv6"},
      {R"({"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDRs": ["10.9.0.0/24", "fd00:240:0:3::/64"]}})",
       "does not lie in"},
      {R"({"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDRs": "10.240.3.0/24"}})", "podCIDRs"},
      {"<html>", "JSON"}};
  for (const auto& [answer, because] : answers) {
    node(answer);
    const Outcome refused = write_of_node("n1");
    EXPECT_EQ(refused.exit, Exit::kFound);
    EXPECT_THAT(refused.err, HasSubstr(because));
    EXPECT_FALSE(folder_.has("subnet.env"));
  }
}

TEST_F(Subnet, NamesPodsAsKubernetesDoes) {
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  reserve("mynet", "10.240.1.5", "c1");
  reserve("mynet", "10.240.1.6", "c2");
  folder_.write(
      "cache/results/mynet-c1-eth0",
      R"({"kind": "cniCacheV1", "containerId": "c1", "ifName": "eth0", "networkName": "mynet", "cniArgs": [["IgnoreUnknown", "1"],
                    ["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", "web-7f9c"]]})");
  folder_.write("cache/results/mynet-c2-eth0", R"({"cniArgs": [["K8S_POD_NAME"], 7, "K8S_POD_NAME)");
  EXPECT_THAT(write("10.240.0.0/16", "10.240.2.0/24", {"--cache-dir", folder_.at("cache")}).out,
              HasSubstr("10.240.1.5 default/web-7f9c (mynet/c1/eth0), 10.240.1.6 of (mynet/c2/eth0)"));
}

TEST_F(Subnet, DrivesNoTerminal) {
  ASSERT_EQ(write("10.240.0.0/16", "10.240.1.0/24").exit, Exit::kWell);
  reserve("mynet", "10.240.1.5", "c1\x1b[2J");
  EXPECT_EQ(write("10.240.0.0/16", "10.240.2.0/24").out.find('\x1b'), std::string::npos);
}

TEST(CommandLine, IsRefusedWithUsage) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"nonsense"},
                                             {"subnet"},
                                             {"subnet", "write", "/f"},
                                             {"subnet", "write", "/f", "--cluster", "10.0.0.0/8"},
                                             {"subnet", "check", "/f", "--overlay", "carrier-pigeon"},
                                             {"subnet", "show", "/f", "--colour"}}) {
    const Outcome refused = run(words);
    EXPECT_EQ(refused.exit, Exit::kUsage);
    EXPECT_THAT(refused.err, HasSubstr("--help"));
    EXPECT_THAT(refused.out, IsEmpty());
  }
}

TEST(CommandLine, ExplainsItself) {
  EXPECT_THAT(run({"--help"}).out, AllOf(HasSubstr("subnet"), HasSubstr("lint")));
  EXPECT_THAT(run({"subnet", "write", "--help"}).out, HasSubstr("--cluster"));
  EXPECT_EQ(run({"version"}).out, "cnioctl v" CNIO_VERSION "\n");
}

}  // namespace
}  // namespace cnio::test
