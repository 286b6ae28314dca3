// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "static/static.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "static/config.hpp"
#include "static/keys.hpp"

namespace cnio::static_ipam {
namespace {

using protocol::AddResult;
using protocol::IpConfig;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({
  "cniVersion": "1.1.0",
  "name": "example",
  "type": "static",
  "ipam": {
    "type": "static",
    "addresses": [{"address": "10.240.1.5/24", "gateway": "10.240.1.1"}],
    "routes": [{"dst": "0.0.0.0/0"}]
  }
})";

Result<AddResult> add(const Request& request, Rollback& /*undo*/) {
  CNIO_LET(Config config, parse_config(request));
  return AddResult{{}, std::move(config.addresses), std::move(config.routes), std::move(config.dns)};
}

Error difference(const IpConfig& wanted, const std::string& expected, const std::string& found) {
  return Error::make(Code::kCheckFailed, "address " + wanted.address.to_string() + ": expected " + expected +
                                             " in prevResult, found " + found)
      .hint("prevResult is what ADD returned: the configuration has changed since, or a later plugin took it away");
}

// The calling plugin may have found a gateway where the configuration has none.
Status check_address(const IpConfig& wanted, const AddResult& prev) {
  const auto same_address = [&](const IpConfig& each) { return each.address.addr == wanted.address.addr; };
  const auto found = std::find_if(prev.ips.begin(), prev.ips.end(), same_address);
  if (found == prev.ips.end()) return difference(wanted, "it", "none");
  if (found->address != wanted.address) return difference(wanted, "it", found->address.to_string());
  if (!wanted.gateway || found->gateway == wanted.gateway) return {};
  return difference(wanted, "gateway " + wanted.gateway->to_string(),
                    found->gateway ? found->gateway->to_string() : "none");
}

// Routes and dns are not compared: other plugins of a chain may well change them.
Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(const std::optional<AddResult> prev, protocol::parse_prev_result(request.fields(), request.version));
  if (!prev) return request.fields().fault("prevResult", "is missing: CHECK compares it with the configuration");
  for (const IpConfig& each : config.addresses) CNIO_TRY(check_address(each, *prev));
  return {};
}

// What ADD would refuse, as far as it can be known: addresses may come with ADD alone.
Status status(const Request& request) {
  CNIO_TRY(parse_config(request));
  return {};
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "static",
          .about = "gives the addresses, routes and DNS settings that the configuration or the runtime names",
          .example_config = kExampleConfig,
          .add = add,
          .del = protocol::nothing_to_do("static keeps nothing, whatever the configuration says"),
          .check = check,
          .status = status,
          .gc = protocol::nothing_to_do("static keeps nothing"),
          .keys = kKeys};
}

}  // namespace cnio::static_ipam
