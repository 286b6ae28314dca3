// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/inside/unknown_keys.hpp"

#include <string_view>

#include <nlohmann/json.hpp>

#include "cnioctl/nearest.hpp"
#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;
using protocol::Key;
using protocol::Keys;

constexpr size_t kLongestKey = 64;  // longer ones are like none

// Of the specification, in a list and in each plugin's configuration.
constexpr Key kListKeys[] = {{"cniVersion"},   {"cniVersions"}, {"name"},
                             {"disableCheck"}, {"disableGC"},   {"loadOnlyInlinedPlugins"},
                             {"plugins"}};
// Also what nobody reads, but examples of old have, which people copy.
constexpr Key kOpenKeys[] = {{"args"}, {"runtimeConfig"}, {"cniVersions"}, {"addIf"}};

// People and tools write remarks under keys of their own.
bool is_remark(std::string_view key) {
  return key.empty() || key.size() > kLongestKey || key.find_first_of("/.#$ ") != std::string_view::npos ||
         key[0] == '_' || lowered(key).find("comment") != std::string::npos;
}

class Search {
 public:
  // Keys of the tables stand in the object at `path`.
  void look(const Json& object, const std::vector<Keys>& tables, const std::string& path) {
    for (const auto& [name, value] : object.items()) {
      const std::string where = path.empty() ? name : path + "." + name;
      const Key* key = find(tables, name);
      if (key != nullptr) {
        look_inside(value, key->members, where);
      } else if (!is_remark(name)) {
        found.push_back({where, like(tables, name)});
      }
    }
  }

  std::vector<UnknownKey> found = {};

 private:
  static bool is_written(const Key& key) { return (key.kind.places & protocol::kConfiguration) != 0; }

  static const Key* find(const std::vector<Keys>& tables, const std::string& name) {
    const Key* first = nullptr;
    for (const Keys& table : tables) {
      for (const Key& key : table) {
        if (!is_written(key) || lowered(key.name) != lowered(name)) continue;
        // That of ipam has no more members than `type` in all tables but that of the IPAM plugin.
        if (first == nullptr || key.members.count > first->members.count) first = &key;
      }
    }
    return first;
  }

  static std::string like(const std::vector<Keys>& tables, const std::string& name) {
    Nearest nearest(name);
    for (const Keys& table : tables) {
      for (const Key& key : table) {
        if (is_written(key)) nearest.offer(key.name);
      }
    }
    return nearest.found();
  }

  void look_inside(const Json& value, const Keys& members, const std::string& path) {
    if (members.empty()) return;  // they belong to somebody else
    if (value.is_object()) return look(value, {members}, path);
    if (!value.is_array()) return;
    for (size_t i = 0; i < value.size(); ++i) look_inside(value[i], members, path + "[" + std::to_string(i) + "]");
  }
};

std::string type_of(const Json& config) {
  const auto type = Fields(config).text("type");
  return type.ok() ? type.value() : std::string();
}

// What the IPAM plugin of a configuration knows. Of an unknown one nothing is known, nor where there is none.
const KnownPlugin* ipam_of(const Json& config) {
  const Json* ipam = Fields(config).find("ipam");
  return ipam == nullptr || !ipam->is_object() ? nullptr : find_plugin(type_of(*ipam));
}

Json without_ipam(const Json& config) {
  Json out = Json::object();
  for (const auto& [name, value] : config.items()) {
    if (lowered(name) != "ipam") out[name] = value;
  }
  return out;
}

// flannel hands it on to the plugin that makes the interface.
void look_at_delegate(const Json& config, Search& search) {
  const Json* delegate = Fields(config).find("delegate");
  if (delegate == nullptr || !delegate->is_object()) return;
  const std::string type = type_of(*delegate);
  const KnownPlugin* plugin = find_plugin(type.empty() ? "bridge" : type);
  if (plugin != nullptr) search.look(*delegate, {plugin->keys, protocol::kCommonKeys, kOpenKeys}, "delegate");
}

}  // namespace

std::vector<UnknownKey> find_unknown_keys(const KnownPlugin& plugin, const Json& config) {
  Search search;
  std::vector<Keys> tables = {plugin.keys, protocol::kCommonKeys, kOpenKeys};
  const KnownPlugin* ipam = ipam_of(config);
  if (ipam != nullptr) tables.push_back(ipam->keys);
  search.look(ipam == nullptr ? without_ipam(config) : config, tables, "");
  if (plugin.name == "flannel") look_at_delegate(config, search);
  return std::move(search.found);
}

std::vector<UnknownKey> find_unknown_list_keys(const Json& list) {
  Search search;
  search.look(list, {kListKeys}, "");
  return std::move(search.found);
}

}  // namespace cnio::cnioctl
