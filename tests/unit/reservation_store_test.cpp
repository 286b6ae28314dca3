// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/reservation_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/own_run.hpp"
#include "support/temp_folder.hpp"

namespace cnio::ipam {
namespace {

using protocol::Attachment;
using State = Reservation::State;
using std::chrono_literals::operator""ms;

const Attachment kPod{"c1", "eth0"};

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

Reservation reading(std::string_view content) {
  Reservation out{ip("10.1.0.2"), "10.1.0.2", State::kForeign, {}};
  parse_holder(content, out);
  return out;
}

TEST(ReservationContent, IsTheReferencesByteForByte) { EXPECT_EQ(format_holder({"c1", "eth0"}), "c1\r\neth0"); }

TEST(ReservationContent, NamesItsHolderWhateverBlanksAreAround) {
  for (const char* content : {"c1\r\neth0", "c1\r\neth0\n", "c1\r\neth0\r\n", " \tc1\r\neth0 "}) {
    EXPECT_TRUE(reading(content).held_by(kPod)) << content;
    EXPECT_FALSE(reading(content).held_by({"c1", "eth1"})) << content;
    EXPECT_EQ(reading(content).holder_text(), "c1/eth0");
  }
}

TEST(ReservationContent, OfTheOldFormatIsForEveryInterfaceOfTheContainer) {
  for (const char* content : {"c1", "c1\n", "c1\r\n", " c1 "}) {
    EXPECT_TRUE(reading(content).held_by({"c1", "eth0"})) << content;
    EXPECT_TRUE(reading(content).held_by({"c1", "eth1"})) << content;
    EXPECT_FALSE(reading(content).held_by({"c", "eth0"})) << content;
  }
  EXPECT_EQ(reading("c1").holder_text(), "c1");
}

TEST(ReservationContent, WithoutAnyTextIsTorn) {
  using namespace std::string_view_literals;
  for (const std::string_view content : {""sv, "\n"sv, " \r\n"sv, "\0\0\0\0"sv}) {
    EXPECT_EQ(reading(content).state, State::kTorn) << content;
  }
}

TEST(ReservationContent, ThatNamesNoAttachmentIsForeign) {
  using namespace std::string_view_literals;
  for (const std::string_view content : {"c1\neth0"sv, "c1\r\neth0 x"sv, "two words"sv, "c1\0\r\neth0"sv, "a\x01"sv,
                                         "c1\r\neth0\r\nmore"sv, "c1\r\neth0\0"sv}) {
    EXPECT_EQ(reading(content).state, State::kForeign) << content;
    EXPECT_FALSE(reading(content).held_by(kPod)) << content;
  }
}

class Store : public ::testing::Test {
 protected:
  Store() { test::own_run_folder(); }

  ReservationStore create() {
    auto store = ReservationStore::create(root_.at("net"));
    EXPECT_OK(store);
    return std::move(store).value();
  }
  Status reserve(const Attachment& attachment, const std::vector<Grant>& grants) {
    return create().reserve(attachment, grants);
  }
  // Texts of the addresses that the attachment holds; the store must be readable.
  std::vector<std::string> held(const Attachment& attachment) {
    ErrorList failures;
    ReservationStore store = create();
    std::vector<std::string> out;
    for (const Reservation& each : store.find_by_attachment(attachment, failures)) out.push_back(each.file);
    EXPECT_OK(failures.status());
    return out;
  }

  Result<std::optional<ReservationStore>> look(const std::string& name) {
    return ReservationStore::look(root_.at(name), Origin::here(""), 20ms);
  }

  test::TempFolder root_;
};

using Texts = std::vector<std::string>;

TEST_F(Store, MakesFolderParentsAndLockWithTheReferencesModes) {
  const mode_t mask = umask(0);
  const auto store = ReservationStore::create(root_.at("a/b/net"));
  umask(mask);
  ASSERT_OK(store);
  EXPECT_EQ(root_.mode("a"), 0755U);
  EXPECT_EQ(root_.mode("a/b/net"), 0755U);
  EXPECT_EQ(root_.mode("a/b/net/lock"), 0750U);
  EXPECT_EQ(root_.read("a/b/net/lock"), "");
}

TEST_F(Store, TakesAPathWithSuperfluousSlashes) {
  ASSERT_OK(ReservationStore::create(root_.at("a//b///net/")));
  EXPECT_TRUE(root_.has("a/b/net/lock"));
}

TEST_F(Store, OpenMakesNothing) {
  const auto store = ReservationStore::open(root_.at("a/net"));
  ASSERT_OK(store);
  EXPECT_FALSE(store.value().has_value());
  EXPECT_TRUE(root_.contents().empty());
}

TEST_F(Store, OpenFindsWhatCreateMade) {
  ASSERT_OK(reserve(kPod, {{0, ip("10.1.0.2")}}));
  const auto store = ReservationStore::open(root_.at("net"));
  ASSERT_OK(store);
  ASSERT_TRUE(store.value().has_value());
  EXPECT_TRUE(store.value()->taken(ip("10.1.0.2")));
  EXPECT_FALSE(store.value()->taken(ip("10.1.0.3")));
}

TEST_F(Store, WritesTheReferencesFiles) {
  const mode_t mask = umask(0);
  const Status reserved = reserve(kPod, {{0, ip("10.1.0.2")}, {1, ip("FD01:0::2")}});
  umask(mask);
  ASSERT_OK(reserved);
  EXPECT_EQ(root_.contents(), (std::map<std::string, std::string>{{"net", ""},
                                                                  {"net/lock", ""},
                                                                  {"net/10.1.0.2", "c1\r\neth0"},
                                                                  {"net/fd01::2", "c1\r\neth0"},
                                                                  {"net/last_reserved_ip.0", "10.1.0.2"},
                                                                  {"net/last_reserved_ip.1", "fd01::2"}}));
  for (const char* file : {"net/10.1.0.2", "net/fd01::2", "net/last_reserved_ip.0", "net/last_reserved_ip.1"}) {
    EXPECT_EQ(root_.mode(file), 0600U) << file;
  }
}

TEST_F(Store, RewritesTheCursorAlsoWithAShorterAddress) {
  root_.write("net/last_reserved_ip.0", "10.1.0.200\n and more");
  ASSERT_OK(reserve(kPod, {{0, ip("10.1.0.3")}}));
  EXPECT_EQ(root_.read("net/last_reserved_ip.0"), "10.1.0.3");
}

TEST_F(Store, ReadsTheCursorOfEachSet) {
  root_.write("net/last_reserved_ip.0", "10.1.0.9");
  root_.write("net/last_reserved_ip.1", "fd01::9");
  for (const char* text : {"", "10.1.0.9\n", "x", "10.1.0.999"}) {
    root_.write("net/last_reserved_ip.2", text);
    EXPECT_FALSE(create().last_given(2).has_value()) << text;
  }
  EXPECT_EQ(create().last_given(0), ip("10.1.0.9"));
  EXPECT_EQ(create().last_given(1), ip("fd01::9"));
  EXPECT_EQ(create().last_given(3), std::nullopt);
}

TEST_F(Store, DoesWithoutACursorThatIsNoRegularFile) {
  root_.write("outside", "10.1.0.9");
  std::filesystem::create_directories(root_.at("net/last_reserved_ip.0"));
  ASSERT_EQ(symlink(root_.at("outside").c_str(), root_.at("net/last_reserved_ip.1").c_str()), 0);
  ASSERT_EQ(symlink(root_.at("nowhere").c_str(), root_.at("net/last_reserved_ip.2").c_str()), 0);
  ASSERT_EQ(mkfifo(root_.at("net/last_reserved_ip.3").c_str(), 0600), 0);
  std::vector<Grant> grants;
  for (size_t set = 0; set < 4; ++set) {
    EXPECT_EQ(create().last_given(set), std::nullopt) << set;
    grants.push_back({set, ip("10.1.0." + std::to_string(set + 2))});
  }
  ASSERT_OK(reserve(kPod, grants));
  EXPECT_EQ(held(kPod).size(), 4U);
  EXPECT_EQ(root_.read("outside"), "10.1.0.9") << "the link was not followed";
  EXPECT_FALSE(root_.has("nowhere"));
}

TEST_F(Store, ReservesNothingIfOneAddressAppearsInSpiteOfTheLock) {
  ReservationStore store = create();
  root_.write("net/fd01::2", "x\r\neth0");
  EXPECT_ERROR(store.reserve(kPod, {{0, ip("10.1.0.2")}, {1, ip("fd01::2")}}), Code::kTryAgain, "fd01::2");
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_EQ(root_.read("net/fd01::2"), "x\r\neth0") << "not ours to remove";
  EXPECT_FALSE(root_.has("net/last_reserved_ip.0"));
}

TEST_F(Store, FindsAnAttachmentInBothFormats) {
  root_.write("net/10.1.0.2", "c1\r\neth0");
  root_.write("net/10.1.0.3", "c1");
  root_.write("net/10.1.0.4", "c1\r\neth1");
  root_.write("net/10.1.0.5", "c1\neth0");
  root_.write("net/fd01::2", "c1\r\neth0\n");
  EXPECT_EQ(held(kPod), Texts({"10.1.0.2", "10.1.0.3", "fd01::2"}));
  EXPECT_EQ(held({"c1", "eth1"}), Texts({"10.1.0.3", "10.1.0.4"}));
  EXPECT_EQ(held({"c2", "eth0"}), Texts());
}

TEST_F(Store, OnlyFilesNamedByAnAddressAreReservations) {
  for (const char* name : {"notes", "10.1.0.2.bak", "10.1.0.02", "10.1.0.2 ", "sub/10.1.0.2", "last_reserved_ip.0"}) {
    root_.write(std::string("net/") + name, "c1\r\neth0");
  }
  EXPECT_EQ(held(kPod), Texts());
  EXPECT_FALSE(create().taken(ip("10.1.0.2")));
}

TEST_F(Store, AnotherSpellingOfTheNameTakesTheAddressToo) {
  root_.write("net/FD01::2", "c1\r\neth0");
  root_.write("net/fd01::2", "c1\r\neth0");
  ReservationStore store = create();
  EXPECT_TRUE(store.taken(ip("fd01::2")));
  EXPECT_EQ(store.count_taken([](const IpAddr&) { return true; }), 1U);
  ErrorList failures;
  for (const Reservation& each : store.find_by_attachment(kPod, failures)) EXPECT_OK(store.release(each));
  EXPECT_FALSE(store.taken(ip("fd01::2")));
  EXPECT_FALSE(root_.has("net/FD01::2"));
  EXPECT_FALSE(root_.has("net/fd01::2"));
}

TEST_F(Store, WhatIsNoRegularFileTakesItsAddressAndIsNeverFollowed) {
  root_.write("outside", "c1\r\neth0");
  std::filesystem::create_directories(root_.at("net/10.1.0.2"));
  ASSERT_EQ(symlink(root_.at("outside").c_str(), root_.at("net/10.1.0.3").c_str()), 0);
  ASSERT_EQ(mkfifo(root_.at("net/10.1.0.4").c_str(), 0600), 0);
  ASSERT_EQ(symlink("nowhere", root_.at("net/10.1.0.5").c_str()), 0);
  EXPECT_EQ(held(kPod), Texts());
  ReservationStore store = create();
  EXPECT_EQ(store.count_taken([](const IpAddr&) { return true; }), 4U);
  EXPECT_OK(store.reclaim_torn());
  EXPECT_EQ(root_.read("outside"), "c1\r\neth0");
  ErrorList failures;
  for (const Reservation& each : store.reservations(failures)) EXPECT_EQ(each.state, State::kForeign) << each.file;
  EXPECT_OK(failures.status());
}

TEST_F(Store, AFolderThatIsALinkIsNotFollowed) {
  std::filesystem::create_directories(root_.at("elsewhere"));
  root_.write("elsewhere/10.1.0.2", "c1\r\neth0");
  ASSERT_EQ(symlink(root_.at("elsewhere").c_str(), root_.at("net").c_str()), 0);
  ASSERT_EQ(symlink(root_.at("nowhere").c_str(), root_.at("dangling").c_str()), 0);
  const auto before = root_.contents();
  for (const char* name : {"net", "dangling"}) {
    EXPECT_ERROR(ReservationStore::create(root_.at(name)), Code::kIo, root_.at(name), "symbolic link");
    EXPECT_ERROR(ReservationStore::open(root_.at(name)), Code::kIo, root_.at(name), "symbolic link");
    EXPECT_ERROR(look(name), Code::kIo, root_.at(name), "symbolic link");
    EXPECT_ERROR(ReservationStore::check_writable(root_.at(name)), Code::kNotAvailable, root_.at(name), "link");
  }
  EXPECT_EQ(root_.contents(), before);
}

TEST_F(Store, ALinkAboveTheFolderIsFollowed) {
  std::filesystem::create_directories(root_.at("elsewhere"));
  ASSERT_EQ(symlink(root_.at("elsewhere").c_str(), root_.at("data").c_str()), 0);
  ASSERT_OK(ReservationStore::create(root_.at("data/net")));
  EXPECT_OK(ReservationStore::check_writable(root_.at("data/net")));
  EXPECT_TRUE(root_.has("elsewhere/net/lock"));
}

TEST_F(Store, AHugeFileIsForeign) {
  root_.write("net/10.1.0.2", std::string(1 << 20, 'c'));
  ReservationStore store = create();
  ErrorList failures;
  ASSERT_EQ(store.reservations(failures).size(), 1U);
  EXPECT_EQ(store.reservations(failures)[0].state, State::kForeign);
  EXPECT_TRUE(failures.empty());
}

TEST_F(Store, AContainerIdOfAnyLengthIsFoundAgain) {
  const Attachment pod{std::string(100'000, 'a'), "eth0"};
  ASSERT_OK(reserve(pod, {{0, ip("10.1.0.2")}}));
  EXPECT_EQ(held(pod), Texts({"10.1.0.2"}));
}

TEST_F(Store, ReclaimsTornFilesOnly) {
  root_.write("net/10.1.0.2", "");
  root_.write("net/10.1.0.3", "x\r\neth0");
  root_.write("net/10.1.0.4", "not an attachment");
  root_.write("net/notes", "");
  ReservationStore store = create();
  EXPECT_TRUE(store.taken(ip("10.1.0.2")));
  ASSERT_OK(store.reclaim_torn());
  EXPECT_FALSE(store.taken(ip("10.1.0.2")));
  EXPECT_TRUE(store.taken(ip("10.1.0.3")));
  EXPECT_TRUE(store.taken(ip("10.1.0.4")));
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_TRUE(root_.has("net/notes"));
}

TEST_F(Store, ReleaseOfAFileThatIsGoneIsASuccess) {
  ASSERT_OK(reserve(kPod, {{0, ip("10.1.0.2")}}));
  ReservationStore store = create();
  ErrorList failures;
  const auto found = store.find_by_attachment(kPod, failures);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_OK(store.release(found[0]));
  EXPECT_OK(store.release(found[0]));
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_EQ(root_.read("net/last_reserved_ip.0"), "10.1.0.2");
}

TEST_F(Store, IsLockedWhileItLives) {
  auto store = std::make_optional(create());
  const UniqueFd other(::open(root_.at("net/lock").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_NE(flock(other.get(), LOCK_EX | LOCK_NB), 0);
  store.reset();
  EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(Store, ThatIsLockedByAnotherIsNotWaitedForForever) {
  const ReservationStore store = create();
  EXPECT_ERROR(ReservationStore::create(root_.at("net"), 20ms), Code::kTryAgain, root_.at("net/lock"), "0.020 s");
  EXPECT_ERROR(ReservationStore::open(root_.at("net"), 20ms), Code::kTryAgain, root_.at("net/lock"));
}

TEST_F(Store, ALockThatIsNoRegularFileIsAnIoError) {
  std::filesystem::create_directories(root_.at("a/lock"));
  EXPECT_ERROR(ReservationStore::create(root_.at("a")), Code::kIo, root_.at("a/lock"));
  std::filesystem::create_directories(root_.at("b"));
  ASSERT_EQ(symlink(root_.at("elsewhere").c_str(), root_.at("b/lock").c_str()), 0);
  EXPECT_ERROR(ReservationStore::create(root_.at("b")), Code::kIo, root_.at("b/lock"));
  EXPECT_FALSE(root_.has("elsewhere"));
  std::filesystem::create_directories(root_.at("c"));
  ASSERT_EQ(mkfifo(root_.at("c/lock").c_str(), 0600), 0);
  EXPECT_ERROR(ReservationStore::create(root_.at("c")), Code::kIo, root_.at("c/lock"));
}

TEST_F(Store, AFileInPlaceOfAFolderIsAnIoError) {
  root_.write("file", "");
  EXPECT_ERROR(ReservationStore::create(root_.at("file")), Code::kIo, root_.at("file"));
  EXPECT_ERROR(ReservationStore::create(root_.at("file/net")), Code::kIo, root_.at("file/net"));
}

// DEL must get through, whatever the path is.
TEST_F(Store, OpenFindsNothingWhereNoFolderCanBe) {
  FAULT("C10 options");
  root_.write("file", "");
  ASSERT_EQ(symlink("loop", root_.at("loop").c_str()), 0);
  for (const std::string& path : {root_.at("file"), root_.at("file/net"), root_.at("loop/net"),
                                  root_.at(std::string(300, 'x')), root_.at(std::string(5000, 'x') + "/net")}) {
    const auto store = ReservationStore::open(path);
    ASSERT_OK(store);
    EXPECT_FALSE(store.value().has_value()) << path;
  }
  EXPECT_ERROR(ReservationStore::open(root_.at("loop")), Code::kIo, "symbolic link");
}

TEST_F(Store, WritableIsJudgedByTheNearestFolderThatExists) {
  EXPECT_OK(ReservationStore::check_writable(root_.at("a/b/net")));
  EXPECT_OK(ReservationStore::check_writable(root_.path()));
  EXPECT_TRUE(root_.contents().empty());
  root_.write("file", "");
  EXPECT_ERROR(ReservationStore::check_writable(root_.at("file/net")), Code::kNotAvailable, root_.at("file"));
  EXPECT_ERROR(ReservationStore::check_writable(root_.at("file")), Code::kNotAvailable, root_.at("file"));
  std::filesystem::create_directories(root_.at("net/lock"));
  EXPECT_ERROR(ReservationStore::check_writable(root_.at("net")), Code::kNotAvailable, root_.at("net/lock"));
}

TEST_F(Store, LookShowsWhatIsThereAndMakesNothing) {
  const auto none = look("net");
  ASSERT_OK(none);
  EXPECT_FALSE(none.value().has_value());
  EXPECT_TRUE(root_.contents().empty());
  root_.write("net/10.1.0.2", "c1\r\neth0");
  auto seen = look("net");
  ASSERT_OK(seen);
  EXPECT_TRUE(seen.value()->taken(ip("10.1.0.2")));
  ErrorList failures;
  EXPECT_EQ(seen.value()->reservations(failures).size(), 1U);
  EXPECT_FALSE(root_.has("net/lock"));
  root_.write("file", "");
  EXPECT_ERROR(look("file"), Code::kIo, root_.at("file"));
}

TEST_F(Store, LookWaitsForTheLockButDoesNotReadUnderIt) {
  FAULT("A1 locks");
  auto locked = std::make_optional(create());
  EXPECT_ERROR(look("net"), Code::kTryAgain, root_.at("net/lock"));
  locked.reset();
  const auto seen = look("net");
  ASSERT_OK(seen);
  EXPECT_OK(ReservationStore::create(root_.at("net"), 20ms)) << "the lock is free while files are read";
}

// So few at a time that no index is kept, which would lie outside the test's folder.
TEST_F(Store, RandomBytesInEveryFileNeverStopIt) {
  uint64_t state = 42;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) {
      std::string bytes;
      for (uint64_t n = state % 64; n != 0; --n) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        bytes += static_cast<char>(state >> 56U);
      }
      root_.write("net/10.1.0." + std::to_string(i), bytes);
      state = state * 6364136223846793005U + 1442695040888963407U;
    }
    ReservationStore store = create();
    ErrorList failures;
    EXPECT_EQ(store.reservations(failures).size(), 20U);
    EXPECT_TRUE(failures.empty());
    EXPECT_OK(store.reclaim_torn());
    EXPECT_OK(store.reserve(kPod, {{0, ip("10.2.0.2")}}));
    ASSERT_EQ(unlink(root_.at("net/10.2.0.2").c_str()), 0);
  }
}

}  // namespace
}  // namespace cnio::ipam
