// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/config.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "cnio/attachment/masquerading.hpp"

#include "bridge/keys.hpp"

namespace cnio::bridge {
namespace {

using attachment::holds_forbidden;
using attachment::kMaxIfName;
using attachment::Reader;
using protocol::Fields;
using protocol::Request;

constexpr int64_t kMaxVlan = 4094;  // IEEE 802.1Q

Result<std::string> parse_bridge_name(const Fields& fields) {
  CNIO_LET(std::string name, fields.text("bridge"));
  const bool unusable =
      name.empty() || name.size() > kMaxIfName || name == "." || name == ".." || holds_forbidden(name);
  if (unusable) {
    return fields.fault("bridge", quote(name) +
                                      " cannot be an interface name: 1 to 15 bytes, no white space, \"/\", \":\" "
                                      "or \"%\"");
  }
  if (protocol::is_settings_folder(name)) {
    return fields.fault("bridge", quote(name) + " " + std::string(protocol::kSettingsFolder));
  }
  return name;
}

// One entry of vlanTrunk: an id, a range of ids, both, or (as in the reference) nothing.
Status add_trunk_entry(const Fields& entry, std::set<uint16_t>& ids) {
  CNIO_LET(const auto id, entry.integer_within("id", 1, kMaxVlan));
  CNIO_LET(const auto low, entry.integer_within("minID", 1, kMaxVlan));
  CNIO_LET(const auto high, entry.integer_within("maxID", 1, kMaxVlan));
  if (low.has_value() != high.has_value()) {
    return entry.fault(low ? "maxID" : "minID", "is missing: minID and maxID belong together");
  }
  if (low && *low > *high) {
    return entry.fault("minID", "must not be above maxID: " + std::to_string(*low) + " > " + std::to_string(*high));
  }
  if (id) ids.insert(static_cast<uint16_t>(*id));
  if (low) {
    for (int64_t each = *low; each <= *high; ++each) ids.insert(static_cast<uint16_t>(each));
  }
  return {};
}

Result<uint16_t> parse_vlan(const Fields& fields) {
  CNIO_LET(const std::optional<int64_t> vlan, fields.integer_within("vlan", 0, kMaxVlan));
  return static_cast<uint16_t>(vlan.value_or(0));
}

Result<std::optional<std::vector<uint16_t>>> parse_trunk(const Fields& fields) {
  CNIO_LET(const std::vector<Fields> entries, fields.objects("vlanTrunk"));
  std::optional<std::vector<uint16_t>> trunk;
  std::set<uint16_t> ids;
  for (const Fields& entry : entries) CNIO_TRY(add_trunk_entry(entry, ids));
  if (fields.has("vlanTrunk")) trunk.emplace(ids.begin(), ids.end());
  return trunk;
}

// What needs more than one key, or more than a type.
Status validate(const Config& config) {
  if (config.hairpin && config.promiscuous) {
    return Error::config("hairpinMode", "cannot be combined with promiscMode: pods would get their own frames twice");
  }
  if (config.sandbox_end_down && !config.layer2()) {
    return Error::config("disableContainerInterface",
                         "cannot be combined with ipam: an interface that is down takes no routes");
  }
  if (config.is_gateway && !config.layer2() && config.gateway_interface().size() > kMaxIfName) {
    return Error::config("bridge", "the gateway interface " + quote(config.gateway_interface()) +
                                       " of this VLAN would have a name of more than 15 bytes");
  }
  if (config.ip_masq && !config.layer2()) {
    CNIO_TRY(attachment::masquerade_backend(config));
  }
  return {};
}

constexpr std::pair<std::string_view, bool Config::*> kFlags[] = {
    {"isDefaultGateway", &Config::is_default_gateway},
    {"isGateway", &Config::is_gateway},
    {"forceAddress", &Config::force_address},
    {"allowOverlap", &Config::allow_overlap},
    {"preserveDefaultVlan", &Config::preserve_default_vlan},
    {"deleteWhenEmpty", &Config::delete_when_empty},
    {"macspoofchk", &Config::spoof_check},
    {"portIsolation", &Config::isolated},
    {"disableContainerInterface", &Config::sandbox_end_down},
    {"hairpinMode", &Config::hairpin},
    {"promiscMode", &Config::promiscuous},
    {"enabledad", &Config::detect_duplicates}};

// What every verb reads.
void read_keys(const Request& request, const Fields& fields, Reader& reader, Config& config) {
  // Without a name that can be read there is no bridge, rather than another network's.
  if (fields.has("bridge") && !reader.take(config.bridge, parse_bridge_name(fields))) config.bridge.clear();
  for (const auto& [key, field] : kFlags) reader.take(config.*field, fields.boolean(key));
  config.is_gateway = config.is_gateway || config.is_default_gateway;
  attachment::read_main_keys(request, fields, reader, config);
  reader.take(config.vlan, parse_vlan(fields));
  reader.take(config.vlan_trunk, parse_trunk(fields));
}

}  // namespace

Result<Config> parse_config(const Request& request, Validation validation) {
  const Fields fields = request.fields(kKeys);
  Config config;
  Reader reader;
  if (validation == Validation::kFull) CNIO_TRY(protocol::check_common_keys(fields));
  read_keys(request, fields, reader, config);
  if (validation == Validation::kTypes) return config;
  CNIO_TRY(reader.faults());
  CNIO_TRY(attachment::read_main_details(request, kKeys, config));
  CNIO_TRY(validate(config));
  return config;
}

attachment::Network network_of(const Config& config) {
  attachment::Network network;
  static_cast<attachment::MainConfig&>(network) = static_cast<const attachment::MainConfig&>(config);
  network.plugin = "bridge";
  network.ports = true;
  network.bridge = config.bridge;
  network.mtu_advice = config.mtu_auto
                           ? "\"mtu\": \"auto\" has it from the interface of the default route: write a number into "
                             "the configuration"
                       : config.mtu != 0 ? "raise the key \"mtu\", and the bridge's if it is there already"
                                         : "raise it on the bridge and its ports, set the key \"mtu\"";
  network.sandbox_end_down = config.sandbox_end_down;
  network.detect_duplicates = config.detect_duplicates;
  return network;
}

}  // namespace cnio::bridge
