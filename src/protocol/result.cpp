// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/result.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "protocol/shape.hpp"

namespace cnio::protocol {
namespace {

// Integers of results may have passed through a decoder that writes them as 1.0.
Result<std::optional<int64_t>> integer_of_result(const Fields& fields, std::string_view key) {
  const Json* value = fields.find(key);
  if (value != nullptr && value->is_number_float()) {
    const double number = value->get<double>();
    if (number != std::floor(number) || std::fabs(number) > 9e15) return fields.fault(key, "must be an integer");
    return std::optional(static_cast<int64_t>(number));
  }
  return fields.integer(key);
}

using ParseInteger = Result<std::optional<int64_t>> (&)(const Fields& fields, std::string_view key);

Result<std::optional<int64_t>> integer_of_configuration(const Fields& fields, std::string_view key) {
  return fields.integer(key);
}

Result<Route> parse_route(const Fields& fields, ParseInteger integer) {
  CNIO_LET(const std::optional<Cidr> dst, fields.cidr("dst"));
  if (!dst) return fields.fault("dst", "is missing");
  Route route;
  route.dst = *dst;
  CNIO_LET(route.gw, fields.ip("gw"));
  CNIO_LET(route.mtu, integer(fields, "mtu"));
  CNIO_LET(route.advmss, integer(fields, "advmss"));
  CNIO_LET(route.priority, integer(fields, "priority"));
  CNIO_LET(route.table, integer(fields, "table"));
  CNIO_LET(route.scope, integer(fields, "scope"));
  return route;
}

Result<std::vector<Route>> parse_route_list(const Fields& parent, std::string_view key, ParseInteger integer) {
  CNIO_LET(const std::vector<Fields> entries, parent.objects(key));
  std::vector<Route> routes;
  for (const Fields& entry : entries) {
    CNIO_LET(const Route route, parse_route(entry, integer));
    routes.push_back(route);
  }
  return routes;
}

Result<Interface> parse_interface(const Fields& fields) {
  Interface out;
  CNIO_LET(out.name, fields.text("name"));
  CNIO_LET(out.mac, fields.text("mac"));
  CNIO_LET(out.mtu, integer_of_result(fields, "mtu"));
  CNIO_LET(out.sandbox, fields.text("sandbox"));
  CNIO_LET(out.socket_path, fields.text("socketPath"));
  CNIO_LET(out.pci_id, fields.text("pciID"));
  return out;
}

Result<IpConfig> parse_ip_config(const Fields& fields, size_t interfaces) {
  CNIO_LET(const std::optional<Cidr> address, fields.cidr("address"));
  if (!address) return fields.fault("address", "is missing");
  IpConfig out;
  out.address = *address;
  CNIO_LET(out.gateway, fields.ip("gateway"));
  CNIO_LET(const std::optional<int64_t> index, integer_of_result(fields, "interface"));
  // A delegate that lists no interfaces may still number them; the caller ties addresses to its own.
  if (index && interfaces != 0 && (*index < 0 || static_cast<size_t>(*index) >= interfaces)) {
    return fields.fault("interface",
                        "names entry " + std::to_string(*index) + " of " + std::to_string(interfaces) + " interfaces");
  }
  if (index && *index >= 0) out.interface = static_cast<size_t>(*index);
  return out;
}

Status parse_ip4_ip6(const Fields& fields, AddResult& out) {
  for (const char* key : {"ip4", "ip6"}) {
    if (!fields.has(key)) continue;
    CNIO_LET(const Fields entry, fields.object(key));
    CNIO_LET(const std::optional<Cidr> address, entry.cidr("ip"));
    if (!address) return entry.fault("ip", "is missing");
    IpConfig ip{*address, std::nullopt, std::nullopt};
    CNIO_LET(ip.gateway, entry.ip("gateway"));
    out.ips.push_back(ip);
    CNIO_LET(std::vector<Route> routes, parse_route_list(entry, "routes", integer_of_result));
    out.routes.insert(out.routes.end(), routes.begin(), routes.end());
  }
  return {};
}

Result<AddResult> parse_shape(const Fields& fields, Shape shape) {
  AddResult out;
  CNIO_LET(const Fields dns, fields.object("dns"));
  CNIO_LET(out.dns, parse_dns(dns));
  if (shape == Shape::kIp4Ip6) {
    CNIO_TRY(parse_ip4_ip6(fields, out));
    return out;
  }
  CNIO_LET(const std::vector<Fields> interfaces, fields.objects("interfaces"));
  for (const Fields& entry : interfaces) {
    CNIO_LET(Interface interface, parse_interface(entry));
    out.interfaces.push_back(std::move(interface));
  }
  CNIO_LET(const std::vector<Fields> ips, fields.objects("ips"));
  for (const Fields& entry : ips) {
    CNIO_LET(const IpConfig ip, parse_ip_config(entry, interfaces.size()));
    out.ips.push_back(ip);
  }
  CNIO_LET(out.routes, parse_route_list(fields, "routes", integer_of_result));
  return out;
}

}  // namespace

Result<std::vector<Route>> parse_routes(const Fields& config, std::string_view key) {
  return parse_route_list(config, key, integer_of_configuration);
}

Result<Dns> parse_dns(const Fields& fields) {
  Dns dns;
  CNIO_LET(dns.nameservers, fields.texts("nameservers"));
  CNIO_LET(dns.domain, fields.text("domain"));
  CNIO_LET(dns.search, fields.texts("search"));
  CNIO_LET(dns.options, fields.texts("options"));
  return dns;
}

Result<AddResult> parse_result(const Json& value, SpecVersion version, const std::string& what, Code code) {
  if (!value.is_object()) return Error::make(code, what + ": must be an object");
  return parse_shape(Fields(value, what, code), shape_of(version));
}

Result<AddResult> parse_delegate_result(std::string_view text, SpecVersion config_version,
                                        const std::string& delegate) {
  auto parsed = parse_json(text);
  if (!parsed.ok()) {
    const std::string why = text.empty() ? "it printed nothing" : "its answer is " + parsed.error().msg();
    return Error::make(Code::kDelegate, why, text.empty() ? std::string() : "it printed " + quote(text, 256));
  }
  const Json value = std::move(parsed).value();
  if (value.is_null()) return AddResult{};
  if (!value.is_object()) return Error::make(Code::kDelegate, "its answer is no JSON object");
  const Fields fields(value, {}, Code::kDelegate);
  CNIO_LET(const std::string text_version, fields.text("cniVersion"));
  const auto own = parse_version(text_version);
  if (!own) return fields.fault("cniVersion", "unknown version " + quote(text_version));
  return parse_result(value, text_version.empty() ? config_version : *own, delegate, Code::kDelegate);
}

Result<std::optional<AddResult>> parse_prev_result(const Fields& whole, SpecVersion config_version) {
  const Fields config = whole.knowing(kCommonKeys);
  const Json* value = config.find("prevResult");
  if (value == nullptr) return std::optional<AddResult>();
  CNIO_LET(const Fields fields, config.object("prevResult"));
  CNIO_LET(const std::string text, fields.text("cniVersion"));
  const auto own = parse_version(text);
  // An empty text is a version of its own: 0.1.0.
  const bool said = fields.has("cniVersion");
  if (!own || (said && shape_of(*own) != shape_of(config_version))) {
    return fields.fault("cniVersion", "is " + quote(text) + ", which cannot be read with the configuration's " +
                                          std::string(to_string(config_version)));
  }
  CNIO_LET(AddResult result, parse_result(*value, config_version, "prevResult", Code::kInvalidConfig));
  return std::optional(std::move(result));
}

}  // namespace cnio::protocol
