// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/cache.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>

#include "cnio/base/list_files.hpp"
#include "cnio/base/unique_fd.hpp"

#include "cnioctl/world/base64.hpp"

namespace cnio::cnioctl {
namespace {

using firewall::RuleOwner;
using protocol::Json;

constexpr size_t kMaxCacheFile = 4 << 20;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json object_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

bool is_pair(const Json& value) {
  return value.is_array() && value.size() == 2 && value.at(0).is_string() && value.at(1).is_string();
}

// libcni keeps CNI_ARGS as a list of pairs.
void understand_args(const Json& cached, CachedAdd& out) {
  const auto args = cached.find("cniArgs");
  if (args == cached.end() || !args->is_array()) return;
  std::string space;
  std::string name;
  for (const Json& each : *args) {
    if (!is_pair(each)) continue;
    const auto key = each.at(0).get<std::string>();
    const auto value = each.at(1).get<std::string>();
    if (key == "K8S_POD_NAME") name = value;
    if (key == "K8S_POD_NAMESPACE") space = value;
    out.cni_args.append(out.cni_args.empty() ? "" : ";").append(key).append("=").append(value);
  }
  if (!name.empty()) out.pod = space + "/" + name;
}

std::string sandbox_in(const Json& result) {
  const auto interfaces = result.find("interfaces");
  if (interfaces == result.end() || !interfaces->is_array()) return {};
  for (const Json& each : *interfaces) {
    if (!each.is_object()) continue;
    std::string sandbox = text_of(each, "sandbox");
    if (!sandbox.empty()) return sandbox;
  }
  return {};
}

}  // namespace

Result<CachedAdd> parse_cached(std::string_view text) {
  CNIO_LET(const Json cached, protocol::parse_json(text));
  if (!cached.is_object()) return Error::make(Code::kDecode, "is no JSON object");
  CachedAdd out;
  out.who = {text_of(cached, "networkName"), {text_of(cached, "containerId"), text_of(cached, "ifName")}};
  if (out.who.network.empty() || out.who.attachment.container_id.empty()) {
    return Error::make(Code::kDecode, "names no network and no container, as libcni does since 0.8");
  }
  understand_args(cached, out);
  out.config = decode_base64(text_of(cached, "config")).value_or("");
  out.capability_args = object_of(cached, "capabilityArgs");
  out.result = object_of(cached, "result");
  out.netns = text_of(cached, "netns");
  if (out.netns.empty()) out.netns = sandbox_in(out.result);
  return out;
}

std::string Cache::path_of(const RuleOwner& who) const {
  return folder_ + "/" + who.network + "-" + who.attachment.container_id + "-" + who.attachment.ifname;
}

Result<CachedAdd> Cache::read_path(const std::string& path) {
  CNIO_LET(const std::string text, read_file(path, kMaxCacheFile));
  auto cached = parse_cached(text);
  if (cached.ok()) return cached;
  return std::move(cached).error().context(path);
}

std::string Cache::pod_of(const RuleOwner& who) const {
  const auto cached = read(who);
  return cached.ok() ? cached.value().pod : std::string();
}

std::vector<std::string> Cache::paths(Report& report) const {
  std::vector<std::string> out = names_in(folder_, report);
  for (std::string& name : out) name.insert(0, folder_ + "/");
  return out;
}

std::vector<std::string> names_in(const std::string& folder, Report& report) {
  std::vector<std::string> names;
  const auto fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  const Status listed = !fd.ok() ? Status(fd.error()) : list_files(fd.value().get(), folder, [&](const FileName& file) {
    if (file.name != "." && file.name != "..") names.push_back(file.name);
  });
  if (!listed.ok() && listed.error().errnum() != ENOENT) report.blind(folder, listed.error());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> stores_in(const std::string& folder, Report& report) {
  std::vector<std::string> names = names_in(folder, report);
  std::erase_if(names, [&folder](const std::string& name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(std::filesystem::symlink_status(folder + "/" + name, ignored));
  });
  return names;
}

}  // namespace cnio::cnioctl
