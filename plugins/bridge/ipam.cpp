// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/ipam.hpp"

namespace cnio::bridge {

Result<std::optional<attachment::Delegate>> find_ipam(const protocol::Request& request, const Config& config) {
  if (config.layer2()) return std::optional<attachment::Delegate>();
  if (config.ipam_type.empty()) return Error::config("ipam.type", "cannot be read: nobody can release the addresses");
  CNIO_LET(attachment::Delegate ipam, attachment::Delegate::find(request, config.ipam_type));
  return std::optional(std::move(ipam));
}

bool works_without_link(const std::string& ipam_type) { return ipam_type == "host-local" || ipam_type == "static"; }

bool releases_over_link(const std::string& ipam_type) { return ipam_type == "dhcp"; }

}  // namespace cnio::bridge
