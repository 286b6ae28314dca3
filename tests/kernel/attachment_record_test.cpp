// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnio/attachment/record.hpp"

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::attachment {
namespace {

using protocol::Attachment;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kHost = 4026532000;
constexpr char kFolder[] = "/run/cnio/attachments";
const Attachment kOne = {"c1", "eth0"};
const Attachment kOther = {"c2", "eth0"};

class AttachmentRecordTest : public test::HostTest {
 protected:
  static RecordedPair pair_of(const Attachment& attachment = kOne) {
    RecordedPair pair;
    pair.network = "net";
    pair.attachment = attachment;
    pair.host = kHost;
    pair.prefix = "veth";
    pair.host_mac = MacAddr::random_high();
    pair.sandbox_mac = MacAddr::random();
    pair.config = R"({"name": "net", "ä": "\u0000"})";
    pair.pod = attachment == kOne ? "default/web" : "";
    return pair;
  }
  static RecordedPair completed(RecordedPair pair) {
    pair.host_name = "veth12345678";
    pair.host_index = net::IfIndex{7};
    pair.sandbox_index = net::IfIndex{3};
    pair.addresses = {*IpAddr::parse("10.1.0.2"), *IpAddr::parse("fd01::2")};
    return pair;
  }
  static AttachmentRecord record(const Attachment& attachment = kOne) {
    auto read = AttachmentRecord::read(attachment);
    if (!read.ok()) throw std::runtime_error(read.error().msg());
    return std::move(read).value();
  }
  static std::vector<RecordedPair> pairs(const Attachment& attachment = kOne) {
    return record(attachment).pairs_on(kHost);
  }
  // All that GC is told.
  static std::vector<Attachment> listed() {
    const auto records = AttachmentRecord::list();
    EXPECT_OK(records);
    std::vector<Attachment> out;
    for (const AttachmentRecord& each : records.ok() ? records.value() : std::vector<AttachmentRecord>()) {
      for (const RecordedPair& pair : each.pairs_on(kHost)) out.push_back(pair.attachment);
    }
    return out;
  }
  static RecordedPair recorded(const Attachment& attachment = kOne) {
    AttachmentRecord made = record(attachment);
    const RecordedPair pair = completed(pair_of(attachment));
    EXPECT_OK(made.add(pair));
    EXPECT_OK(made.complete(pair));
    return pair;
  }
  static std::vector<std::string> files() {
    std::vector<std::string> out;
    if (!std::filesystem::exists(kFolder)) return out;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) out.push_back(entry.path());
    return out;
  }
  // Where the record of the only one is.
  static std::string path() {
    const std::vector<std::string> all = files();
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? "" : all.front();
  }
  // Where it would be.
  static std::string empty_path() {
    recorded();
    std::string where = path();
    std::filesystem::remove(where);
    return where;
  }
  static void expect_same(const RecordedPair& found, const RecordedPair& wanted) {
    EXPECT_EQ(found.network, wanted.network);
    EXPECT_EQ(found.attachment, wanted.attachment);
    EXPECT_EQ(found.host, wanted.host);
    EXPECT_EQ(found.prefix, wanted.prefix);
    EXPECT_EQ(found.host_mac, wanted.host_mac);
    EXPECT_EQ(found.sandbox_mac, wanted.sandbox_mac);
    EXPECT_EQ(found.config, wanted.config);
    EXPECT_EQ(found.pod, wanted.pod);
    EXPECT_EQ(found.host_name, wanted.host_name);
    EXPECT_EQ(found.host_index, wanted.host_index);
    EXPECT_EQ(found.sandbox_index, wanted.sandbox_index);
    EXPECT_EQ(found.addresses, wanted.addresses);
  }
};

TEST_F(AttachmentRecordTest, TellsAllThatWasWritten) {
  const RecordedPair pair = recorded();
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
  EXPECT_THAT(pairs(kOther), IsEmpty());
  EXPECT_THAT(listed(), ElementsAre(kOne));
}

TEST_F(AttachmentRecordTest, OfAnAddThatWasKilledTellsWhatWasToBeMade) {
  FAULT("B5 killed ADD");
  const RecordedPair pair = pair_of();
  ASSERT_OK(record().add(pair));
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
}

TEST_F(AttachmentRecordTest, MakesNothingBeforeThereIsSomething) {
  EXPECT_THAT(pairs(), IsEmpty());
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists("/run/cnio"));
}

TEST_F(AttachmentRecordTest, IsForRootAlone) {
  FAULT("A1 records");
  recorded();
  for (const auto& [place, mode] : {std::pair<std::string, mode_t>("/run/cnio", S_IFDIR | 0700),
                                    {kFolder, S_IFDIR | 0700},
                                    {path(), S_IFREG | 0600}}) {
    struct stat info {};
    ASSERT_EQ(lstat(place.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode, mode) << place;
  }
}

TEST_F(AttachmentRecordTest, OfAnotherHostWithTheSameRunFolderIsNotOurs) {
  recorded();
  EXPECT_THAT(record().pairs_on(kHost + 1), IsEmpty());
}

TEST_F(AttachmentRecordTest, GoesWithTheLastPair) {
  AttachmentRecord both = record();
  const RecordedPair first = pair_of();
  const RecordedPair second = completed(pair_of());
  ASSERT_OK(both.add(first));
  ASSERT_OK(both.add(second));
  ASSERT_OK(both.complete(second));
  ASSERT_OK(both.forget(first));
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], second);
  ASSERT_OK(both.forget(second));
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_OK(both.forget(second)) << "twice";
}

TEST_F(AttachmentRecordTest, IsMadeAgainIfItWasRemovedMeanwhile) {
  FAULT("B5 record removed");
  AttachmentRecord made = record();
  const RecordedPair pair = completed(pair_of());
  ASSERT_OK(made.add(pair));
  std::filesystem::remove_all("/run/cnio");
  ASSERT_OK(made.complete(pair));
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
}

TEST_F(AttachmentRecordTest, HasAPlaceForNamesOfAnyBytes) {
  for (const char* ifname : {"\xff\xfe%", "a%41", "\xc3\xa4", "%", "%4"}) {
    const Attachment odd = {"c1", ifname};
    const RecordedPair pair = recorded(odd);
    ASSERT_THAT(pairs(odd), SizeIs(1)) << ifname;
    EXPECT_THAT(listed(), ElementsAre(odd));
    ASSERT_OK(record(odd).forget(pair));
  }
}

TEST_F(AttachmentRecordTest, OfAnAttachmentThatStartsAgainAndAgainDoesNotGrow) {
  FAULT("B5 record that grows");
  RecordedPair last;
  for (int life = 0; life < 300; ++life) {
    AttachmentRecord again = record();
    RecordedPair pair = completed(pair_of());
    pair.config = std::string(8'000, ' ');
    ASSERT_OK(again.add(pair));
    ASSERT_OK(again.complete(pair));
    if (life != 0) {
      ASSERT_OK(again.forget(last));
    }
    last = pair;
  }
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], last);
  EXPECT_LT(std::filesystem::file_size(path()), 100'000U);
}

TEST_F(AttachmentRecordTest, OfAWriterThatDiedInTheMiddleDoesNotSwallowTheNext) {
  FAULT("B5 torn record");
  const RecordedPair whole = recorded();
  for (const char* end : {R"({"made":"fe:00:00:00:0)", "{", "\n\n{\"of\":", "\xff"}) {
    std::ofstream(path(), std::ios::app) << end;
    ASSERT_THAT(pairs(), SizeIs(1)) << end;
    const RecordedPair next = recorded();
    ASSERT_THAT(pairs(), SizeIs(2)) << end;
    expect_same(pairs()[0], whole);
    expect_same(pairs()[1], next);
    ASSERT_OK(record().forget(next));
  }
}

TEST_F(AttachmentRecordTest, ThatHadNoSpaceDoesNotSwallowTheNext) {
  FAULT("B5 torn record");
  std::filesystem::create_directory("/run/cnio");
  ASSERT_EQ(mount("small", "/run/cnio", "tmpfs", 0, "size=8k,mode=700"), 0);
  RecordedPair first = pair_of();
  first.config = std::string(3'600, ' ');
  AttachmentRecord made = record();
  ASSERT_OK(made.add(first));
  test::write_file("/run/cnio/ballast", std::string(4'096, 'x'));
  RecordedPair second = pair_of();
  second.config = std::string(3'600, ' ');
  EXPECT_ERROR(made.add(second), Code::kIo);
  EXPECT_GT(std::filesystem::file_size(path()), 4'000U) << "a part of it was written";
  std::filesystem::remove("/run/cnio/ballast");
  for (const bool same_process : {true, false}) {
    AttachmentRecord again = record();
    const RecordedPair third = pair_of();
    ASSERT_OK(same_process ? made.add(third) : again.add(third));
    const std::vector<RecordedPair> found = pairs();
    EXPECT_THAT(found, SizeIs(same_process ? 2 : 3));
    EXPECT_EQ(found.empty() ? MacAddr() : found.back().host_mac, third.host_mac);
  }
  umount2("/run/cnio", MNT_DETACH);
}

TEST_F(AttachmentRecordTest, LinesThatAreNotUnderstoodMeanNothing) {
  FAULT("B5 hostile record");
  const RecordedPair pair = recorded();
  std::ofstream(path(), std::ios::app) << R"(null
[]
"text"
{"made": 7}
{"made": "no address", "container": "c1", "ifname": "eth0"}
{"of": "fe:00:00:00:00:01", "index": 5}
{"gone": "fe:00:00:00:00:01"}
{"of": 7, "gone": [], "made": null}
)" << std::string(70'000, '[') << "\n";
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
  std::ofstream(path(), std::ios::app) << R"({"of": ")" << pair.host_mac.to_string()
                                       << R"(", "index": -1, "name": {}, "addresses": [1, "x", "10.1.0.9"]})"
                                       << "\n";
  ASSERT_THAT(pairs(), SizeIs(1));
  EXPECT_THAT(pairs()[0].addresses, ElementsAre(*IpAddr::parse("10.1.0.9")));
}

TEST_F(AttachmentRecordTest, ACopyUnderAnotherNameSaysNothing) {
  FAULT("B5 hostile record");
  recorded();
  const std::string own = path();
  for (const std::string& name : {own + ".bak", own + ".new", std::string(kFolder) + "/README",
                                  std::string(kFolder) + "/" + std::string(32, '0')}) {
    std::filesystem::copy_file(own, name);
  }
  EXPECT_THAT(listed(), ElementsAre(kOne)) << "once";
  std::filesystem::remove(own);
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(AttachmentRecordTest, ThatOfAnotherAttachmentInItsPlaceSaysNothing) {
  FAULT("B5 hostile record");
  const std::string own = empty_path();
  recorded(kOther);
  std::filesystem::copy_file(path(), own);
  EXPECT_THAT(pairs(), IsEmpty());
  EXPECT_THAT(listed(), ElementsAre(kOther));
  const RecordedPair pair = recorded();
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
}

struct Thing {
  const char* name;
  std::function<void(const std::string& path, const std::string& forged)> put;  // a record that is not ours
};

class InItsPlace : public AttachmentRecordTest, public ::testing::WithParamInterface<Thing> {};
INSTANTIATE_TEST_SUITE_P(
    Table, InItsPlace,
    ::testing::Values(
        Thing{"Pipe", [](const std::string& path, const std::string&) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); }},
        Thing{"DanglingLink", [](const std::string& path,
                                 const std::string&) { std::filesystem::create_symlink("/run/nowhere", path); }},
        Thing{"LinkToAFile",
              [](const std::string& path, const std::string& forged) {
                test::write_file("/run/precious", forged);
                std::filesystem::create_symlink("/run/precious", path);
              }},
        Thing{"HugeFile",
              [](const std::string& path, const std::string&) {
                test::write_file(path, "{\"made\": \"fe:00:00:00:00:01\"}\n");
                std::filesystem::resize_file(path, uintmax_t{1} << 40U);
              }},
        Thing{"FileOfAnotherUser",
              [](const std::string& path, const std::string& forged) {
                test::write_file(path, forged);
                ASSERT_EQ(chown(path.c_str(), 1000, 1000), 0);
              }},
        Thing{"FileThatOthersMayWrite",
              [](const std::string& path, const std::string& forged) {
                test::write_file(path, forged);
                std::filesystem::permissions(path, std::filesystem::perms(0666));
              }},
        Thing{"Device", [](const std::string& path,
                           const std::string&) { ASSERT_EQ(mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 5)), 0); }},
        Thing{"Empty", [](const std::string& path, const std::string&) { test::write_file(path, ""); }}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(InItsPlace, MeansNothingAndMakesWay) {
  FAULT("B5 hostile record");
  recorded();
  const std::string own = path();
  const std::string forged = test::read_file(own);
  std::filesystem::remove(own);
  GetParam().put(own, forged);
  EXPECT_THAT(pairs(), IsEmpty());
  EXPECT_THAT(listed(), IsEmpty());
  const RecordedPair pair = recorded();
  ASSERT_THAT(pairs(), SizeIs(1));
  expect_same(pairs()[0], pair);
  EXPECT_FALSE(std::filesystem::exists("/run/nowhere")) << "nothing is made where a link leads";
  if (std::filesystem::exists("/run/precious")) {
    EXPECT_EQ(test::read_file("/run/precious"), forged);
  }
}

TEST_F(AttachmentRecordTest, AFolderInItsPlaceIsReportedByWhoWantsToWrite) {
  FAULT("B5 hostile record");
  const std::string own = empty_path();
  std::filesystem::create_directories(own + "/with/something");
  EXPECT_THAT(pairs(), IsEmpty());
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_ERROR(record().add(pair_of()), Code::kIo, own);
  EXPECT_TRUE(std::filesystem::exists(own + "/with/something"));
}

// That of the machine's root, seen from a user namespace without him.
TEST_F(AttachmentRecordTest, AClosedFolderHoldsNothingOfOurs) {
  FAULT("D13 rootless");
  recorded();
  const pid_t child = fork();
  if (child == 0) {
    const bool left = setuid(1000) == 0;
    const auto read = AttachmentRecord::read(kOne);
    const auto list = AttachmentRecord::list();
    const bool nothing = read.ok() && read.value().pairs_on(kHost).empty() && list.ok() && list.value().empty();
    const bool refused = left && nothing && !AttachmentRecord::read(kOne).value().add(pair_of()).ok();
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(pairs(), SizeIs(1));
}

}  // namespace
}  // namespace cnio::attachment
