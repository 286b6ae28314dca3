// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/keys.hpp"

#include <algorithm>

namespace cnio::protocol {
namespace {

// What each type is called in messages, and in tables.
constexpr std::string_view kWords[][2] = {
    {"true or false", "boolean"},          {"an integer", "integer"},
    {"an integer", "integer or \"auto\""}, {"a string", "string"},
    {"a list", "list of strings"},         {"an object", "object"},
    {"a list", "list of objects"},         {"a list", "list of lists of objects"},
};

// How one goes from a key to the members of its objects: "vlanTrunk[].id".
std::string_view step(KeyType type) {
  if (type == KeyType::kObjects) return "[].";
  return type == KeyType::kObjectLists ? "[][]." : ".";
}

// "runtimeConfig.ips, args.cni.ips": what the key is called at each of its places.
std::string names(const Key& key, const std::string& path) {
  std::string out;
  const auto add = [&](Place place, std::string_view before) {
    if ((key.kind.places & place) != 0)
      out.append(out.empty() ? "" : ", ").append(before).append(path).append(key.name);
  };
  add(kRuntimeConfig, "runtimeConfig.");
  add(kArgsCni, "args.cni.");
  add(kCniArgs, "CNI_ARGS ");
  add(kConfiguration, "");
  return out;
}

void describe_below(std::string& out, const Keys& keys, const std::string& path) {
  for (const Key& key : keys) {
    const std::string name = names(key, path);
    const std::string_view type = kWords[static_cast<size_t>(key.kind.type)][1];
    out.append("  ").append(name).append(key.kind.ours ? " *: " : ": ").append(*key.values == 0 ? type : key.values);
    out.append("; ").append(key.otherwise).append("\n      ").append(key.meaning).append("\n");
    describe_below(out, key.members, name + std::string(step(key.kind.type)));
  }
}

}  // namespace

const Key* find_key(const Keys& keys, std::string_view name, Place place) {
  const Key* found = std::find_if(keys.begin(), keys.end(),
                                  [&](const Key& key) { return key.name == name && (key.kind.places & place) != 0; });
  return found == keys.end() ? nullptr : found;
}

std::vector<std::string_view> cni_args_keys(const Keys& keys) {
  std::vector<std::string_view> out;
  for (const Key& key : keys) {
    if ((key.kind.places & kCniArgs) != 0) out.emplace_back(key.name);
  }
  return out;
}

std::string_view to_string(KeyType type) { return kWords[static_cast<size_t>(type)][0]; }

std::string describe(const Keys& keys) {
  std::string out;
  describe_below(out, keys, "");
  return out;
}

}  // namespace cnio::protocol
