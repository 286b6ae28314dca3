// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/delegation.hpp"

#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "cnio/protocol/result.hpp"

#include "flannel/keys.hpp"

namespace cnio::flannel {
namespace {

using ipam::NodeSubnets;
using protocol::Json;
using protocol::Request;

constexpr char kDefaultType[] = "bridge";
constexpr char kDefaultIpam[] = "host-local";

// Members in the order of their names, whose own order is settled already.
using Members = std::map<std::string, Json, std::less<>>;

Members members_of(const Json* object) {
  Members members;
  if (object == nullptr) return members;
  const Json sorted = protocol::sorted(*object);
  for (const auto& [name, member] : sorted.get_ref<const Json::object_t&>()) members[name] = member;
  return members;
}

Json object_of(const Members& members) {
  Json object = Json::object();
  for (const auto& [name, member] : members) object[name] = member;
  return object;
}

void put_default(Members& members, const std::string& key, Json value) { members.emplace(key, std::move(value)); }

// One set a family.
Json ranges_of(const NodeSubnets& subnets) {
  Json ranges = Json::array();
  for (const Cidr& subnet : subnets.subnets) {
    Json range = Json::object();
    range["subnet"] = subnet.network().to_string();
    Json set = Json::array();
    set.push_back(std::move(range));
    ranges.push_back(std::move(set));
  }
  return ranges;
}

Json networks_of(const NodeSubnets& subnets) {
  Json networks = Json::array();
  for (const Cidr& network : subnets.networks) networks.push_back(network.network().to_string());
  return networks;
}

// Those that are given, and one for each network of the cluster.
Result<Json> routes_of(const Config& config, const NodeSubnets& subnets) {
  std::vector<protocol::Route> routes;
  if (config.ipam != nullptr) {
    CNIO_LET(routes, protocol::parse_routes(protocol::Fields(*config.ipam, "ipam"), "routes"));
  }
  for (const Cidr& network : subnets.networks) {
    protocol::Route route;
    route.dst = network.network();
    routes.push_back(route);
  }
  return protocol::format_routes(routes);
}

Result<Json> ipam_of(const Config& config, const NodeSubnets& subnets) {
  Members ipam = members_of(config.ipam);
  put_default(ipam, "type", kDefaultIpam);
  ipam["ranges"] = ranges_of(subnets);
  CNIO_LET(ipam["routes"], routes_of(config, subnets));
  return object_of(ipam);
}

// What flanneld does, and what it leaves to the node's plugins. A delegate that masquerades leaves the cluster's own
// networks out, as flanneld does: their nodes know the way back.
void put_subnet_defaults(Members& delegate, const NodeSubnets& subnets) {
  put_default(delegate, "ipMasq", !subnets.ip_masq);
  put_default(delegate, "mtu", subnets.mtu);
  if (delegate["ipMasq"] == true) put_default(delegate, "ipMasqExclude", networks_of(subnets));
}

// All that does not depend on the node's subnets.
Members common_members(const Request& request, const Config& config) {
  Members delegate = members_of(config.delegate);
  if (config.runtime_config != nullptr) delegate["runtimeConfig"] = protocol::sorted(*config.runtime_config);
  if (config.args != nullptr) put_default(delegate, "args", protocol::sorted(*config.args));
  if (config.dns != nullptr) put_default(delegate, "dns", protocol::sorted(*config.dns));
  delegate["name"] = request.network;
  put_default(delegate, "type", kDefaultType);
  if (delegate["type"] == kDefaultType) put_default(delegate, "isGateway", true);
  const auto version = request.fields().text("cniVersion");
  if (version.ok() && !version.value().empty()) delegate["cniVersion"] = version.value();
  return delegate;
}

Delegation finished(const Members& delegate) {
  return {delegate.at("type").get<std::string>(), protocol::compact_json(object_of(delegate))};
}

}  // namespace

Result<Delegation> delegate_to(const Request& request, const Config& config, const NodeSubnets& subnets) {
  Members delegate = common_members(request, config);
  put_subnet_defaults(delegate, subnets);
  CNIO_LET(delegate["ipam"], ipam_of(config, subnets));
  return finished(delegate);
}

Delegation guess_delegation(const Request& request, const Config& config, const std::optional<NodeSubnets>& subnets) {
  if (subnets) {
    auto whole = delegate_to(request, config, *subnets);
    if (whole.ok()) return std::move(whole).value();
  }
  Members delegate = common_members(request, config);
  Members ipam = members_of(config.ipam);
  put_default(ipam, "type", kDefaultIpam);
  delegate["ipam"] = object_of(ipam);
  return finished(delegate);
}

std::optional<Delegation> parse_delegation(std::string config) {
  const auto parsed = protocol::parse_json(config);
  if (!parsed.ok() || !parsed.value().is_object()) return std::nullopt;
  const protocol::Fields fields(parsed.value());
  auto type = fields.text("type");
  const auto network = fields.text("name");
  const bool whole =
      type.ok() && !type.value().empty() && type.value() != kOwnType && network.ok() && !network.value().empty();
  return whole ? std::optional(Delegation{std::move(type).value(), std::move(config)}) : std::nullopt;
}

bool has_own_store(const Config& config) {
  if (config.ipam == nullptr) return true;
  const auto type = config.ipam->find("type");
  return type == config.ipam->end() || *type == kDefaultIpam;
}

}  // namespace cnio::flannel
