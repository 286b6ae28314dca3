// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/inside/known_plugins.hpp"

#include <algorithm>
#include <iterator>

#include "bandwidth/config.hpp"
#include "bandwidth/keys.hpp"
#include "bridge/config.hpp"
#include "bridge/keys.hpp"
#include "firewall/config.hpp"
#include "firewall/keys.hpp"
#include "flannel/config.hpp"
#include "flannel/keys.hpp"
#include "host-local/config.hpp"
#include "host-local/keys.hpp"
#include "portmap/config.hpp"
#include "portmap/keys.hpp"
#include "ptp/config.hpp"
#include "ptp/keys.hpp"
#include "static/config.hpp"
#include "static/keys.hpp"
#include "tuning/config.hpp"
#include "tuning/keys.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Request;

template <auto kParse>
Status parse_by(const Request& request) {
  CNIO_TRY(kParse(request));
  return {};
}

Status parse_bridge(const Request& request) {
  CNIO_TRY(bridge::parse_config(request, attachment::Validation::kFull));
  return {};
}

Status parse_ptp(const Request& request) {
  CNIO_TRY(ptp::parse_config(request, attachment::Validation::kFull));
  return {};
}

constexpr KnownPlugin kPlugins[] = {
    {"bandwidth", bandwidth::kKeys, parse_by<bandwidth::parse_config>},
    {"bridge", bridge::kKeys, parse_bridge},
    {"firewall", pod_firewall::kKeys, parse_by<pod_firewall::parse_config>},
    {"flannel", flannel::kKeys, parse_by<flannel::parse_config>},
    {"host-local", host_local::kKeys, parse_by<host_local::parse_config>},
    {"loopback", {}, [](const Request&) { return Status(); }},
    {"portmap", portmap::kKeys, parse_by<portmap::parse_config>},
    {"ptp", ptp::kKeys, parse_ptp},
    {"static", static_ipam::kKeys, parse_by<static_ipam::parse_config>},
    {"tuning", tuning::kKeys, parse_by<tuning::parse_config>},
};

}  // namespace

const KnownPlugin* find_plugin(std::string_view type) {
  const auto* found = std::find_if(std::begin(kPlugins), std::end(kPlugins),
                                   [&](const KnownPlugin& each) { return each.name == type; });
  return found == std::end(kPlugins) ? nullptr : found;
}

Status try_config(const KnownPlugin& plugin, const protocol::Json& config) {
  Request request;
  request.plugin = plugin.name;
  request.command = protocol::Command::kAdd;  // which every version has; it asks for all that is to be right
  request.attachment = {"lint", "eth0"};
  CNIO_TRY(protocol::parse_stdin(request, protocol::format_json(config)));
  return plugin.parse(request);
}

}  // namespace cnio::cnioctl
