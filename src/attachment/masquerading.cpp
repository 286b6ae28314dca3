// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/masquerading.hpp"

#include "cnio/attachment/addressing.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

bool is_wanted(const Network& network) { return network.ip_masq && !network.layer2(); }

Result<firewall::MasqueradeSpec> spec_of(const Request& request, const Network& network, const AddResult& result) {
  firewall::MasqueradeSpec spec{.who = {request.network, request.attachment},
                                .addresses = networks_of(part_of(result, request.attachment.ifname)),
                                .exclude = network.ip_masq_exclude,
                                .only = network.ip_masq_only};
  CNIO_LET(spec.backend, masquerade_backend(network));
  return spec;
}

}  // namespace

Result<firewall::MasqueradeBackend> masquerade_backend(const MainConfig& config) {
  return firewall::parse_backend(config.ip_masq_backend.value_or(""), config.ip_masq_backend.has_value());
}

Result<std::optional<net::NftConnection>> require_masquerade(const Request& request, const Network& network) {
  if (!is_wanted(network)) return std::optional<net::NftConnection>();
  CNIO_LET(const firewall::MasqueradeBackend backend, masquerade_backend(network));
  return firewall::require_masquerade_backend(backend, request.environment);
}

Status rehearse_masquerade(const Request& request, const Network& network) {
  if (!is_wanted(network)) return {};
  CNIO_LET(const firewall::MasqueradeBackend backend, masquerade_backend(network));
  return firewall::rehearse_masquerade(backend, request.environment);
}

Status masquerade(const Request& request, const Network& network, const AddResult& result,
                  std::optional<net::NftConnection>& nft, Rollback& undo) {
  if (!is_wanted(network)) return {};
  CNIO_LET(const firewall::MasqueradeSpec spec, spec_of(request, network, result));
  return firewall::install_masquerade(nft, spec, request.environment, undo);
}

Status check_masquerade(const Request& request, const Network& network, const AddResult& result) {
  if (!is_wanted(network)) return {};
  CNIO_LET(const firewall::MasqueradeSpec spec, spec_of(request, network, result));
  return firewall::check_masquerade(spec, request.environment);
}

}  // namespace cnio::attachment
