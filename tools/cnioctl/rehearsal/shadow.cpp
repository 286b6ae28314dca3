// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/rehearsal/shadow.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::cnioctl {
namespace {

namespace fs = std::filesystem;

// Folders that every machine has, and nothing that a plugin reads: one of them becomes the memory.
constexpr std::array<const char*, 4> kScratch = {"/tmp", "/mnt", "/srv", "/media"};
constexpr char kNamespaces[] = "/run/netns";
constexpr mode_t kPrivate = 0700;

Error cannot(const std::string& what, int errnum) { return Error::sys(what, errnum); }

Status mount_at(const std::string& source, const std::string& target, const char* type, unsigned long flags,
                const std::string& options = {}) {
  if (mount(source.c_str(), target.c_str(), type, flags, options.c_str()) == 0) return {};
  return cannot("mount " + (type == nullptr ? source : std::string(type)) + " at " + target, errno);
}

// Of all mounts at once, and none of them hears of the machine's any more, nor the machine of them.
Status make_all_read_only() {
  mount_attr all{};
  all.attr_set = MOUNT_ATTR_RDONLY;
  all.propagation = MS_PRIVATE;
  if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &all, sizeof all) != 0) {
    if (errno != ENOSYS) return cannot("make all files read-only", errno);
    return Error::make(Code::kKernel, "the kernel cannot make all files read-only at once: Linux 5.12 is needed");
  }
  // The settings in it are those of the reader's own namespaces.
  mount_attr proc{};
  proc.attr_clr = MOUNT_ATTR_RDONLY;
  if (mount_setattr(AT_FDCWD, "/proc", 0, &proc, sizeof proc) == 0) return {};
  return cannot("make /proc writable", errno);
}

bool is_in(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder == "/" ? folder : folder + "/");
}

Result<std::string> choose_scratch(const std::vector<std::string>& needed) {
  for (const char* each : kScratch) {
    std::error_code ignored;
    const bool used = std::any_of(needed.begin(), needed.end(), [&](const auto& path) { return is_in(path, each); });
    if (!used && fs::is_directory(each, ignored)) return std::string(each);
  }
  return Error::make(Code::kIo, "each of /tmp, /mnt, /srv and /media is missing, or holds what this needs");
}

// The folder itself, or the nearest above that is there.
std::string existing(std::string path) {
  std::error_code ignored;
  while (!fs::is_directory(path, ignored)) path = parent_of(path);
  const fs::path real = fs::canonical(path, ignored);
  return ignored ? path : real.string();
}

// How overlayfs says that a file of below is gone.
bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

// Locks, indexes and the like say nothing.
bool is_silent(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name == "lock" || path.starts_with("/run/cnio/locks") || path.starts_with("/run/cnio/failures") ||
         path.starts_with("/run/cnio/store") || path == "/run/xtables.lock";
}

}  // namespace

Status Shadow::lay_over(const std::string& folder) {
  if (folder == "/" || folder.find_first_of(",:\\") != std::string::npos) {
    return Error::make(Code::kIo, folder + " cannot be shadowed").hint("an overlay takes no such folder");
  }
  const std::string base = scratch_ + "/" + std::to_string(layers_.size());
  const std::string upper = base + "/upper";
  const std::string work = base + "/work";
  for (const std::string& each : {upper, work}) CNIO_TRY(create_folder(each, kPrivate));
  // What is mounted below it would not be seen; of that, pods' namespaces are asked for.
  const bool namespaces = is_in(kNamespaces, folder) && fs::is_directory(kNamespaces);
  const std::string aside = base + "/netns";
  if (namespaces) {
    CNIO_TRY(create_folder(aside, kPrivate));
    CNIO_TRY(mount_at(kNamespaces, aside, nullptr, MS_BIND | MS_REC));
  }
  // As a folder of this mode is: the upper one's counts.
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0 || chmod(upper.c_str(), info.st_mode) != 0) {
    return cannot("look at " + folder, errno);
  }
  CNIO_TRY(mount_at("cnioctl", folder, "overlay", 0, "lowerdir=" + folder + ",upperdir=" + upper + ",workdir=" + work));
  if (namespaces) CNIO_TRY(mount_at(aside, kNamespaces, nullptr, MS_BIND | MS_REC));
  layers_.push_back({folder, upper});
  return {};
}

Result<Shadow> Shadow::cast(const std::vector<std::string>& folders, const std::vector<std::string>& needed) {
  std::vector<std::string> kept = needed;
  std::vector<std::string> writable;
  for (const std::string& each : folders) writable.push_back(existing(each));
  std::sort(writable.begin(), writable.end());  // an outer one comes before those in it
  kept.insert(kept.end(), writable.begin(), writable.end());
  CNIO_LET(const std::string scratch, choose_scratch(kept));
  Shadow out(scratch);
  if (unshare(CLONE_NEWNS) != 0) return cannot("leave the machine's mounts", errno);
  CNIO_TRY(make_all_read_only());
  CNIO_TRY(mount_at("cnioctl", out.scratch_, "tmpfs", 0, "mode=700"));
  for (const std::string& each : writable) {
    const auto covers = [&](const Layer& layer) { return is_in(each, layer.folder); };
    if (std::none_of(out.layers_.begin(), out.layers_.end(), covers)) CNIO_TRY(out.lay_over(each));
  }
  return out;
}

Status Shadow::observe(Things& out) const {
  for (const Layer& layer : layers_) {
    std::error_code failed;
    for (auto each = fs::recursive_directory_iterator(layer.upper, failed); !failed && each != fs::end(each);
         each.increment(failed)) {
      struct stat info {};
      if (lstat(each->path().c_str(), &info) != 0 || S_ISDIR(info.st_mode)) continue;
      const std::string path = layer.folder + each->path().string().substr(layer.upper.size());
      if (is_silent(path)) continue;
      out.insert({Thing::Where::kFiles, path + (is_whiteout(info) ? " is gone" : "")});
    }
    if (failed) return cannot("list " + layer.upper, failed.value());
  }
  return {};
}

Result<std::string> Shadow::keep_namespace(const std::string& name) const {
  const std::string path = scratch_ + "/" + name;
  CNIO_LET(const UniqueFd file, open_file(path, O_RDONLY | O_CREAT | O_EXCL, kPrivate));
  CNIO_TRY(mount_at("/proc/self/ns/net", path, nullptr, MS_BIND));
  return path;
}

}  // namespace cnio::cnioctl
