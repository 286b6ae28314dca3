// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/reservation_origin.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::ipam {
namespace {

const Origin kThen{"boot-1", "node", "/run/netns/a b\nc", 4, 4026532318, 1795286066378289407};

TEST(ReservationOrigin, IsReadAsItWasWritten) {
  const auto read = Origin::parse(kThen.format());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->boot, kThen.boot);
  EXPECT_EQ(read->host, kThen.host);
  EXPECT_EQ(read->netns_path, kThen.netns_path);
  EXPECT_EQ(read->device, kThen.device);
  EXPECT_EQ(read->inode, kThen.inode);
  EXPECT_EQ(read->mounted_since, kThen.mounted_since);
}

TEST(ReservationOrigin, OfAnyOtherTextIsUnknown) {
  for (const char* text : {"", "1", "1\nboot", "2\nboot\nnode\n4\n5\n6\n/x", "1\n\nnode\n4\n5\n6\n/x",
                           "1\nboot\nnode\n4\n5\n6", "1\nboot\nnode\n-4\n5\n6\n/x", "1\nboot\nnode\n4\n5x\n6\n/x",
                           "1\nboot\nnode\n4\n99999999999999999999999\n6\n/x", "1\nboot\nnode\n4\n\n6\n/x"}) {
    EXPECT_FALSE(Origin::parse(text).has_value()) << text;
  }
  EXPECT_TRUE(Origin::parse("1\nboot\nnode\n4\n5\n6\n").has_value());
}

TEST(ReservationOrigin, OfAnotherBootOfThisMachineIsEarlier) {
  Origin now = kThen;
  EXPECT_FALSE(is_of_earlier_boot(kThen, now));
  now.boot = "boot-2";
  EXPECT_TRUE(is_of_earlier_boot(kThen, now));
  now.host = "other";
  EXPECT_FALSE(is_of_earlier_boot(kThen, now)) << "the store is shared: that machine may be running";
  Origin nameless = kThen;
  nameless.host = now.host = "";
  EXPECT_FALSE(is_of_earlier_boot(nameless, now)) << "nobody knows of which machine";
}

TEST(ReservationOrigin, OfHereNamesBootMachineAndPath) {
  const auto here = Origin::here("/proc/self/ns/net");
  ASSERT_TRUE(here.has_value());
  EXPECT_EQ(here->boot.size(), 36U);
  char name[256] = {};
  ASSERT_EQ(gethostname(name, sizeof name - 1), 0);
  EXPECT_EQ(here->host, name);
  EXPECT_EQ(here->netns_path, "/proc/self/ns/net");
  struct stat info {};
  ASSERT_EQ(stat("/proc/self/ns/net", &info), 0);
  EXPECT_EQ(here->device, info.st_dev);
  EXPECT_EQ(here->inode, info.st_ino);
  EXPECT_EQ(here->mounted_since, 0) << "it is not mounted there: its time is another at each look";
}

TEST(ReservationOrigin, OfWhatIsNoNamespaceHasNoNumber) {
  for (const char* path : {"", "/", "/nonexistent", "ns/net"}) {
    const auto here = Origin::here(path);
    ASSERT_TRUE(here.has_value()) << path;
    EXPECT_EQ(here->inode, 0U) << path;
  }
}

// What is at a path is compared by its numbers: files serve as well as namespaces.
class NamespacePath : public ::testing::Test {
 protected:
  NamespacePath() { root_.write("ns", ""); }

  Origin recorded() const {
    struct stat info {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return {"boot-1", "node", path_, info.st_dev, info.st_ino, 0};
  }

  test::TempFolder root_;
  const std::string path_ = root_.at("ns");
  const Origin now_{"boot-1", "node", "/run/netns/new", 4, 5, 0};
};

TEST_F(NamespacePath, StillLeadsThere) { EXPECT_FALSE(has_left_its_path(recorded(), now_)); }

TEST_F(NamespacePath, IsGone) {
  const Origin then = recorded();
  std::filesystem::remove(path_);
  EXPECT_TRUE(has_left_its_path(then, now_));
}

TEST_F(NamespacePath, IsGoneWithItsFolder) {
  Origin then = recorded();
  then.netns_path = root_.at("none/ns");
  EXPECT_TRUE(has_left_its_path(then, now_));
  then.netns_path = path_ + "/ns";
  EXPECT_TRUE(has_left_its_path(then, now_)) << "a file is in the place of the folder";
}

TEST_F(NamespacePath, LeadsElsewhere) {
  Origin then = recorded();
  then.inode += 1;
  EXPECT_TRUE(has_left_its_path(then, now_));
  then = recorded();
  then.device += 1;
  EXPECT_TRUE(has_left_its_path(then, now_));
}

// For cnioctl, which may run where the runtime's folders are not seen.
TEST_F(NamespacePath, IsThereOrNotForWhoSeesItsFolder) {
  Origin then = recorded();
  EXPECT_EQ(is_at_its_path(then, now_), true);
  then.inode += 1;
  EXPECT_EQ(is_at_its_path(then, now_), false);
  then = recorded();
  std::filesystem::remove(path_);
  EXPECT_EQ(is_at_its_path(then, now_), false);
  then.netns_path = root_.at("none/ns");
  EXPECT_EQ(is_at_its_path(then, now_), std::nullopt);
  then.netns_path = "/proc/4194305/ns/net";  // above the kernel's limit
  EXPECT_EQ(is_at_its_path(then, now_), false);
}

TEST_F(NamespacePath, OfOthersCannotBeTold) {
  for (const Origin& then : {Origin{"boot-2", "node", path_, 1, 1, 0}, Origin{"boot-1", "other", path_, 1, 1, 0},
                             Origin{"boot-1", "node", path_, 0, 0, 0}, Origin{"boot-1", "node", "ns", 1, 1, 0}}) {
    EXPECT_EQ(is_at_its_path(then, now_), std::nullopt) << then.format();
  }
}

TEST_F(NamespacePath, HasANamespaceOrNot) {
  EXPECT_EQ(has_namespace("/proc/self/ns/net"), true);
  EXPECT_EQ(has_namespace(path_), false) << "what is left of one when it is unmounted";
  EXPECT_EQ(has_namespace(root_.at("nothing")), false);
  EXPECT_EQ(has_namespace(root_.at("none/ns")), std::nullopt);
  EXPECT_EQ(has_namespace(""), std::nullopt);
}

TEST_F(NamespacePath, ATimeThatOnlyOneHasProvesNothing) {
  Origin then = recorded();
  then.mounted_since = 1;
  EXPECT_FALSE(has_left_its_path(then, now_)) << "nothing is mounted there now";
}

TEST_F(NamespacePath, WithoutKnowledgeIsNotGone) {
  const Origin then = recorded();
  std::filesystem::remove(path_);
  Origin other = then;
  other.inode = 0;
  EXPECT_FALSE(has_left_its_path(other, now_)) << "it could not be examined then";
  other = now_;
  other.inode = 0;
  EXPECT_FALSE(has_left_its_path(then, other)) << "namespaces cannot be seen from here";
  other = now_;
  other.boot = "boot-2";
  EXPECT_FALSE(has_left_its_path(then, other)) << "numbers of another boot";
  other = then;
  other.netns_path = std::string(5000, 'x');
  EXPECT_FALSE(has_left_its_path(other, now_)) << "a failure that says nothing";
}

}  // namespace
}  // namespace cnio::ipam
