// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A store with many reservations, of which an index tells who has what: it must never be believed when it is wrong.
#include <fstream>
#include <sys/stat.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

constexpr int kMany = 100;

class HostLocalIndex : public HostTest {
 protected:
  HostLocalIndex() {
    must_add(config_, pod("first"));  // makes the folder
    for (int i = 0; i < kMany; ++i) reserve_by_hand("10.1.1." + std::to_string(i), "old-" + std::to_string(i));
    must_add(config_, pod("second"));  // reads all of it
  }

  static void reserve_by_hand(const std::string& address, const std::string& container) {
    std::ofstream(kStore + "/" + address) << container << "\r\neth0";
  }
  static std::string index_file() {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator("/run/cnio")) found = entry.path();
    return found;
  }

  Json config_ = host_local_config({"10.1.0.0/16"});
};

TEST_F(HostLocalIndex, IsThere) { EXPECT_NE(index_file(), ""); }

// Since Linux 6.13 the kernel gives two changes different times anyway, so the test after this one proves little there.
TEST_F(HostLocalIndex, TheFoldersTimeIsNoneThatTheKernelGives) {
  for (const char* container : {"third", "fourth"}) {
    must_add(config_, pod(container));
    struct stat info {};
    ASSERT_EQ(stat(kStore.c_str(), &info), 0);
    // To both the kernel gives the same when a file is made.
    EXPECT_NE(info.st_mtim.tv_nsec, info.st_ctim.tv_nsec);
  }
}

TEST_F(HostLocalIndex, ForeignReservationsAreSeenEvenInTheSameTick) {
  for (int i = 0; i < rounds(200); ++i) {
    const std::string foreign = "10.1.2." + std::to_string(i);
    must_add(config_, pod("ours-" + std::to_string(i)));
    reserve_by_hand(foreign, "foreign");
    must_del(config_, pod("foreign"));
    ASSERT_FALSE(reserved(foreign)) << "the index was believed though it is older than the file";
  }
}

TEST_F(HostLocalIndex, WhatOthersRemoveIsFree) {
  for (int i = 0; i < rounds(50); ++i) {
    const std::string address = first_address(config_, pod("ours-" + std::to_string(i)));
    const std::string bare = address.substr(0, address.find('/'));
    std::filesystem::remove(kStore + "/" + bare);
    Attachment next = pod("next-" + std::to_string(i));
    next.args = "IP=" + bare;
    ASSERT_EQ(first_address(config_, next), address);
  }
}

TEST_F(HostLocalIndex, WhatOthersReserveIsNotGivenAgain) {
  for (int i = 0; i < rounds(100); ++i) {
    const std::string address = first_address(config_, pod("a-" + std::to_string(i)));
    const std::string bare = address.substr(0, address.find('/'));
    const auto dot = bare.rfind('.');
    const int last = std::stoi(bare.substr(dot + 1));
    if (last >= 250) break;
    const std::string next = bare.substr(0, dot + 1) + std::to_string(last + 1);
    reserve_by_hand(next, "foreign-" + std::to_string(i));
    ASSERT_NE(first_address(config_, pod("b-" + std::to_string(i))), next + "/16");
  }
}

TEST_F(HostLocalIndex, ADeletedAttachmentIsFoundByIt) {
  for (int i = 0; i < kMany; ++i) must_del(config_, pod("old-" + std::to_string(i)));
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kStore))
    left += entry.path().filename().string().starts_with("10.");
  EXPECT_EQ(left, 2U);
}

TEST_F(HostLocalIndex, AnAttachmentHasItsAddressOnce) {
  EXPECT_TRUE(failed(add(config_, pod("old-7")), code::kInTheWay, {"old-7", "10.1.1.7"}));
  EXPECT_TRUE(failed(add(config_, pod("second")), code::kInTheWay, {"second"}));
}

TEST_F(HostLocalIndex, ChangedContentOfAnIndexedFileIsNoticed) {
  // The same file, so that the folder looks as before.
  std::ofstream(kStore + "/10.1.1.7", std::ios::trunc) << "another\r\neth0";
  must_del(config_, pod("old-7"));
  EXPECT_TRUE(reserved("10.1.1.7"));
}

TEST_F(HostLocalIndex, DamageIsNoticed) {
  const std::string file = index_file();
  const auto size = std::filesystem::file_size(file);
  for (const auto& damage : {std::string("x"), std::string(), std::string(size, '\0'), std::string(size, '\xff')}) {
    std::ofstream(file, std::ios::trunc) << damage;
    EXPECT_TRUE(failed(add(config_, pod("old-7")), code::kInTheWay, {"old-7"}));
  }
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_TRUE(failed(add(config_, pod("old-7")), code::kInTheWay, {"old-7"}));
  must_add(config_, pod("third"));
  must_del(config_, pod("third"));
}

TEST_F(HostLocalIndex, WithoutAPlaceForItAllFilesAreRead) {
  std::filesystem::remove_all("/run/cnio");
  std::ofstream("/run/cnio") << "in the way";
  EXPECT_TRUE(failed(add(config_, pod("old-7")), code::kInTheWay, {"old-7"}));
  must_del(config_, pod("old-7"));
  EXPECT_FALSE(reserved("10.1.1.7"));
}

TEST_F(HostLocalIndex, AStoreThatGrowsAndShrinksStaysRight) {
  const int grown = rounds(400);
  for (int i = 0; i < grown; ++i) must_add(config_, pod("grown-" + std::to_string(i)));
  for (int i = 0; i < grown; i += 2) must_del(config_, pod("grown-" + std::to_string(i)));
  for (int i = 1; i < grown; i += 2)
    ASSERT_TRUE(failed(add(config_, pod("grown-" + std::to_string(i))), code::kInTheWay)) << i;
  for (int i = 1; i < grown; i += 2) must_del(config_, pod("grown-" + std::to_string(i)));
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kStore))
    left += entry.path().filename().string().starts_with("10.");
  EXPECT_EQ(left, kMany + 2U);
}

}  // namespace
}  // namespace cnio::test
