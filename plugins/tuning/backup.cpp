// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/backup.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cnio/attachment/json_text.hpp"
#include "cnio/protocol/json.hpp"

#include "tuning/setting_name.hpp"

namespace cnio::tuning {
namespace {

using attachment::from_json_text;
using attachment::to_json_text;
using protocol::Json;

// Nothing of the type that is asked for: nothing.
const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> text(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_string() ? std::optional(from_json_text(value->get<std::string>()))
                                                : std::nullopt;
}

std::optional<bool> flag(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_boolean() ? std::optional(value->get<bool>()) : std::nullopt;
}

uint64_t number(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_number_unsigned() ? value->get<uint64_t>() : 0;
}

std::optional<uint32_t> small_number(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_number_unsigned() || value->get<uint64_t>() > UINT32_MAX) return std::nullopt;
  return value->get<uint32_t>();
}

net::LinkChange parse_link(const Json& json) {
  net::LinkChange link;
  if (const auto mac = text(json, "mac")) link.mac = MacAddr::parse(*mac);
  link.promiscuous = flag(json, "promisc");
  link.mtu = small_number(json, "mtu");
  link.all_multicast = flag(json, "allmulti");
  link.tx_queue = small_number(json, "txQLen");
  return link;
}

std::vector<SavedSetting> parse_settings(const Json* saved) {
  std::vector<SavedSetting> settings;
  if (saved == nullptr || !saved->is_object()) return settings;
  for (const auto& [name, values] : saved->get_ref<const Json::object_t&>()) {
    const std::string path = from_json_text(name);
    const auto before = text(values, "before");
    const auto set = text(values, "set");
    if (before && set && is_setting_path(path)) settings.push_back({path, *before, *set});
  }
  return settings;
}

void put_link(Json& json, const net::LinkChange& link) {
  if (link.mac) json["mac"] = link.mac->to_string();
  if (link.promiscuous) json["promisc"] = *link.promiscuous;
  if (link.mtu) json["mtu"] = *link.mtu;
  if (link.all_multicast) json["allmulti"] = *link.all_multicast;
  if (link.tx_queue) json["txQLen"] = *link.tx_queue;
}

Json owner_of(const Backup& backup) {
  Json owner = Json::object();
  owner["network"] = backup.network;
  owner["containerID"] = backup.attachment.container_id;
  owner["ifname"] = to_json_text(backup.attachment.ifname);
  owner["host"] = backup.host;
  owner["sandbox"] = backup.sandbox;
  return owner;
}

template <class T>
void keep_first(std::optional<T>& first, const std::optional<T>& later) {
  if (!first) first = later;
}

}  // namespace

void Backup::add_to(Backup& earlier) const {
  earlier.network = network;
  earlier.attachment = attachment;
  earlier.host = host;
  earlier.sandbox = sandbox;
  keep_first(earlier.link.mac, link.mac);
  keep_first(earlier.link.promiscuous, link.promiscuous);
  keep_first(earlier.link.mtu, link.mtu);
  keep_first(earlier.link.all_multicast, link.all_multicast);
  keep_first(earlier.link.tx_queue, link.tx_queue);
  for (const SavedSetting& each : settings) {
    const auto known = std::find_if(earlier.settings.begin(), earlier.settings.end(),
                                    [&](const SavedSetting& other) { return other.path == each.path; });
    if (known == earlier.settings.end()) {
      earlier.settings.push_back(each);
    } else {
      known->set = each.set;
    }
  }
}

std::string format_backup(const Backup& backup) {
  Json json = Json::object();
  put_link(json, backup.link);
  for (const SavedSetting& each : backup.settings) {
    Json& saved = json["sysctl"][to_json_text(each.path)];
    saved["before"] = to_json_text(each.before);
    saved["set"] = to_json_text(each.set);
  }
  if (!backup.network.empty()) json["cnio"] = owner_of(backup);
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Backup> parse_backup(std::string_view text_of_file) {
  const auto parsed = protocol::parse_json(text_of_file);
  if (!parsed.ok() || !parsed.value().is_object()) return std::nullopt;
  const Json& json = parsed.value();
  Backup backup;
  backup.link = parse_link(json);
  backup.settings = parse_settings(find(json, "sysctl"));
  const Json* owner = find(json, "cnio");
  if (owner == nullptr) return backup;
  backup.network = text(*owner, "network").value_or("");
  backup.attachment = {text(*owner, "containerID").value_or(""), text(*owner, "ifname").value_or("")};
  backup.host = number(*owner, "host");
  backup.sandbox = number(*owner, "sandbox");
  return backup;
}

}  // namespace cnio::tuning
