// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What an IPAM plugin prints, read with a configuration of each version, and what bridge makes of it.
#include <set>

#include "cnio/attachment/addressing.hpp"

#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

// What bridge works out before it touches the kernel.
void complete(const protocol::AddResult& result) {
  for (const bool default_gateway : {false, true}) {
    const auto completed = attachment::complete_ipam_result({"host-local", 2, true, default_gateway}, result);
    if (!completed.ok()) {
      check_error(completed.error());
      require(completed.error().code() == Code::kDelegate, "it is the IPAM plugin's fault", completed.error().msg());
      continue;
    }
    for (const protocol::IpConfig& ip : completed.value().ips) {
      require(ip.interface == size_t{2}, "each address is the sandbox's");
      require(ip.gateway.has_value(), "each address has a gateway");
    }
    const std::vector<Cidr> gateways = attachment::gateway_addresses(completed.value());
    const std::set<std::string> different = [&] {
      std::set<std::string> texts;
      for (const Cidr& gateway : gateways) texts.insert(gateway.to_string());
      return texts;
    }();
    require(different.size() == gateways.size(), "the bridge gets no address twice");
    const auto routes = attachment::kernel_routes(completed.value());
    if (!routes.ok()) check_error(routes.error());
  }
}

void fuzz_one(std::string_view text) {
  for (const protocol::SpecVersion version : kVersions) {
    const auto result = protocol::parse_delegate_result(text, version, "host-local");
    if (!result.ok()) {
      check_error(result.error());
      require(result.error().code() == Code::kDelegate, "it is the IPAM plugin's fault", result.error().msg());
      continue;
    }
    take_result(result.value(), version);
    complete(result.value());
  }
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
