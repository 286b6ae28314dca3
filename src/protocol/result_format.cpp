// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cnio/protocol/result.hpp"

#include "protocol/shape.hpp"

namespace cnio::protocol {
namespace {

// Members are left out when empty or zero, as the reference does.
void put(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}
void put(Json& object, const char* key, const std::vector<std::string>& texts) {
  if (!texts.empty()) object[key] = texts;
}
void put(Json& object, const char* key, const std::optional<int64_t>& number) {
  if (number && *number != 0) object[key] = *number;
}
void put(Json& object, const char* key, Json list) {
  if (!list.empty()) object[key] = std::move(list);
}

Json to_json(const Dns& dns, Shape shape) {
  Json out = Json::object();
  if (shape == Shape::kCurrent) {
    put(out, "domain", dns.domain);
    put(out, "nameservers", dns.nameservers);
    put(out, "options", dns.options);
    put(out, "search", dns.search);
  } else {
    put(out, "nameservers", dns.nameservers);
    put(out, "domain", dns.domain);
    put(out, "search", dns.search);
    put(out, "options", dns.options);
  }
  return out;
}

Json to_json(const Interface& interface, Shape shape) {
  Json out = Json::object();
  if (shape == Shape::kCurrent) {
    put(out, "mac", interface.mac);
    put(out, "mtu", interface.mtu);
    out["name"] = interface.name;
    put(out, "pciID", interface.pci_id);
    put(out, "sandbox", interface.sandbox);
    put(out, "socketPath", interface.socket_path);
  } else {
    out["name"] = interface.name;
    put(out, "mac", interface.mac);
    put(out, "sandbox", interface.sandbox);
  }
  return out;
}

Json to_json(const IpConfig& ip, Shape shape) {
  Json out = Json::object();
  if (shape == Shape::kWithVersion) {
    out["version"] = ip.address.addr.is_v4() ? "4" : "6";
    if (ip.interface) out["interface"] = *ip.interface;
  }
  out["address"] = ip.address.to_string();
  if (ip.gateway) out["gateway"] = ip.gateway->to_string();
  if (shape == Shape::kCurrent && ip.interface) out["interface"] = *ip.interface;
  return out;
}

Json to_json(const Route& route, Shape shape) {
  Json out = Json::object();
  if (shape == Shape::kCurrent) {
    put(out, "advmss", route.advmss);
    out["dst"] = route.dst.to_string();
    if (route.gw) out["gw"] = route.gw->to_string();
    put(out, "mtu", route.mtu);
    put(out, "priority", route.priority);
    if (route.scope) out["scope"] = *route.scope;
    if (route.table) out["table"] = *route.table;
    return out;
  }
  out["dst"] = route.dst.to_string();
  if (route.gw) out["gw"] = route.gw->to_string();
  if (shape == Shape::kIp4Ip6) return out;
  put(out, "mtu", route.mtu);
  put(out, "advmss", route.advmss);
  put(out, "priority", route.priority);
  if (route.table) out["table"] = *route.table;
  if (route.scope) out["scope"] = *route.scope;
  return out;
}

template <class T>
Json list_json(const std::vector<T>& values, Shape shape) {
  Json out = Json::array();
  for (const T& value : values) out.push_back(to_json(value, shape));
  return out;
}

// One family's entry before 0.3.0: its first address, and all routes of the family. Null without address.
Json family_json(const AddResult& result, Family family) {
  for (const IpConfig& ip : result.ips) {
    if (ip.address.family() != family) continue;
    Json out = Json::object();
    out["ip"] = ip.address.to_string();
    if (ip.gateway) out["gateway"] = ip.gateway->to_string();
    Json routes = Json::array();
    for (const Route& route : result.routes) {
      if (route.dst.family() == family) routes.push_back(to_json(route, Shape::kIp4Ip6));
    }
    put(out, "routes", std::move(routes));
    return out;
  }
  return {};
}

}  // namespace

Json format_routes(const std::vector<Route>& routes) { return list_json(routes, Shape::kWithVersion); }

Status check_result(const AddResult& result, SpecVersion version) {
  if (shape_of(version) != Shape::kIp4Ip6 || !result.ips.empty()) return {};
  return Error::make(Code::kUnsupportedField,
                     "cniVersion " + std::string(to_string(version)) + " cannot express a result without addresses")
      .hint("use cniVersion 0.3.0 or later for networks without IPAM");
}

Result<std::string> format_result(const AddResult& result, SpecVersion version) {
  CNIO_TRY(check_result(result, version));
  const Shape shape = shape_of(version);
  Json out = Json::object();
  out["cniVersion"] = to_string(version);
  if (shape == Shape::kIp4Ip6) {
    put(out, "ip4", family_json(result, Family::kIpv4));
    put(out, "ip6", family_json(result, Family::kIpv6));
    out["dns"] = to_json(result.dns, shape);
    return format_json(out);
  }
  if (shape == Shape::kCurrent) put(out, "dns", to_json(result.dns, shape));
  put(out, "interfaces", list_json(result.interfaces, shape));
  put(out, "ips", list_json(result.ips, shape));
  put(out, "routes", list_json(result.routes, shape));
  if (shape == Shape::kWithVersion) out["dns"] = to_json(result.dns, shape);
  return format_json(out);
}

}  // namespace cnio::protocol
