// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/lint.hpp"
#include "cnioctl/network_file.hpp"
#include "support/host.hpp"
#include "support/temp_folder.hpp"

namespace cnio::test {
namespace {

using cnioctl::Exit;
using cnioctl::Report;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string network(const std::string& name, const std::string& bridge, const std::string& subnet) {
  return R"({"cniVersion": "1.0.0", "name": ")" + name + R"(", "plugins": [{"type": "bridge", "bridge": ")" + bridge +
         R"(", "ipam": {"type": "host-local", "subnet": ")" + subnet + R"("}}]})";
}

class Lint : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) const { folder_.write("net.d/" + name, text); }
  // "05-x.conf error wins" for each finding.
  std::vector<std::string> look(const std::string& with = "") {
    const Report report = cnioctl::lint({{folder_.at("net.d")}, with.empty() ? "" : folder_.at(with), false});
    exit_ = report.exit();
    std::vector<std::string> out;
    for (const auto& each : report.findings()) {
      const char* level = each.level == cnioctl::Level::kError ? " error " : " ";
      out.push_back(each.where.substr(each.where.rfind('/') + 1) + level + each.kind);
    }
    return out;
  }

  TempFolder folder_;
  Exit exit_ = Exit::kWell;
};

TEST_F(Lint, FindsNothingInOneNetworkWithLoopback) {
  put("10-a.conflist", network("a", "cni0", "10.1.0.0/24"));
  put("99-loopback.conf", R"({"name": "lo", "type": "loopback"})");
  put("10-a.conflist.before-1234", "not looked at");
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(exit_, Exit::kWell);
}

// Runtimes pass over it.
TEST_F(Lint, AFolderIsNoFile) {
  put("00-old.conf/a.conf", network("a", "cni0", "10.1.0.0/24"));
  put("10-a.conflist", network("a", "cni0", "10.1.0.0/24"));
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(exit_, Exit::kWell);
}

TEST_F(Lint, SaysWhichFileIsNeverUsed) {
  put("05-lo.conf", R"({"name": "lo", "type": "loopback"})");
  put("10-a.conf", network("a", "cni0", "10.1.0.0/24"));
  put("20-b.conflist", network("b", "cni1", "10.2.0.0/24"));
  EXPECT_THAT(look(), ElementsAre("20-b.conflist shadowed"));
}

TEST_F(Lint, FindsNetworksThatQuarrel) {
  put("10-a.conf", network("a", "cni0", "10.1.0.0/16"));
  put("20-b.conf", network("b", "cni0", "10.1.7.0/24"));
  put("30-a.conf", network("a", "cni0", "10.1.0.0/16"));  // one network, one store
  EXPECT_THAT(look(), ElementsAre("20-b.conf shadowed", "20-b.conf error same-subnet", "20-b.conf same-bridge",
                                  "30-a.conf shadowed", "30-a.conf same-name", "30-a.conf error same-subnet",
                                  "30-a.conf same-bridge"));
  EXPECT_EQ(exit_, Exit::kFound);
}

TEST_F(Lint, ComparesTheOthersWithTheOneThatIsMeant) {
  put("05-first.conf", network("first", "cni7", "10.7.0.0/24"));
  put("10-mine.conf", "what was there before");
  put("20-same.conf", network("same", "cni8", "10.1.0.0/24"));
  put("30-other.conf", network("other", "cni7", "10.7.0.0/24"));  // than 05-first alone
  folder_.write("new/10-mine.conf", network("mine", "cni0", "10.1.0.0/24"));
  EXPECT_THAT(look("new/10-mine.conf"), ElementsAre("05-first.conf error wins", "20-same.conf shadowed",
                                                    "20-same.conf error same-subnet", "30-other.conf shadowed"));
}

TEST_F(Lint, NamesWhatNobodyFilledIn) {
  put("10-a.conf", network("a", "cni0", "${NODE_SUBNET}"));
  put("20-b.conflist", R"({"plugins": [{"ranges": [{{.PodCIDR}}]}]})");
  EXPECT_THAT(look(), ElementsAre("20-b.conflist not-json", "10-a.conf error placeholder",
                                  "20-b.conflist error placeholder", "20-b.conflist shadowed"));
}

TEST_F(Lint, SaysWhatItCannotRead) {
  put("10-a.conf", "{}");
  std::filesystem::create_symlink("nowhere", folder_.at("net.d/20-b.conf"));
  EXPECT_THAT(look(), ElementsAre("20-b.conf unreadable", "20-b.conf shadowed"));
  EXPECT_EQ(exit_, Exit::kBlind);
}

TEST_F(Lint, TakesAFolderThatIsNotThereForAnEmptyOneIfAFileIsToGoThere) {
  folder_.write("new/10-mine.conf", network("mine", "cni0", "10.1.0.0/24"));
  EXPECT_THAT(look("new/10-mine.conf"), IsEmpty());
  EXPECT_THAT(look(), ElementsAre("net.d unreadable"));
}

TEST(NetworkFile, IsReadAsFarAsItGoes) {
  const auto read = cnioctl::parse_network_file(
      R"({"name": "a", "type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.9/24",
          "ranges": [[{"subnet": "10.2.0.0/24"}, {"subnet": 7}], [{"subnet": "fd00::/64"}]]}})");
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read.value().bridges, ElementsAre("cni0"));
  std::vector<std::string> subnets;
  for (const Cidr& subnet : read.value().subnets) subnets.push_back(subnet.to_string());
  EXPECT_THAT(subnets, ElementsAre("10.1.0.0/24", "10.2.0.0/24", "fd00::/64"));
}

TEST(NetworkFile, HasPlaceholdersOfAllKinds) {
  for (const std::string word : {"$NODE_SUBNET", "<NODE_SUBNET>", "__POD_CIDR__", "${SUBNET}"}) {
    EXPECT_EQ(cnioctl::find_placeholder(R"({"name": "n", "subnet": ")" + word + R"("})"), word);
  }
  for (const std::string word : {"$", "<>", "____", "a__B__", "__b__", "$5 off", "10.0.0.0/8"}) {
    EXPECT_EQ(cnioctl::find_placeholder(R"({"name": ")" + word + R"("})"), "");
  }
}

TEST(NetworkFile, HasNoPlaceholdersInJson) {
  EXPECT_EQ(cnioctl::find_placeholder(R"({"a":{"b":{"c":1}},"d":[{{"x"}}]})"), "");
  EXPECT_EQ(cnioctl::find_placeholder(R"("subnet": "{{ .PodCIDR }}")"), "{{ .PodCIDR }}");
}

}  // namespace
}  // namespace cnio::test
