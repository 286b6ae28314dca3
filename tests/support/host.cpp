// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/host.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <system_error>
#include <unistd.h>

#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

void require(int result, const char* what) {
  if (result == 0) return;
  throw std::system_error(errno, std::generic_category(),
                          std::string(what) + " (the plugin tests need root, in a container CAP_SYS_ADMIN)");
}

// /var/lib as a whole, since /var/lib/cni need not exist and nothing may be created on the machine itself.
constexpr const char* kPrivateFolders[] = {"/run", "/var/lib"};

}  // namespace

IsolatedHost::IsolatedHost()
    : machine_(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)), folder_(::open(".", O_PATH | O_CLOEXEC)) {
  require(machine_ < 0 ? -1 : 0, "/proc/self/ns/mnt");
  require(folder_ < 0 ? -1 : 0, "working folder");
  require(::unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
  require(::mount("none", "/", "none", MS_REC | MS_PRIVATE, nullptr), "make mounts private");
  for (const char* folder : kPrivateFolders) {
    require(::mount("cnio-test", folder, "tmpfs", 0, "mode=755"), folder);
  }
  require(::mount("cnio-test", "/sys", "sysfs", 0, nullptr), "/sys");
  require(::mkdir("/run/netns", 0755), "/run/netns");
  must_run({"ip", "link", "set", "lo", "up"});
}

IsolatedHost::~IsolatedHost() {
  // Leaves the mounts rather than taking them down: a process that outlives the test would find the machine's folders
  // in their place. They go with the last one. (A program run by hand holds many tests.)
  if (::setns(machine_, CLONE_NEWNS) != 0 || ::fchdir(folder_) != 0) std::abort();
  ::close(machine_);
  ::close(folder_);
}

std::string add_netns(const std::string& name) {
  must_run({"ip", "netns", "add", name});
  return "/run/netns/" + name;
}

void delete_netns(const std::string& name) { must_run({"ip", "netns", "del", name}); }

std::string make_folder(const std::string& name) {
  const std::string path = "/run/test/" + name;
  std::filesystem::create_directories(path);
  return path;
}

void write_file(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string sysctl(const std::string& name, const std::string& netns) {
  std::string text = must_run({"cat", "/proc/sys/" + name}, netns);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void set_sysctl(const std::string& name, const std::string& value, const std::string& netns) {
  must_feed({"tee", "/proc/sys/" + name}, value, netns);
}

}  // namespace cnio::test
