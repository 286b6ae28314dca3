// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/config.hpp"

#include <algorithm>

namespace cnio::bridge {
namespace {

using protocol::Fields;
using protocol::Request;

constexpr int64_t kMinMtu = 68;     // RFC 791; the kernel's ETH_MIN_MTU
constexpr int64_t kMaxMtu = 65535;  // the kernel's ETH_MAX_MTU

// Keys of the reference that belong to a later step of this plugin. Ignoring them would leave pods less separated than
// their network's author believes, so a value that asks for something is refused.
Status refuse_unsupported(const Fields& fields) {
  const auto refuse = [&](std::string_view key) {
    return Error::make(Code::kUnsupportedField, "key " + quote(key) + " is not supported by this version")
        .hint("remove the key, or use another plugin for this network");
  };
  for (const char* key : {"macspoofchk", "portIsolation", "disableContainerInterface"}) {
    CNIO_LET(const bool on, fields.boolean(key));
    if (on) return refuse(key);
  }
  CNIO_LET(const std::optional<int64_t> vlan, fields.integer("vlan"));
  if (vlan.value_or(0) != 0) return refuse("vlan");
  if (fields.has("vlanTrunk")) return refuse("vlanTrunk");
  return {};
}

Status check_bridge_name(const Fields& fields, const std::string& name) {
  const bool unusable = name.empty() || name.size() > 15 || name == "." || name == ".." ||
                        name.find_first_of("/:% \t\n\v\f\r") != std::string::npos;
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

Result<uint32_t> parse_mtu(const Fields& fields, Validation validation) {
  CNIO_LET(const std::optional<int64_t> mtu, fields.integer("mtu"));
  if (!mtu || *mtu <= 0) return 0U;  // as in the reference, a negative number asks for nothing
  if (validation == Validation::kFull) CNIO_TRY(fields.integer_within("mtu", kMinMtu, kMaxMtu));
  return static_cast<uint32_t>(std::min(*mtu, kMaxMtu));
}

// What needs more than one key, or more than a type.
Status validate(const Fields& fields, const Config& config) {
  CNIO_TRY(refuse_unsupported(fields));
  if (config.hairpin && config.promiscuous) {
    return Error::config("hairpinMode", "cannot be combined with promiscMode: pods would get their own frames twice");
  }
  if (config.ip_masq && !config.ipam_type.empty()) {
    CNIO_TRY(masquerade_backend(config));
  }
  return {};
}

}  // namespace

Result<Config> parse_config(const Request& request, Validation validation) {
  const Fields fields = request.fields();
  Config config;
  if (fields.has("bridge")) {
    CNIO_LET(config.bridge, fields.text("bridge"));
  }
  CNIO_TRY(check_bridge_name(fields, config.bridge));
  CNIO_LET(config.is_default_gateway, fields.boolean("isDefaultGateway"));
  CNIO_LET(const bool gateway, fields.boolean("isGateway"));
  config.is_gateway = gateway || config.is_default_gateway;
  CNIO_LET(config.force_address, fields.boolean("forceAddress"));
  CNIO_LET(config.ip_masq, fields.boolean("ipMasq"));
  if (fields.has("ipMasqBackend")) {
    CNIO_LET(config.ip_masq_backend, fields.text("ipMasqBackend"));
  }
  CNIO_TRY(fields.texts("ipMasqExclude"));
  CNIO_LET(config.mtu, parse_mtu(fields, validation));
  CNIO_LET(config.hairpin, fields.boolean("hairpinMode"));
  CNIO_LET(config.promiscuous, fields.boolean("promiscMode"));
  CNIO_LET(config.detect_duplicates, fields.boolean("enabledad"));
  CNIO_LET(const Fields ipam, fields.object("ipam"));
  CNIO_LET(config.ipam_type, ipam.text("type"));
  CNIO_LET(config.dns, parse_own_dns(fields));
  CNIO_TRY(fields.object("prevResult"));
  CNIO_TRY(fields.object("capabilities"));
  CNIO_LET(const MacSource mac, find_mac(request, fields));
  if (validation == Validation::kTypes) return config;
  CNIO_LET(config.mac, parse_mac(mac));
  CNIO_LET(config.ip_masq_exclude, parse_networks(fields, "ipMasqExclude"));
  CNIO_TRY(validate(fields, config));
  return config;
}

Result<feature::MasqueradeBackend> masquerade_backend(const Config& config) {
  return feature::parse_backend(config.ip_masq_backend.value_or(""), config.ip_masq_backend.has_value());
}

}  // namespace cnio::bridge
