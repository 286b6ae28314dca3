// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/config.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace cnio::bridge {
namespace {

using protocol::Fields;
using protocol::Request;

constexpr int64_t kMinMtu = 68;     // RFC 791; the kernel's ETH_MIN_MTU
constexpr int64_t kMaxMtu = 65535;  // the kernel's ETH_MAX_MTU

constexpr int64_t kMaxVlan = 4094;  // IEEE 802.1Q
constexpr size_t kMaxName = 15;     // IFNAMSIZ without its NUL
constexpr size_t kNameDigits = 8;   // behind the prefix of a host end's name

bool holds_forbidden(const std::string& name) { return name.find_first_of("/:% \t\n\v\f\r") != std::string::npos; }

// Keys that each stand for themselves. What cannot be read keeps its default; the first such fault is remembered.
class Reader {
 public:
  template <class T>
  bool take(T& field, Result<T> value) {
    if (value.ok()) {
      field = std::move(value).value();
      return true;
    }
    return note(Status(std::move(value).error()));
  }
  bool note(Status status) {
    const bool good = status.ok();
    if (!good && faults_.ok()) faults_ = std::move(status);
    return good;
  }
  [[nodiscard]] const Status& faults() const { return faults_; }

 private:
  Status faults_;
};

Result<std::string> parse_bridge_name(const Fields& fields) {
  CNIO_LET(std::string name, fields.text("bridge"));
  const bool unusable = name.empty() || name.size() > kMaxName || name == "." || name == ".." || holds_forbidden(name);
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

// runtimeConfig.mac, args.cni.mac and CNI_ARGS MAC, in this order of preference.
struct MacSource {
  std::string text;
  std::string place;
};

Result<MacSource> find_mac(const Request& request, const Fields& fields) {
  // The others are for IPAM plugins: the runtime passes one string to the whole chain.
  CNIO_LET(auto cni_args, protocol::parse_cni_args(request.cni_args, {"MAC"}, {"IP", "GATEWAY"}));
  CNIO_LET(const Fields runtime, fields.object("runtimeConfig"));
  CNIO_LET(const Fields args, fields.object("args"));
  CNIO_LET(const Fields args_cni, args.object("cni"));
  MacSource source;
  CNIO_LET(source.text, runtime.text("mac"));
  source.place = "runtimeConfig.mac";
  if (!source.text.empty()) return source;
  CNIO_LET(source.text, args_cni.text("mac"));
  source.place = "args.cni.mac";
  if (!source.text.empty()) return source;
  source.text = cni_args["MAC"];
  source.place = "CNI_ARGS MAC";
  return source;
}

Result<std::optional<MacAddr>> parse_mac(const MacSource& source) {
  if (source.text.empty()) return std::optional<MacAddr>();
  const auto bad = [&](std::string_view why) {
    const std::string text = std::string(why) + ", not " + quote(source.text);
    if (source.place.starts_with("CNI_ARGS")) {
      return Error::make(Code::kInvalidEnvironment, "invalid environment: " + source.place + ": " + text);
    }
    return Error::config(source.place, text);
  };
  const auto mac = MacAddr::parse(source.text);
  if (!mac) return bad("must be a 48-bit MAC address such as 0a:58:0a:f0:01:02");
  if (mac->is_multicast() || mac->is_zero()) return bad("must be the MAC address of a single interface");
  return mac;
}

Result<std::optional<protocol::Dns>> parse_own_dns(const Fields& fields) {
  CNIO_LET(const Fields object, fields.object("dns"));
  CNIO_LET(protocol::Dns dns, protocol::parse_dns(object));
  // A list that is there but empty counts: it switches the IPAM plugin's off.
  const bool set = !dns.domain.empty() || object.has("nameservers") || object.has("search") || object.has("options");
  if (!set) return std::optional<protocol::Dns>();
  return std::optional(std::move(dns));
}

Result<std::vector<Cidr>> parse_networks(const Fields& fields, std::string_view key) {
  CNIO_LET(const std::vector<std::string> texts, fields.texts(key));
  std::vector<Cidr> out;
  for (const std::string& text : texts) {
    const auto network = Cidr::parse(text);
    if (!network) return fields.fault(key, "must hold networks such as 10.240.0.0/16, not " + quote(text));
    if (network->network() != *network) {
      return fields.fault(key, quote(text) + " has host bits set; the network is " + network->network().to_string());
    }
    out.push_back(*network);
  }
  return out;
}

Status parse_mtu(const Fields& fields, Config& config) {
  if (const protocol::Json* value = fields.find("mtu"); value != nullptr && *value == "auto") {
    config.mtu_auto = true;
    return {};
  }
  CNIO_LET(const std::optional<int64_t> mtu, fields.integer("mtu"));
  if (!mtu || *mtu <= 0) return {};  // as in the reference, a negative number asks for nothing
  CNIO_TRY(fields.integer_within("mtu", kMinMtu, kMaxMtu));
  config.mtu = static_cast<uint32_t>(*mtu);
  return {};
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

Result<std::string> parse_host_prefix(const Fields& fields) {
  CNIO_LET(std::string prefix, fields.text("hostIfPrefix"));
  const bool fits = !prefix.empty() && prefix.size() <= kMaxName - kNameDigits;
  if (fits && !holds_forbidden(prefix)) return prefix;
  return fields.fault("hostIfPrefix", quote(prefix) +
                                          " cannot begin an interface's name: 1 to 7 bytes, no white space, \"/\", "
                                          "\":\" or \"%\"");
}

Result<std::string> parse_ipam_type(const Fields& fields) {
  CNIO_LET(const Fields ipam, fields.object("ipam"));
  return ipam.text("type");
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
  if (config.is_gateway && !config.layer2() && config.gateway_interface().size() > kMaxName) {
    return Error::config("bridge", "the gateway interface " + quote(config.gateway_interface()) +
                                       " of this VLAN would have a name of more than 15 bytes");
  }
  if (config.ip_masq && !config.layer2()) {
    CNIO_TRY(masquerade_backend(config));
  }
  return {};
}

constexpr std::pair<std::string_view, bool Config::*> kFlags[] = {
    {"isDefaultGateway", &Config::is_default_gateway},
    {"isGateway", &Config::is_gateway},
    {"forceAddress", &Config::force_address},
    {"allowOverlap", &Config::allow_overlap},
    {"ipMasq", &Config::ip_masq},
    {"preserveDefaultVlan", &Config::preserve_default_vlan},
    {"deleteWhenEmpty", &Config::delete_when_empty},
    {"macspoofchk", &Config::spoof_check},
    {"portIsolation", &Config::isolated},
    {"disableContainerInterface", &Config::sandbox_end_down},
    {"hairpinMode", &Config::hairpin},
    {"promiscMode", &Config::promiscuous},
    {"enabledad", &Config::detect_duplicates}};

// What every verb reads.
void read_keys(const Fields& fields, Reader& reader, Config& config) {
  // Without a name that can be read there is no bridge, rather than another network's.
  if (fields.has("bridge") && !reader.take(config.bridge, parse_bridge_name(fields))) config.bridge.clear();
  for (const auto& [key, field] : kFlags) reader.take(config.*field, fields.boolean(key));
  config.is_gateway = config.is_gateway || config.is_default_gateway;
  if (fields.has("ipMasqBackend")) {
    std::string backend;
    if (reader.take(backend, fields.text("ipMasqBackend"))) config.ip_masq_backend = std::move(backend);
  }
  reader.note(parse_mtu(fields, config));
  reader.take(config.vlan, parse_vlan(fields));
  reader.take(config.vlan_trunk, parse_trunk(fields));
  if (fields.has("hostIfPrefix")) reader.take(config.host_prefix, parse_host_prefix(fields));
  config.ipam_readable = reader.take(config.ipam_type, parse_ipam_type(fields));
  reader.take(config.dns, parse_own_dns(fields));
}

// What only those read that build or compare.
Status read_details(const Request& request, const Fields& fields, Config& config) {
  CNIO_TRY(fields.object("prevResult"));
  CNIO_LET(const MacSource mac, find_mac(request, fields));
  CNIO_LET(config.mac, parse_mac(mac));
  CNIO_LET(config.ip_masq_exclude, parse_networks(fields, "ipMasqExclude"));
  if (fields.has("ipMasqOnly")) {
    CNIO_LET(config.ip_masq_only, parse_networks(fields, "ipMasqOnly"));
  }
  return validate(config);
}

}  // namespace

Result<Config> parse_config(const Request& request, Validation validation) {
  const Fields fields = request.fields();
  Config config;
  Reader reader;
  if (validation == Validation::kFull) CNIO_TRY(protocol::check_common_keys(fields));
  read_keys(fields, reader, config);
  if (validation == Validation::kTypes) return config;
  CNIO_TRY(reader.faults());
  CNIO_TRY(read_details(request, fields, config));
  return config;
}

Result<firewall::MasqueradeBackend> masquerade_backend(const Config& config) {
  return firewall::parse_backend(config.ip_masq_backend.value_or(""), config.ip_masq_backend.has_value());
}

}  // namespace cnio::bridge
