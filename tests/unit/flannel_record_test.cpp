// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <gtest/gtest.h>

#include "flannel/record.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::flannel {
namespace {

constexpr char kConfig[] = R"({"cniVersion":"0.3.1","mtu":1450,"name":"cbr0","type":"bridge"})";
constexpr char kOther[] = R"({"cniVersion":"0.3.1","name":"netb","type":"ptp"})";
constexpr char kRecord[] =
    R"({"cniVersion":"0.3.1","mtu":1450,"name":"cbr0","type":"bridge","cnio":{"containerID":"c1","ifname":"eth0"}})";

class FlannelRecord : public ::testing::Test {
 protected:
  [[nodiscard]] Result<Record> find(const std::string& network, const std::string& ifname,
                                    const std::string& id = "c1") const {
    return Record::find(folder_.path() + "/flannel", network, {id, ifname});
  }
  void write(const std::string& network, const std::string& ifname, const std::string& config) const {
    Record record = find(network, ifname).value();
    ASSERT_OK(record.write(config));
  }
  [[nodiscard]] std::string told(const std::string& network, const std::string& ifname) const {
    const auto record = find(network, ifname);
    EXPECT_OK(record);
    return record.ok() && record.value().told() ? record.value().told()->delegation.config : "";
  }
  [[nodiscard]] size_t files() const { return folder_.contents().size() - 1; }  // without the folder

  cnio::test::TempFolder folder_;
};

TEST_F(FlannelRecord, IsTheReferencesWithAMemberMore) {
  PARITY("T-F42");
  write("cbr0", "eth0", kConfig);
  EXPECT_EQ(folder_.read("flannel/c1"), kRecord);
  EXPECT_EQ(folder_.mode("flannel/c1"), 0600U);
  EXPECT_EQ(folder_.mode("flannel"), 0700U);
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
  EXPECT_EQ(told("renamed", "eth0"), kConfig) << "a container has one interface of a name";
  EXPECT_EQ(told("cbr0", "net1"), "");
}

TEST_F(FlannelRecord, OfTheReferenceIsForWhoeverIsInItsNetwork) {
  PARITY("T-F41 T-F42 F27");
  folder_.write("flannel/c1", kConfig);
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
  EXPECT_EQ(told("cbr0", "net1"), kConfig);
  EXPECT_EQ(told("netb", "net1"), "");
}

TEST_F(FlannelRecord, OfASecondInterfaceStandsBeside) {
  PARITY("T-F41 F27");
  write("cbr0", "eth0", kConfig);
  write("netb", "net1", kOther);
  EXPECT_EQ(files(), 2);
  EXPECT_EQ(folder_.read("flannel/c1"), kRecord) << "where the reference looks for it";
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
  EXPECT_EQ(told("netb", "net1"), kOther);
  EXPECT_OK(find("cbr0", "eth0").value().remove());
  EXPECT_EQ(told("netb", "net1"), kOther);
  EXPECT_OK(find("netb", "net1").value().remove());
  EXPECT_EQ(files(), 0);
}

TEST_F(FlannelRecord, BesideOneOfTheReferenceInAnotherNetworkStandsBeside) {
  PARITY("T-F41 F27");
  folder_.write("flannel/c1", kConfig);
  write("netb", "net1", kOther);
  EXPECT_EQ(folder_.read("flannel/c1"), kConfig);
  EXPECT_EQ(told("netb", "net1"), kOther);
}

TEST_F(FlannelRecord, ThatIsTakenMeanwhileIsLeft) {
  Record first = find("cbr0", "eth0").value();
  Record second = find("netb", "net1").value();
  ASSERT_OK(first.write(kConfig));
  ASSERT_OK(second.write(kOther));
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
  EXPECT_EQ(told("netb", "net1"), kOther);
}

TEST_F(FlannelRecord, GoesBackToWhatItWas) {
  PARITY("T-F43");
  Record fresh = find("cbr0", "eth0").value();
  ASSERT_OK(fresh.write(kConfig));
  EXPECT_OK(fresh.put_back());
  EXPECT_EQ(files(), 0);
  write("cbr0", "eth0", kConfig);
  Record again = find("cbr0", "eth0").value();
  ASSERT_OK(again.write(kOther));
  EXPECT_OK(again.put_back());
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
}

TEST_F(FlannelRecord, ThatNobodyUnderstandsIsThereAllTheSame) {
  PARITY("T-F39 F25");
  for (const std::string text :
       {"", "{", "[]", "{}", R"({"type":"bridge"})", R"({"type":5,"name":"n"})", R"({"name":"n"})", "\0"}) {
    folder_.write("flannel/c1", text);
    const auto record = find("cbr0", "eth0");
    ASSERT_OK(record);
    EXPECT_TRUE(record.value().exists()) << text;
    EXPECT_FALSE(record.value().told()) << text;
  }
  EXPECT_OK(find("cbr0", "eth0").value().remove());
  EXPECT_FALSE(find("cbr0", "eth0").value().exists());
}

// Whoever did as it says would do so again, and again.
TEST_F(FlannelRecord, ThatNamesFlannelItselfIsNotUnderstood) {
  folder_.write("flannel/c1", R"({"cniVersion":"0.3.1","name":"cbr0","type":"flannel"})");
  EXPECT_EQ(told("cbr0", "eth0"), "");
  EXPECT_TRUE(find("cbr0", "eth0").value().exists());
}

TEST_F(FlannelRecord, OfAContainerWhoseNameIsAsLongAsAFileCanBe) {
  for (const size_t length : {size_t{255}, size_t{300}}) {
    const std::string id(length, 'a');
    Record record = find("cbr0", "eth0", id).value();
    ASSERT_OK(record.write(kConfig));
    const auto found = find("cbr0", "eth0", id);
    ASSERT_OK(found);
    ASSERT_TRUE(found.value().told());
    EXPECT_OK(found.value().remove());
    EXPECT_EQ(files(), 0);
  }
}

TEST_F(FlannelRecord, ThatAKilledWriteHasLeftGoesWithTheRecord) {
  Record record = find("cbr0", "eth0").value();
  ASSERT_OK(record.write(kConfig));
  // The only name with a dot in front that a write uses for it.
  const std::string name = record.path();
  ASSERT_OK(record.remove());
  EXPECT_EQ(files(), 0) << name;
}

// Somebody has copied or renamed it.
TEST_F(FlannelRecord, OfAnotherNameThanItsOwnersIsNotUnderstood) {
  write("cbr0", "eth0", kConfig);
  for (const std::string name : {"flannel/c2", "flannel/c2-0123456789abcdef"}) folder_.write(name, kRecord);
  const auto record = find("cbr0", "eth0", "c2");
  ASSERT_OK(record);
  EXPECT_TRUE(record.value().exists());
  EXPECT_FALSE(record.value().told());
  EXPECT_EQ(told("cbr0", "eth0"), kConfig);
}

TEST_F(FlannelRecord, OfAnImpossibleOwnerIsNobodys) {
  for (const std::string owner :
       {R"("containerID":"..","ifname":"eth0")", R"("containerID":"c1","ifname":"../eth0")",
        R"("containerID":"c1","ifname":"")", R"("containerID":"c1","ifname":"sixteen-letters-")",
        R"("containerID":"c 1","ifname":"eth0")", R"("ifname":"eth0")"}) {
    const auto read = parse_record(R"({"name":"cbr0","type":"bridge","cnio":{)" + owner + "}}");
    ASSERT_TRUE(read) << owner;
    EXPECT_FALSE(read->attachment) << owner;
    EXPECT_TRUE(read->names_owner) << owner;
  }
}

TEST_F(FlannelRecord, IsListedAsItsFilesContainersIfItDoesNotBearItsOwnersName) {
  write("cbr0", "eth0", kConfig);
  folder_.write("flannel/copy", kRecord);
  folder_.write("flannel/c3", R"({"name":"cbr0","type":"bridge","cnio":{"containerID":"c3","ifname":"a/b"}})");
  ErrorList unreadable;
  std::vector<std::string> names;
  for (const ListedRecord& each : list_records(folder_.path() + "/flannel", "cbr0", unreadable))
    names.push_back(each.attachment.text() + (each.believed ? "" : "!"));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"c1/eth0", "c3/!", "copy/!"}));
}

TEST_F(FlannelRecord, AreListedByNetwork) {
  PARITY("T-F45");
  write("cbr0", "eth0", kConfig);
  write("netb", "net1", kOther);
  folder_.write("flannel/c2", kConfig);
  folder_.write("flannel/c3", "torn");
  ErrorList unreadable;
  std::vector<std::string> names;
  for (const ListedRecord& each : list_records(folder_.path() + "/flannel", "cbr0", unreadable))
    names.push_back(each.attachment.text());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"c1/eth0", "c2/"}));
  EXPECT_TRUE(list_records(folder_.path() + "/none", "cbr0", unreadable).empty());
  EXPECT_OK(unreadable.status());
}

}  // namespace
}  // namespace cnio::flannel
