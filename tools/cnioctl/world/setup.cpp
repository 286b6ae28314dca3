// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/setup.hpp"

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/network_file.hpp"
#include "cnioctl/or_default.hpp"
#include "cnioctl/world/cache.hpp"
#include "cnioctl/world/pools.hpp"
#include "host-local/config.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

void understand(const Fields& plugin, Setup& out) {
  out.type = or_default(plugin.text("type"));
  out.bridge = or_default(plugin.text("bridge"));
  if (out.type == "bridge" && out.bridge.empty()) out.bridge = "cni0";
  if (out.type != "bridge") out.bridge.clear();
  out.vlan = static_cast<int>(or_default(plugin.integer("vlan")).value_or(0));
  out.gateway =
      out.type == "ptp" || or_default(plugin.boolean("isGateway")) || or_default(plugin.boolean("isDefaultGateway"));
  out.masquerade = or_default(plugin.boolean("ipMasq"));
  const std::string backend = or_default(plugin.text("ipMasqBackend"));
  if (!backend.empty()) out.backend = backend;
  out.spoof_check = or_default(plugin.boolean("macspoofchk"));
  out.exclude = or_default(plugin.texts("ipMasqExclude"));
}

Status understand_pools(const Json& plugin, NetworkView& out) {
  const auto ipam = Fields(plugin).object("ipam");
  if (!ipam.ok() || or_default(ipam.value().text("type")) != "host-local") return {};
  out.data_dir = or_default(ipam.value().text("dataDir"));
  CNIO_LET(out.sets, pools_of(plugin));
  return {};
}

Result<NetworkView> read_network(const std::string& path) {
  CNIO_LET(const std::string text, read_file(path, kMaxNetworkFile));
  CNIO_LET(NetworkFile file, parse_network_file(text));
  NetworkView out{file.name, path};
  if (file.only_loopback()) return NetworkView{};
  CNIO_LET(out.setup, parse_setup(text));
  return out;
}

void read_pools(NetworkView& network, Report& report) {
  const auto text = read_file(network.file, kMaxNetworkFile);
  const auto plugins = text.ok() ? plugin_configs(text.value()) : Result<std::vector<Json>>(text.error());
  if (!plugins.ok() || plugins.value().empty()) return;
  const Status understood = understand_pools(plugins.value().front(), network);
  if (!understood.ok()) report.add({Level::kError, network.file, understood.error().msg(), "unreadable"});
}

}  // namespace

Result<std::vector<ipam::RangeSet>> pools_of(const Json& plugin) {
  protocol::Request request;
  request.plugin = "host-local";
  request.command = protocol::Command::kAdd;  // which every version has; it asks for all that is to be right
  CNIO_TRY(protocol::parse_stdin(request, protocol::format_json(plugin)));
  CNIO_LET(host_local::Config config, host_local::parse_config(request));
  return std::move(config.sets);
}

Result<Setup> parse_setup(std::string_view text) {
  CNIO_LET(const Json whole, protocol::parse_json(text));
  if (!whole.is_object()) return Error::make(Code::kDecode, "is no JSON object");
  Setup out;
  const Fields fields(whole);
  const auto plugins = fields.objects("plugins");
  const bool list = plugins.ok() && !plugins.value().empty();
  understand(list ? plugins.value().front() : fields, out);
  return out;
}

Result<std::vector<Json>> plugin_configs(std::string_view text) {
  CNIO_LET(const Json whole, protocol::parse_json(text));
  if (!whole.is_object()) return Error::make(Code::kDecode, "is no JSON object");
  const Json* plugins = Fields(whole).find("plugins");
  if (plugins == nullptr || !plugins->is_array()) return std::vector<Json>{whole};
  std::vector<Json> out;
  for (const Json& each : *plugins) {
    if (!each.is_object()) continue;
    Json config = each;
    for (const char* key : {"name", "cniVersion"}) {
      const Json* value = Fields(whole).find(key);
      config[key] = value == nullptr ? Json("") : *value;
    }
    out.push_back(std::move(config));
  }
  return out;
}

std::vector<NetworkView> read_networks(const std::string& conf_dir, Report& report) {
  std::vector<NetworkView> out;
  for (const std::string& name : names_in(conf_dir, report)) {
    if (!is_network_file_name(name)) continue;
    auto network = read_network(conf_dir + "/" + name);
    if (!network.ok()) {
      report.blind(conf_dir + "/" + name, network.error());
      continue;
    }
    if (network.value().file.empty()) continue;
    out.push_back(std::move(network).value());
    read_pools(out.back(), report);
  }
  if (!out.empty()) out.front().used = true;
  return out;
}

}  // namespace cnio::cnioctl
