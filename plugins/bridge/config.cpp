// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/config.hpp"

#include <algorithm>
#include <set>

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

Status check_bridge_name(const Fields& fields, const std::string& name) {
  const bool unusable = name.empty() || name.size() > kMaxName || name == "." || name == ".." || holds_forbidden(name);
  if (!unusable) return {};
  return fields.fault("bridge", quote(name) +
                                    " cannot be an interface name: 1 to 15 bytes, no white space, \"/\", \":\" "
                                    "or \"%\"");
}

// runtimeConfig.mac, args.cni.mac and CNI_ARGS MAC, in this order of preference.
struct MacSource {
  std::string text;
  std::string place;
};

Result<MacSource> find_mac(const Request& request, const Fields& fields) {
  // IP is host-local's: the runtime passes one string to the whole chain.
  CNIO_LET(auto cni_args, protocol::parse_cni_args(request.cni_args, {"MAC"}, {"IP"}));
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

Status parse_mtu(const Fields& fields, Validation validation, Config& config) {
  if (const protocol::Json* value = fields.find("mtu"); value != nullptr && *value == "auto") {
    config.mtu_auto = true;
    return {};
  }
  CNIO_LET(const std::optional<int64_t> mtu, fields.integer("mtu"));
  if (!mtu || *mtu <= 0) return {};  // as in the reference, a negative number asks for nothing
  if (validation == Validation::kFull) CNIO_TRY(fields.integer_within("mtu", kMinMtu, kMaxMtu));
  config.mtu = static_cast<uint32_t>(std::min(*mtu, kMaxMtu));
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

Status parse_vlans(const Fields& fields, Config& config) {
  CNIO_LET(const std::optional<int64_t> vlan, fields.integer_within("vlan", 0, kMaxVlan));
  config.vlan = static_cast<uint16_t>(vlan.value_or(0));
  CNIO_LET(config.preserve_default_vlan, fields.boolean("preserveDefaultVlan"));
  CNIO_LET(const std::vector<Fields> entries, fields.objects("vlanTrunk"));
  std::set<uint16_t> ids;
  for (const Fields& entry : entries) CNIO_TRY(add_trunk_entry(entry, ids));
  if (fields.has("vlanTrunk")) config.vlan_trunk.emplace(ids.begin(), ids.end());
  return {};
}

Status parse_host_prefix(const Fields& fields, Config& config) {
  if (!fields.has("hostIfPrefix")) return {};
  CNIO_LET(config.host_prefix, fields.text("hostIfPrefix"));
  const bool fits = !config.host_prefix.empty() && config.host_prefix.size() <= kMaxName - kNameDigits;
  if (fits && !holds_forbidden(config.host_prefix)) return {};
  return fields.fault("hostIfPrefix", quote(config.host_prefix) +
                                          " cannot begin an interface's name: 1 to 7 bytes, no white space, \"/\", "
                                          "\":\" or \"%\"");
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

}  // namespace

Result<Config> parse_config(const Request& request, Validation validation) {
  const Fields fields = request.fields();
  Config config;
  CNIO_TRY(protocol::check_common_keys(fields));
  if (fields.has("bridge")) {
    CNIO_LET(config.bridge, fields.text("bridge"));
  }
  CNIO_TRY(check_bridge_name(fields, config.bridge));
  CNIO_LET(config.is_default_gateway, fields.boolean("isDefaultGateway"));
  CNIO_LET(const bool gateway, fields.boolean("isGateway"));
  config.is_gateway = gateway || config.is_default_gateway;
  CNIO_LET(config.force_address, fields.boolean("forceAddress"));
  CNIO_LET(config.allow_overlap, fields.boolean("allowOverlap"));
  CNIO_LET(config.ip_masq, fields.boolean("ipMasq"));
  if (fields.has("ipMasqBackend")) {
    CNIO_LET(config.ip_masq_backend, fields.text("ipMasqBackend"));
  }
  CNIO_TRY(fields.texts("ipMasqExclude"));
  CNIO_TRY(fields.texts("ipMasqOnly"));
  CNIO_TRY(parse_mtu(fields, validation, config));
  CNIO_TRY(parse_vlans(fields, config));
  CNIO_TRY(parse_host_prefix(fields, config));
  CNIO_LET(config.delete_when_empty, fields.boolean("deleteWhenEmpty"));
  CNIO_LET(config.spoof_check, fields.boolean("macspoofchk"));
  CNIO_LET(config.isolated, fields.boolean("portIsolation"));
  CNIO_LET(config.sandbox_end_down, fields.boolean("disableContainerInterface"));
  CNIO_LET(config.hairpin, fields.boolean("hairpinMode"));
  CNIO_LET(config.promiscuous, fields.boolean("promiscMode"));
  CNIO_LET(config.detect_duplicates, fields.boolean("enabledad"));
  CNIO_LET(const Fields ipam, fields.object("ipam"));
  CNIO_LET(config.ipam_type, ipam.text("type"));
  CNIO_LET(config.dns, parse_own_dns(fields));
  CNIO_TRY(fields.object("prevResult"));
  CNIO_LET(const MacSource mac, find_mac(request, fields));
  if (validation == Validation::kTypes) return config;
  CNIO_LET(config.mac, parse_mac(mac));
  CNIO_LET(config.ip_masq_exclude, parse_networks(fields, "ipMasqExclude"));
  if (fields.has("ipMasqOnly")) {
    CNIO_LET(config.ip_masq_only, parse_networks(fields, "ipMasqOnly"));
  }
  CNIO_TRY(validate(config));
  return config;
}

Result<feature::MasqueradeBackend> masquerade_backend(const Config& config) {
  return feature::parse_backend(config.ip_masq_backend.value_or(""), config.ip_masq_backend.has_value());
}

}  // namespace cnio::bridge
