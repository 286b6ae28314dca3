// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cnio/protocol/pod.hpp"
#include "cnio/protocol/request.hpp"

#include "protocol/texts.hpp"

namespace cnio::protocol {
namespace {

// What Kubernetes' runtimes tell every plugin about the pod (K8S_POD_NAME and others) is nobody's mistake.
constexpr std::string_view kKubernetesPrefix = "K8S_";

bool holds(const std::vector<std::string_view>& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

struct Pair {
  std::string_view key;
  std::string_view value;
};

// Nothing if it is not of the form KEY=VALUE.
std::optional<Pair> parse_pair(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || text.find('=', equals + 1) != std::string_view::npos) return std::nullopt;
  return Pair{text.substr(0, equals), text.substr(equals + 1)};
}

// Of text that is not empty.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t semicolon = 0; semicolon != std::string_view::npos; text.remove_prefix(semicolon + 1)) {
    semicolon = text.find(';');
    parts.push_back(text.substr(0, semicolon));
    if (semicolon == std::string_view::npos) break;
  }
  return parts;
}

constexpr size_t kMaxPodName = 253;   // a DNS subdomain
constexpr size_t kMaxNamespace = 63;  // a DNS label

bool is_pod_text(std::string_view text, size_t limit) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  return !text.empty() && text.size() <= limit && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

std::string pod_name(std::string_view cni_args) {
  std::string_view space;
  std::string_view name;
  if (cni_args.empty()) return {};
  for (const std::string_view part : split(cni_args)) {
    const auto pair = parse_pair(part).value_or(Pair{});
    if (pair.key == "K8S_POD_NAMESPACE") space = pair.value;
    if (pair.key == "K8S_POD_NAME") name = pair.value;
  }
  if (!is_pod_text(space, kMaxNamespace) || !is_pod_text(name, kMaxPodName)) return {};
  return std::string(space).append("/").append(name);
}

Result<std::map<std::string, std::string, std::less<>>> parse_cni_args(
    std::string_view cni_args, const std::vector<std::string_view>& known,
    const std::vector<std::string_view>& known_elsewhere) {
  std::map<std::string, std::string, std::less<>> out;
  if (cni_args.empty()) return out;
  const auto bad = [&](const std::string& why) {
    return Error::make(Code::kInvalidEnvironment, "invalid environment: CNI_ARGS " + quote(cni_args) + ": " + why);
  };
  bool ignore_unknown = false;
  std::string unknown;
  for (const std::string_view part : split(cni_args)) {
    const std::optional<Pair> pair = parse_pair(part);
    if (!pair) return bad("the part " + quote(part) + " is not of the form KEY=VALUE");
    const auto& [key, value] = *pair;
    if (key == "IgnoreUnknown") {
      const std::optional<bool> flag = parse_flag(std::string(value.empty() ? "0" : value));
      if (!flag) return bad("IgnoreUnknown must be 0, 1, true or false");
      ignore_unknown = *flag;
    } else if (holds(known, key)) {
      if (!value.empty()) out.insert_or_assign(std::string(key), std::string(value));
    } else if (key == "CommonArgs") {
      return bad("the key \"CommonArgs\" is reserved");
    } else if (!holds(known_elsewhere, key) && !key.starts_with(kKubernetesPrefix)) {
      unknown.append(unknown.empty() ? "" : ", ").append(quote(key));
    }
  }
  if (unknown.empty() || ignore_unknown) return out;
  return bad("unknown keys " + unknown).hint("add IgnoreUnknown=1 to have keys of other programs ignored");
}

}  // namespace cnio::protocol
