// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/config.hpp"

#include "cnio/attachment/identity.hpp"

namespace cnio::attachment {
namespace {

using protocol::Fields;
using protocol::Request;

constexpr int64_t kMinMtu = 68;     // RFC 791; the kernel's ETH_MIN_MTU
constexpr int64_t kMaxMtu = 65535;  // the kernel's ETH_MAX_MTU

// In the order of preference.
Result<MacSource> find_mac(const Request& request, protocol::Keys keys) {
  const Fields fields = request.fields(keys);
  CNIO_LET(MacSource mac_arg, mac_of_cni_args(request, keys));
  CNIO_LET(const Fields runtime, fields.at(protocol::kRuntimeConfig));
  CNIO_LET(const Fields args_cni, fields.at(protocol::kArgsCni));
  MacSource source;
  CNIO_LET(source.text, runtime.text("mac"));
  source.place = "runtimeConfig.mac";
  if (!source.text.empty()) return source;
  CNIO_LET(source.text, args_cni.text("mac"));
  source.place = "args.cni.mac";
  if (!source.text.empty()) return source;
  if (!mac_arg.text.empty()) return mac_arg;
  CNIO_LET(source.text, fields.text("mac"));
  source.place = "mac";
  return source;
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

Status parse_mtu(const Fields& fields, MainConfig& config) {
  config.mtu_auto = fields.is_auto("mtu");
  if (config.mtu_auto) return {};
  CNIO_LET(const std::optional<int64_t> mtu, fields.integer("mtu"));
  if (!mtu || *mtu <= 0) return {};  // as in the reference, a negative number asks for nothing
  CNIO_TRY(fields.integer_within("mtu", kMinMtu, kMaxMtu));
  config.mtu = static_cast<uint32_t>(*mtu);
  return {};
}

Result<std::string> parse_host_prefix(const Fields& fields) {
  CNIO_LET(std::string prefix, fields.text("hostIfPrefix"));
  const bool fits = !prefix.empty() && prefix.size() <= kMaxIfName - kNameDigits;
  if (fits && !holds_forbidden(prefix)) return prefix;
  return fields.fault("hostIfPrefix", quote(prefix) +
                                          " cannot begin an interface's name: 1 to 7 bytes, no white space, \"/\", "
                                          "\":\" or \"%\"");
}

Result<std::string> parse_ipam_type(const Request& request, const Fields& fields) {
  CNIO_LET(const Fields ipam, fields.object("ipam"));
  CNIO_LET(std::string type, ipam.text("type"));
  if (!protocol::is_itself(request, type)) return type;
  return ipam.fault("type", quote(type) + " is this plugin itself, which gives no addresses");
}

}  // namespace

Result<MacSource> mac_of_cni_args(const Request& request, protocol::Keys keys) {
  MacSource source{{}, "CNI_ARGS MAC"};
  const std::vector<std::string_view> known = protocol::cni_args_keys(keys);
  if (known.empty()) return source;
  // IP is the IPAM plugin's: the runtime passes one string to the whole chain.
  CNIO_LET(auto cni_args, protocol::parse_cni_args(request.cni_args, known, {"IP", "GATEWAY"}));
  source.text = std::move(cni_args["MAC"]);
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

bool holds_forbidden(const std::string& name) { return name.find_first_of("/:% \t\n\v\f\r") != std::string::npos; }

bool Reader::note(Status status) {
  const bool good = status.ok();
  if (!good && faults_.ok()) faults_ = std::move(status);
  return good;
}

void read_main_keys(const Request& request, const Fields& fields, Reader& reader, MainConfig& config) {
  reader.take(config.ip_masq, fields.boolean("ipMasq"));
  if (fields.has("ipMasqBackend")) {
    std::string backend;
    if (reader.take(backend, fields.text("ipMasqBackend"))) config.ip_masq_backend = std::move(backend);
  }
  reader.note(parse_mtu(fields, config));
  if (fields.has("hostIfPrefix")) reader.take(config.host_prefix, parse_host_prefix(fields));
  config.ipam_readable = reader.take(config.ipam_type, parse_ipam_type(request, fields));
  reader.take(config.dns, parse_own_dns(fields));
}

Status read_main_details(const Request& request, protocol::Keys keys, MainConfig& config) {
  const Fields fields = request.fields(keys);
  CNIO_TRY(fields.object("prevResult"));
  CNIO_LET(const MacSource mac, find_mac(request, keys));
  CNIO_LET(config.mac, parse_mac(mac));
  CNIO_LET(config.ip_masq_exclude, parse_networks(fields, "ipMasqExclude"));
  if (fields.has("ipMasqOnly")) {
    CNIO_LET(config.ip_masq_only, parse_networks(fields, "ipMasqOnly"));
  }
  return {};
}

}  // namespace cnio::attachment
