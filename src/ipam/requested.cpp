// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/requested.hpp"

#include <algorithm>

namespace cnio::ipam {
namespace {

using protocol::Fields;
using protocol::Request;

Result<std::vector<Requested>> requested_in(const Fields& parent) {
  CNIO_LET(const std::vector<std::string> texts, parent.texts("ips"));
  std::vector<Requested> out;
  for (const std::string& text : texts) {
    out.push_back({text, parent.path_of("ips[" + std::to_string(out.size()) + "]")});
  }
  return out;
}

}  // namespace

Result<Fields> ipam_of(const Fields& config) {
  if (!config.has("ipam")) return config.fault("ipam", "is missing");
  CNIO_LET(Fields ipam, config.object("ipam"));
  CNIO_TRY(ipam.text("type"));  // whoever called us knows why
  return ipam;
}

Error Requested::fault(std::string_view why) const {
  if (!by_arguments) return Error::config(key, why);
  return Error::make(Code::kInvalidEnvironment, "CNI_ARGS: " + key + " " + std::string(why));
}

Result<std::map<std::string, std::string, std::less<>>> parse_arguments(const Request& request,
                                                                        const protocol::Keys& keys) {
  return protocol::parse_cni_args(request.cni_args, protocol::cni_args_keys(keys), {"IP", "GATEWAY", "MAC"});
}

Result<std::vector<Requested>> requested_by_args(const Fields& config) {
  CNIO_LET(const Fields cni, config.at(protocol::kArgsCni));
  return requested_in(cni);
}

Result<std::vector<Requested>> requested_by_runtime(const Fields& config) {
  CNIO_LET(const Fields runtime, config.at(protocol::kRuntimeConfig));
  return requested_in(runtime);
}

std::string why_no_gateway(const Cidr& network, const IpAddr& gateway) {
  if (gateway.family() != network.family()) {
    return gateway.to_string() + " must be an " + std::string(family_name(network.family())) +
           " address, as the subnet " + network.to_string() + " is";
  }
  const bool link_local = !gateway.is_v4() && gateway.is_link_local_unicast();
  if (!network.contains(gateway) && !link_local) {
    return gateway.to_string() + " is not in the subnet " + network.to_string();
  }
  const Cidr there{gateway, network.prefix};
  if (gateway.is_v4() && (there.is_network_address() || there.is_broadcast())) {
    return gateway.to_string() + " is the network or broadcast address of " + network.to_string();
  }
  return {};
}

Status check_room(const std::vector<Family>& families, std::string_view what, protocol::SpecVersion version) {
  if (version >= protocol::SpecVersion::k030) return {};
  for (const Family family : kFamilies) {
    const auto count = std::count(families.begin(), families.end(), family);
    if (count <= 1) continue;
    return Error::config("cniVersion", "must be 0.3.0 or later for " + std::to_string(count) + " " + std::string(what) +
                                           " of " + std::string(family_name(family)) + ", not " +
                                           std::string(protocol::to_string(version)));
  }
  return {};
}

}  // namespace cnio::ipam
