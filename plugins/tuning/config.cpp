// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/config.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cnio/attachment/config.hpp"

#include "tuning/keys.hpp"

namespace cnio::tuning {
namespace {

using attachment::MacSource;
using protocol::Fields;
using protocol::Request;

constexpr char kDefaultDataDir[] = "/run/cni/tuning";
constexpr int64_t kMinMtu = 68;  // RFC 791; the kernel's ETH_MIN_MTU

// What may stand in args.cni, and otherwise in the configuration.
struct Places {
  Fields args;
  Fields fields;

  [[nodiscard]] const Fields& of(std::string_view key) const { return args.has(key) ? args : fields; }
};

// The settings of one object, of which no two may be the same.
Result<std::vector<Setting>> parse_settings(const Fields& fields, const std::string& ifname) {
  CNIO_LET(const auto members, fields.members("sysctl"));
  std::vector<Setting> settings;
  for (const auto& [key, value] : members) {
    const std::string place = "sysctl." + key;
    Setting setting{fields.path_of(place), key, value, read_name(key, ifname)};
    if (setting.name.paths.empty()) {
      return fields.fault(place, "is no setting of a network namespace: its name must begin with \"net.\", and go on");
    }
    if (value.find_first_not_of(" \t\r\n") == std::string::npos) {
      return fields.fault(place, "must have a value: the kernel ignores an empty one");
    }
    const auto same = std::find_if(settings.begin(), settings.end(),
                                   [&](const Setting& other) { return other.name.id == setting.name.id; });
    if (same != settings.end()) return fields.fault(place, "is there already, as " + quote(same->key));
    settings.push_back(std::move(setting));
  }
  return settings;
}

// Those of args.cni take the place of what the configuration says about the same ones, and come last.
Result<std::vector<Setting>> merge_settings(const Places& places, const std::string& ifname) {
  CNIO_LET(std::vector<Setting> settings, parse_settings(places.fields, ifname));
  CNIO_LET(std::vector<Setting> more, parse_settings(places.args, ifname));
  for (Setting& each : more) {
    std::erase_if(settings, [&](const Setting& other) { return other.name.id == each.name.id; });
    settings.push_back(std::move(each));
  }
  return settings;
}

// In the order of preference, which is not that of bridge. An empty one in args.cni takes all others away.
Result<MacSource> find_mac(const Request& request, const Places& places) {
  CNIO_LET(MacSource in_cni_args, attachment::mac_of_cni_args(request, kKeys));
  CNIO_LET(const Fields runtime, places.fields.at(protocol::kRuntimeConfig));
  MacSource source;
  CNIO_LET(source.text, places.args.text("mac"));
  source.place = places.args.path_of("mac");
  if (places.args.has("mac")) return source;
  CNIO_LET(source.text, runtime.text("mac"));
  source.place = runtime.path_of("mac");
  if (!source.text.empty()) return source;
  if (!in_cni_args.text.empty()) return in_cni_args;
  CNIO_LET(source.text, places.fields.text("mac"));
  source.place = "mac";
  return source;
}

Result<std::optional<uint32_t>> parse_mtu(const Fields& fields) {
  CNIO_LET(const std::optional<int64_t> mtu, fields.integer_within("mtu", 0, INT32_MAX));
  if (!mtu || *mtu == 0) return std::optional<uint32_t>();
  CNIO_TRY(fields.integer_within("mtu", kMinMtu, INT32_MAX));
  return std::optional(static_cast<uint32_t>(*mtu));
}

Result<std::optional<uint32_t>> parse_tx_queue(const Fields& fields) {
  CNIO_LET(const std::optional<int64_t> length, fields.integer_within("txQLen", 0, UINT32_MAX));
  return length ? std::optional(static_cast<uint32_t>(*length)) : std::nullopt;
}

Result<net::LinkChange> parse_link(const Request& request, const Places& places) {
  net::LinkChange change;
  CNIO_LET(const MacSource mac, find_mac(request, places));
  CNIO_LET(change.mac, attachment::parse_mac(mac));
  CNIO_LET(change.mtu, parse_mtu(places.of("mtu")));
  CNIO_LET(const bool promisc, places.of("promisc").boolean("promisc"));
  if (promisc) change.promiscuous = true;
  CNIO_LET(const bool allmulti, places.of("allmulti").boolean("allmulti"));
  if (places.of("allmulti").has("allmulti")) change.all_multicast = allmulti;
  CNIO_LET(change.tx_queue, parse_tx_queue(places.of("txQLen")));
  return change;
}

}  // namespace

Result<Config> parse_config(const Request& request) {
  const Fields fields = request.fields(kKeys);
  CNIO_TRY(protocol::check_common_keys(fields));
  CNIO_LET(const Fields args, fields.at(protocol::kArgsCni));
  const Places places{args, fields};
  Config config;
  CNIO_LET(config.settings, merge_settings(places, request.attachment.ifname));
  CNIO_LET(config.link, parse_link(request, places));
  CNIO_TRY(fields.text("dataDir"));
  return config;
}

std::string data_dir(const Request& request) {
  auto folder = request.fields(kKeys).text("dataDir");
  return folder.ok() && !folder.value().empty() ? std::move(folder).value() : kDefaultDataDir;
}

}  // namespace cnio::tuning
