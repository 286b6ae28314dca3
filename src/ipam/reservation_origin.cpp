// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/reservation_origin.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::ipam {
namespace {

constexpr char kBootId[] = "/proc/sys/kernel/random/boot_id";
// Network file systems do not have the class "trusted": their files may be of another machine.
constexpr char kAttribute[] = "trusted.cnio";
constexpr char kUserAttribute[] = "user.cnio";
constexpr char kProcesses[] = "/proc/";
constexpr char kOwnUserNamespace[] = "/proc/self/ns/user";
// The kernel's own for the first one, fixed since Linux 3.8 (PROC_USER_INIT_INO).
constexpr ino_t kFirstUserNamespace = 0xEFFFFFFD;
// The first line: another format would have another number.
constexpr std::string_view kFormat = "1";
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

// The kernel gives it in one piece.
std::string read_boot_id() {
  const auto file = open_file(kBootId, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) return {};
  std::array<char, 256> text{};
  const ssize_t size = retry_interrupted([&] { return read(file.value().get(), text.data(), text.size()); });
  if (size <= 0) return {};
  std::string id(text.data(), static_cast<size_t>(size));
  if (id.ends_with('\n')) id.pop_back();
  return id.find('\n') == std::string::npos ? id : std::string();
}

// What is at the path, links followed. Returns an errno.
int look_at(const std::string& path, Origin& out) {
  struct statx info {};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE | STATX_INO | STATX_MTIME, &info) != 0) return errno;
  out.device = makedev(info.stx_dev_major, info.stx_dev_minor);
  out.inode = info.stx_ino;
  // Without a mount the kernel forgets the file between two looks, and gives it a new time at each.
  const bool mounted = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  out.mounted_since = mounted ? info.stx_mtime.tv_sec * kNanosecondsPerSecond + info.stx_mtime.tv_nsec : 0;
  return 0;
}

bool is_namespace(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

// Is it at its path? Nothing if that cannot be examined.
std::optional<bool> look_for(const Origin& then) {
  Origin seen;
  const int failure = look_at(then.netns_path, seen);
  if (failure == ENOENT || failure == ENOTDIR) return false;
  if (failure != 0) return std::nullopt;
  if (seen.device != then.device || seen.inode != then.inode) return false;
  // The kernel gives the number of a namespace that is gone to the next one, so equal numbers prove nothing; another
  // time of mounting does.
  return then.mounted_since == 0 || seen.mounted_since == 0 || seen.mounted_since == then.mounted_since;
}

// That of a process goes with it: there it is the folder of all of them that counts.
bool sees_folder_of(const std::string& path) {
  if (!path.starts_with('/')) return false;
  const std::string folder = path.starts_with(kProcesses) ? kProcesses : path.substr(0, path.rfind('/') + 1);
  return access(folder.c_str(), F_OK) == 0;
}

// Empty if there is none, or none to be read: errno says why. The kernel clears as much as is asked for, so nearly all
// are read into less than a path has at most, 4096 bytes.
std::string read_attribute(int fd, const char* name) {
  errno = 0;
  for (const size_t room : {size_t{512}, size_t{8192}}) {
    std::string text(room, '\0');
    const ssize_t size = fgetxattr(fd, name, text.data(), text.size());
    if (size < 0 && errno == ERANGE) continue;
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  }
  return {};
}

bool is_same_machine(const Origin& a, const Origin& b) { return !a.host.empty() && a.host == b.host; }

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failure == std::errc() && end == text.data() + text.size();
}

// Takes the text up to the next line break; nothing if there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::optional<Origin> Origin::here(const std::string& netns_path) {
  Origin out;
  out.boot = read_boot_id();
  if (out.boot.empty()) return std::nullopt;
  utsname names{};
  if (uname(&names) == 0) out.host = static_cast<const char*>(names.nodename);
  if (out.host.find('\n') != std::string::npos) out.host.clear();
  out.netns_path = netns_path;
  // A relative path means something else for the next caller.
  if (!netns_path.starts_with('/') || !is_namespace(netns_path)) return out;
  Origin seen;
  if (look_at(netns_path, seen) != 0) return out;
  out.device = seen.device;
  out.inode = seen.inode;
  out.mounted_since = seen.mounted_since;
  return out;
}

std::string Origin::format() const {
  std::string text(kFormat);
  for (const std::string& each :
       {boot, host, std::to_string(device), std::to_string(inode), std::to_string(mounted_since)}) {
    text += '\n' + each;
  }
  return text + '\n' + netns_path;
}

std::optional<Origin> Origin::parse(std::string_view text) {
  std::array<std::string_view, 6> lines;
  for (std::string_view& line : lines) {
    const auto taken = take_line(text);
    if (!taken) return std::nullopt;
    line = *taken;
  }
  Origin out{std::string(lines[1]), std::string(lines[2]), std::string(text), 0, 0, 0};
  const bool valid = lines[0] == kFormat && !out.boot.empty() && parse_number(lines[3], out.device) &&
                     parse_number(lines[4], out.inode) && parse_number(lines[5], out.mounted_since);
  return valid ? std::optional(std::move(out)) : std::nullopt;
}

bool is_of_earlier_boot(const Origin& then, const Origin& now) {
  return then.boot != now.boot && is_same_machine(then, now);
}

bool has_left_its_path(const Origin& then, const Origin& now) {
  if (then.boot != now.boot || then.inode == 0 || now.inode == 0) return false;
  return !look_for(then).value_or(true);
}

std::optional<bool> is_at_its_path(const Origin& then, const Origin& now) {
  if (then.boot != now.boot || !is_same_machine(then, now) || then.inode == 0) return std::nullopt;
  const std::optional<bool> there = look_for(then);
  return there == true || sees_folder_of(then.netns_path) ? there : std::nullopt;
}

std::optional<bool> has_namespace(const std::string& path) {
  if (!sees_folder_of(path)) return std::nullopt;
  if (is_namespace(path)) return true;
  Origin seen;
  const int failure = look_at(path, seen);
  if (failure != 0 && failure != ENOENT && failure != ENOTDIR) return std::nullopt;
  return false;
}

// What cannot be told counts as the first one, where only the attribute that nobody can forge is believed.
bool OriginAttribute::in_user_namespace() {
  if (!in_user_namespace_) {
    struct stat own {};
    in_user_namespace_ = stat(kOwnUserNamespace, &own) == 0 && own.st_ino != kFirstUserNamespace;
  }
  return *in_user_namespace_;
}

Status OriginAttribute::write(int fd, const Origin& origin) {
  const std::string text = origin.format();
  const auto write_to = [&](const char* name) {
    const int failure = fsetxattr(fd, name, text.data(), text.size(), 0) == 0 ? 0 : errno;
    return failure == 0 ? Status() : Error::sys(std::string("write the attribute ") + name, failure);
  };
  Status written = write_to(kAttribute);
  if (written.ok() || written.error().errnum() != EPERM || !in_user_namespace()) return written;
  return write_to(kUserAttribute);
}

std::optional<Origin> OriginAttribute::read(int fd) {
  std::string text = read_attribute(fd, kAttribute);
  // To those who may not read the class the kernel says that there is none.
  if (text.empty() && errno == ENODATA && in_user_namespace()) text = read_attribute(fd, kUserAttribute);
  return text.empty() ? std::nullopt : Origin::parse(text);
}

}  // namespace cnio::ipam
