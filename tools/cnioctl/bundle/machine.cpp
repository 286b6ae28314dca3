// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/bundle/machine.hpp"

#include <array>
#include <string_view>

#include "cnio/base/process.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/sysctl.hpp"

#include "cnioctl/bundle/sha256.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kMaxPlugin = size_t{256} << 20;
constexpr size_t kMaxModules = size_t{1} << 20;
constexpr int kPatienceMs = 5'000;
constexpr std::string_view kOurs = " " CNIO_PLUGINS " ";

constexpr std::array<const char*, 14> kSysctls = {"ipv4/ip_forward",
                                                  "ipv4/conf/all/forwarding",
                                                  "ipv4/conf/default/forwarding",
                                                  "ipv4/conf/all/rp_filter",
                                                  "ipv4/conf/default/rp_filter",
                                                  "ipv4/neigh/default/gc_thresh3",
                                                  "ipv6/conf/all/forwarding",
                                                  "ipv6/conf/all/disable_ipv6",
                                                  "ipv6/conf/default/accept_ra",
                                                  "ipv6/neigh/default/gc_thresh3",
                                                  "bridge/bridge-nf-call-iptables",
                                                  "bridge/bridge-nf-call-ip6tables",
                                                  "netfilter/nf_conntrack_max",
                                                  "netfilter/nf_conntrack_count"};

// Without CNI_COMMAND a plugin says which version it is, on standard error.
std::string version_of(const std::string& path) {
  const auto ended = run_process({.path = path, .args = {path}, .environment = {}, .stdin_data = {}}, kPatienceMs);
  if (!ended.ok()) return "does not run: " + shown(ended.error().msg());
  const std::string& said = ended.value().err;
  return shown(said.substr(0, said.find('\n')));
}

bool is_ours(const std::string& name) { return kOurs.find(" " + name + " ") != std::string_view::npos; }

}  // namespace

std::string plugins_text(const std::string& folder, Report& report) {
  Table table;
  for (const std::string& name : names_in(folder, report)) {
    const std::string path = folder + "/" + name;
    const auto content = read_regular_file(path, kMaxPlugin);
    if (!content.ok()) report.blind(path, content.error());
    if (!content.ok()) continue;
    table.add({shown(name), sha256(content.value()), is_ours(name) ? version_of(path) : "not ours"});
  }
  return table.text();
}

std::string sysctls_text() {
  Table table;
  for (const char* key : kSysctls) {
    const auto value = net::read_sysctl(key);
    const bool known = value.ok() && value.value();
    table.add({std::string("net/") + key, known ? shown(*value.value()) : "-"});
  }
  return table.text();
}

std::string modules_text() {
  const auto text = read_file("/proc/modules", kMaxModules);
  return text.ok() ? text.value() : std::string();
}

}  // namespace cnio::cnioctl
