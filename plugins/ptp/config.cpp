// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ptp/config.hpp"

#include "cnio/attachment/masquerading.hpp"

#include "ptp/keys.hpp"

namespace cnio::ptp {
namespace {

// What needs more than one key, or more than a type.
Status validate(const attachment::Network& network) {
  if (network.layer2()) {
    return Error::config("ipam.type", "is missing: a pod that is not in a bridge can be reached by its address alone");
  }
  if (network.ip_masq) CNIO_TRY(attachment::masquerade_backend(network));
  return {};
}

}  // namespace

Result<attachment::Network> parse_config(const protocol::Request& request, Validation validation) {
  const protocol::Fields fields = request.fields(kKeys);
  attachment::Network network;
  network.plugin = "ptp";
  network.mtu_advice = "set the key \"mtu\" to that or more";
  attachment::Reader reader;
  if (validation == Validation::kFull) CNIO_TRY(protocol::check_common_keys(fields));
  attachment::read_main_keys(request, fields, reader, network);
  if (validation == Validation::kTypes) return network;
  CNIO_TRY(reader.faults());
  CNIO_TRY(attachment::read_main_details(request, kKeys, network));
  CNIO_TRY(validate(network));
  return network;
}

}  // namespace cnio::ptp
