// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/error_list.hpp"
#include "cnio/base/list_files.hpp"
#include "cnio/base/sha512.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/base/whole_file.hpp"

#include "tuning/backup.hpp"

namespace cnio::tuning {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr size_t kMaxBackup = size_t{1024} * 1024;  // a larger file is none of ours
constexpr size_t kNameDigits = 32;
constexpr char kSuffix[] = ".json";
constexpr char kUnfinished[] = ".new";

// Folders that the reference has made cannot be entered, but by who may enter any.
void open_up(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) return;
  if ((info.st_mode & S_IXUSR) == 0) (void)chmod(folder.c_str(), kFolderMode);
}

// And those above it. What cannot be made shows when the file is.
void make_folder(const std::string& folder) {
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string above = folder.substr(0, end);
    if (mkdir(above.c_str(), kFolderMode) != 0 && errno == EEXIST) open_up(above);
    if (end == std::string::npos) return;
  }
}

bool may_be_mended(const Error& error) { return error.errnum() == ENOENT || error.errnum() == EACCES; }

bool is_backup_name(const std::string& name) { return name.ends_with(kSuffix) || name.ends_with(kUnfinished); }

}  // namespace

BackupFile::BackupFile(std::string folder, const protocol::Attachment& attachment) : folder_(std::move(folder)) {
  const std::string hash = sha512_hex(attachment.container_id + '\0' + attachment.ifname, kNameDigits);
  shared_ = folder_ + "/" + attachment.container_id + "_" + attachment.ifname + kSuffix;
  own_ = folder_ + "/" + hash + kSuffix;  // no other one's: that has a "_"
  temporary_ = folder_ + "/" + hash + kUnfinished;
}

Status BackupFile::read(const std::string& path) {
  path_ = path;
  auto text = read_own_file(path, kMaxBackup);
  if (!text.ok() && text.error().errnum() == EACCES) {
    make_folder(folder_);
    text = read_own_file(path, kMaxBackup);
  }
  CNIO_LET(text_, std::move(text));
  backup_ = text_ ? parse_backup(*text_) : std::nullopt;
  return {};
}

bool BackupFile::is_of_another(const protocol::Attachment& attachment) const {
  return backup_ && !backup_->network.empty() && backup_->attachment != attachment;
}

Result<BackupFile> BackupFile::find(const std::string& folder, const protocol::Attachment& attachment) {
  BackupFile file(folder, attachment);
  CNIO_TRY(file.read(file.shared_));
  const bool taken = file.is_of_another(attachment);
  if (file.exists() && !taken) return file;
  CNIO_TRY(file.read(file.own_));
  if (!file.exists() && !taken) file.path_ = file.shared_;
  return file;
}

// False if somebody has taken the name meanwhile.
Result<bool> BackupFile::put(const std::string& text) const {
  const bool is_new = !exists() && !written_;
  auto done = put_whole_file(path_, temporary_, text, {.if_taken = is_new ? IfTaken::kLeave : IfTaken::kReplace});
  if (done.ok() || !may_be_mended(done.error())) return done;
  make_folder(folder_);
  return put_whole_file(path_, temporary_, text);
}

Status BackupFile::write(const Backup& backup) {
  const std::string text = format_backup(backup);
  auto done = put(text);
  const bool too_long = !done.ok() && done.error().errnum() == ENAMETOOLONG;
  if (path_ == shared_ && (too_long || (done.ok() && !done.value()))) {
    path_ = own_;
    done = put_whole_file(path_, temporary_, text);
  }
  CNIO_TRY(std::move(done));
  written_ = true;
  return {};
}

Status BackupFile::put_back() const {
  if (!text_) return remove_file(path_);
  CNIO_TRY(put_whole_file(path_, temporary_, *text_));
  return {};
}

Status BackupFile::remove() const {
  ErrorList errors;
  if (exists()) errors.collect(remove_file(path_));
  errors.collect(remove_file(temporary_));
  return errors.status();
}

Status remove_stale_backups(const std::string& folder, const std::string& network, uint64_t host,
                            const std::vector<protocol::Attachment>& valid) {
  const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!opened.ok() && says_absent(opened.error().errnum())) return {};
  if (!opened.ok()) return opened.error();
  std::vector<std::string> names;
  CNIO_TRY(list_files(opened.value().get(), folder, [&](FileName file) {
    if (file.may_be_regular && is_backup_name(file.name)) names.push_back(std::move(file.name));
  }));
  ErrorList errors;
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    const auto text = read_own_file(path, kMaxBackup);
    if (!text.ok()) errors.collect(text.error());
    const auto backup = text.ok() && text.value() ? parse_backup(*text.value()) : std::nullopt;
    if (!backup || backup->network != network || backup->host != host) continue;
    const bool stays = std::find(valid.begin(), valid.end(), backup->attachment) != valid.end();
    if (!stays) errors.collect(remove_file(path));
  }
  return errors.status();
}

}  // namespace cnio::tuning
