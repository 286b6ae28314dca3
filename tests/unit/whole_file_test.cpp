// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/whole_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/unique_fd.hpp"

#include "support/matchers.hpp"

namespace cnio {
namespace {

class WholeFile : public ::testing::Test {
 protected:
  WholeFile() {
    std::string name = std::filesystem::temp_directory_path() / "whole-file-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/file";
    temporary_ = folder_ + "/file.new";
  }
  ~WholeFile() override { std::filesystem::remove_all(folder_); }

  std::string content() const { return read_file(path_, 100).value(); }

  std::string folder_;
  std::string path_;
  std::string temporary_;
};

TEST_F(WholeFile, IsPutInPlace) {
  std::ofstream(temporary_) << "left by one that was killed, and longer";
  const auto put = put_whole_file(path_, temporary_, "one");
  ASSERT_OK(put);
  EXPECT_TRUE(put.value());
  EXPECT_EQ(content(), "one");
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0600));
  EXPECT_FALSE(std::filesystem::exists(temporary_));
  EXPECT_OK(put_whole_file(path_, temporary_, "two"));
  EXPECT_EQ(content(), "two");
}

TEST_F(WholeFile, LeavesWhatIsThere) {
  ASSERT_OK(put_whole_file(path_, temporary_, "one", {.if_taken = IfTaken::kLeave}));
  const auto put = put_whole_file(path_, temporary_, "two", {.if_taken = IfTaken::kLeave});
  ASSERT_OK(put);
  EXPECT_FALSE(put.value());
  EXPECT_EQ(content(), "one");
  EXPECT_FALSE(std::filesystem::exists(temporary_));
}

TEST_F(WholeFile, LeavesNothingBehindIfItFails) {
  std::filesystem::create_directory(path_);
  EXPECT_ERROR(put_whole_file(path_, temporary_, "one"), Code::kIo, "file.new");
  EXPECT_FALSE(std::filesystem::exists(temporary_));
  EXPECT_ERROR(put_whole_file(folder_ + "/no/file", folder_ + "/no/file.new", "one"), Code::kIo, "file.new");
}

TEST_F(WholeFile, FollowsNoLink) {
  std::ofstream(folder_ + "/other") << "other";
  std::filesystem::create_symlink(folder_ + "/other", temporary_);
  EXPECT_OK(put_whole_file(path_, temporary_, "one"));
  EXPECT_EQ(content(), "one");
  EXPECT_EQ(read_file(folder_ + "/other", 100).value(), "other");
}

TEST_F(WholeFile, HasTheModeThatIsAskedForWhateverTheUmask) {
  const mode_t before = umask(0077);
  EXPECT_OK(put_whole_file(path_, temporary_, "one", {.mode = 0644, .durable = true}));
  umask(before);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0644));
  EXPECT_EQ(content(), "one");
}

TEST_F(WholeFile, IsRemovedOnce) {
  ASSERT_OK(put_whole_file(path_, temporary_, "one"));
  EXPECT_OK(remove_file(path_));
  EXPECT_OK(remove_file(path_));
  std::filesystem::create_directory(path_);
  EXPECT_ERROR(remove_file(path_), Code::kIo, "remove");
}

TEST_F(WholeFile, IsBelievedIfNobodyElseCanWriteToIt) {
  ASSERT_OK(put_whole_file(path_, temporary_, "one", {.mode = 0644}));
  EXPECT_EQ(read_believed_file(path_, 100).value(), "one");
  std::filesystem::create_symlink(path_, folder_ + "/link");
  EXPECT_EQ(read_believed_file(folder_ + "/link", 100).value(), "one") << "whoever made the link can name a file";
  for (const unsigned mode : {0664U, 0602U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    EXPECT_ERROR(read_believed_file(path_, 100), Code::kIo, "others can write to it (mode 0");
  }
  EXPECT_ERROR(read_believed_file(folder_, 100), Code::kIo, "is not a regular file but a folder");
  EXPECT_ERROR(read_believed_file(folder_ + "/none", 100), Code::kIo, "No such file");
}

TEST_F(WholeFile, IsBelievedInAFolderThatNobodyElseCanWriteTo) {
  EXPECT_OK(check_own_folder(folder_));
  EXPECT_OK(check_own_folder(folder_ + "/none"));
  ASSERT_EQ(chmod(folder_.c_str(), 0770), 0);
  EXPECT_ERROR(check_own_folder(folder_), Code::kIo, folder_ + ": others can write to it (mode 0770)");
}

}  // namespace
}  // namespace cnio
