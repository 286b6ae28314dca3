// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/remembered.hpp"

#include <optional>

#include <nlohmann/json.hpp>

#include "cnio/base/ip.hpp"

namespace cnio::cnioctl {
namespace {

using firewall::RuleOwner;
using protocol::Fields;
using protocol::Json;

Error no_configuration(const std::string& why) {
  return Error::make(Code::kDecode, "the configuration that is remembered " + why);
}

Status take_config(const std::string& text, Remembered& out) {
  CNIO_LET(const Json config, protocol::parse_json(text));
  if (!config.is_object()) return no_configuration("is no object");
  CNIO_LET(out.version, Fields(config).text("cniVersion"));
  const Json* plugins = Fields(config).find("plugins");
  if (plugins == nullptr) {
    out.plugins = {config};
    return {};
  }
  if (!plugins->is_array()) return no_configuration("has no list of plugins");
  for (const Json& each : *plugins) {
    if (!each.is_object()) return no_configuration("has a plugin that is no object");
    out.plugins.push_back(each);
  }
  return {};
}

// An address with the prefix of its network, and the gateway, as the IPAM plugin's configuration has them.
struct KnownAddress {
  Cidr address;
  std::optional<IpAddr> gateway;
};

void look_at(const Json& entry, const char* key, const IpAddr& address, std::optional<KnownAddress>& found) {
  const Fields fields(entry);
  const auto subnet = fields.cidr(key);
  if (!subnet.ok() || !subnet.value() || !subnet.value()->contains(address)) return;
  const auto gateway = fields.ip("gateway");
  found = KnownAddress{{address, subnet.value()->prefix}, gateway.ok() ? gateway.value() : std::nullopt};
}

// host-local's ranges and subnet, static's addresses, in whatever depth of lists.
void search(const Json& value, const IpAddr& address, std::optional<KnownAddress>& found) {
  for (const char* key : {"subnet", "address"}) {
    if (!found && value.is_object()) look_at(value, key, address, found);
  }
  if (found || !value.is_structured()) return;
  for (const auto& each : value) search(each, address, found);
}

Json ip_of(const Json& config, const IpAddr& address, size_t number_of_interface) {
  std::optional<KnownAddress> found;
  for (const char* key : {"ipam", "runtimeConfig"}) {
    if (const Json* part = Fields(config).find(key); part != nullptr) search(*part, address, found);
  }
  const KnownAddress known = found.value_or(KnownAddress{Cidr::host(address), std::nullopt});
  Json ip = {{"address", known.address.to_string()}, {"interface", number_of_interface}};
  // As host-local and bridge have it where the configuration names none.
  if (found) ip["gateway"] = known.gateway.value_or(known.address.network().addr.next()).to_string();
  return ip;
}

Json entry_of(const std::string& name, const std::string& mac, const std::string& sandbox = {}) {
  Json entry = {{"name", name}};
  if (!mac.empty()) entry["mac"] = mac;
  if (!sandbox.empty()) entry["sandbox"] = sandbox;
  return entry;
}

Json interfaces_of(const Json& config, const attachment::RecordedPair& pair, const std::string& netns) {
  Json interfaces = Json::array();
  const auto type = Fields(config).text("type");
  if (type.ok() && type.value() == "bridge") {
    const auto bridge = Fields(config).text("bridge");
    interfaces.push_back(entry_of(bridge.ok() && !bridge.value().empty() ? bridge.value() : "cni0", {}));
  }
  interfaces.push_back(entry_of(pair.host_name, pair.host_mac.to_string()));
  interfaces.push_back(entry_of(pair.attachment.ifname, pair.sandbox_mac.to_string(), netns));
  return interfaces;
}

}  // namespace

std::string Remembered::text() const { return pod.empty() ? who.text() : pod + " (" + who.text() + ")"; }

Result<Remembered> from_cache(const CachedAdd& cached) {
  if (cached.config.empty()) return no_configuration("is empty");
  Remembered out{.who = cached.who, .pod = cached.pod, .netns = cached.netns, .args = cached.cni_args};
  CNIO_TRY(take_config(cached.config, out));
  out.capabilities = cached.capability_args;
  if (cached.result.empty()) return out;
  out.result = cached.result;
  // Of a list that offers several ("cniVersions") libcni has chosen one.
  CNIO_LET(const std::string chosen, Fields(out.result).text("cniVersion"));
  if (!chosen.empty()) out.version = chosen;
  return out;
}

Result<Remembered> from_record(const attachment::RecordedPair& pair, const std::string& netns) {
  if (pair.config.empty()) return no_configuration("was too long to be recorded");
  Remembered out{.who = {pair.network, pair.attachment}, .pod = pair.pod, .netns = netns};
  out.whole = false;
  CNIO_TRY(take_config(pair.config, out));
  Json interfaces = interfaces_of(out.plugins.front(), pair, netns);
  Json ips = Json::array();
  for (const IpAddr& address : pair.addresses) {
    ips.push_back(ip_of(out.plugins.front(), address, interfaces.size() - 1));
  }
  out.result = {{"cniVersion", out.version}, {"interfaces", std::move(interfaces)}, {"ips", std::move(ips)}};
  return out;
}

Remembered from_nothing(const RuleOwner& who, const std::string& data_dir) {
  Remembered out{.who = who};
  out.whole = false;
  out.version = "1.0.0";
  out.plugins = {{{"type", "bridge"}, {"ipam", {{"type", "host-local"}, {"dataDir", data_dir}}}}};
  return out;
}

}  // namespace cnio::cnioctl
