// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/masquerade.hpp"

#include <cerrno>

#include "cnio/base/error_list.hpp"

#include "firewall/iptables.hpp"
#include "firewall/masquerade_iptables.hpp"
#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_nftables.hpp"
#include "firewall/masquerade_shared.hpp"

namespace cnio::firewall {
namespace {

using net::NftConnection;

constexpr std::string_view kNeeds =
    "masquerading needs nf_tables with NAT: kernel modules nf_tables, nft_chain_nat and nft_masq; with "
    "\"ipMasqBackend\": \"iptables\" the iptables program is used instead";

// What the kernel answers when a table family, chain type or expression is not built in and no module has it.
bool lacks_support(int errnum) { return errnum == ENOENT || errnum == EOPNOTSUPP || errnum == EAFNOSUPPORT; }

Status install_nftables(NftConnection& nft, const MasqueradeSpec& spec, Rollback& undo) {
  // Before: it may be done although its answer is lost.
  undo.add("remove masquerading", [chain = attachment_chain(spec.who)]() -> Status {
    CNIO_LET(NftConnection again, NftConnection::require(kNeeds));
    MasqueradeRecord record;
    return remove_attachment_chain(again, chain, record);
  });
  Status status = install_nftables_masquerade(nft, spec);
  if (!status.ok() && lacks_support(status.error().errnum())) return std::move(status).error().hint(kNeeds);
  return status;
}

}  // namespace

Result<MasqueradeBackend> parse_backend(std::string_view text, bool given) {
  if (!given || text == "nftables") return MasqueradeBackend::kNftables;
  if (text == "iptables") return MasqueradeBackend::kIptables;
  return Error::config("ipMasqBackend", "must be \"nftables\" or \"iptables\" (got " + quote(text) + ")");
}

Result<std::optional<NftConnection>> require_masquerade_backend(MasqueradeBackend backend,
                                                                const protocol::Environment& environment) {
  if (backend == MasqueradeBackend::kIptables) {
    CNIO_TRY(Iptables::find(Family::kIpv4, environment));
    return std::optional<NftConnection>();
  }
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  return std::optional(std::move(nft));
}

Status rehearse_masquerade(MasqueradeBackend backend, const protocol::Environment& environment) {
  CNIO_LET(std::optional<NftConnection> nft, require_masquerade_backend(backend, environment));
  Status status = nft ? rehearse_nftables_masquerade(*nft) : Status();
  if (!status.ok() && lacks_support(status.error().errnum())) return std::move(status).error().hint(kNeeds);
  return status;
}

Status install_masquerade(std::optional<NftConnection>& nft, const MasqueradeSpec& spec,
                          const protocol::Environment& environment, Rollback& undo) {
  if (spec.addresses.empty()) return {};
  if (spec.backend == MasqueradeBackend::kIptables) return install_iptables_masquerade(spec, environment, undo);
  return install_nftables(*nft, spec, undo);
}

Status remove_masquerade(std::optional<NftConnection>& nft, const MasqueradeIdentity& who,
                         const std::vector<IpAddr>& known_addresses, const protocol::Environment& environment,
                         MasqueradeRecord* record) {
  ErrorList errors;
  MasqueradeRecord found;
  SharedChain shared = {iptables_chain(who), iptables_comment(who), known_addresses};
  // An interface without its addresses still has a link-local one, which says nothing about what was masqueraded.
  std::erase_if(shared.sources, [](const IpAddr& address) { return address.is_link_local_unicast(); });
  if (nft) {
    errors.collect(remove_attachment_chain(*nft, attachment_chain(who), found));
    errors.collect(remove_reference_rules(*nft, who, found));
    errors.collect(remove_iptables_nft_chain(*nft, shared, found));
  }
  errors.collect(remove_iptables_legacy_chain(shared, environment, found));
  if (record != nullptr) *record = std::move(found);
  return errors.status();
}

Result<bool> owned_by_other(NftConnection& nft, const MasqueradeIdentity& who, const IpAddr& address) {
  CNIO_LET(const auto leads_to, find_chain_of(nft, address));
  return leads_to && *leads_to != attachment_chain(who);
}

Status check_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment) {
  if (spec.addresses.empty()) return {};
  if (spec.backend == MasqueradeBackend::kIptables) return check_iptables_masquerade(spec, environment);
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  Status status = check_nftables_masquerade(nft, spec);
  if (status.ok() || status.error().code() != Code::kCheckFailed) return status;
  // A pod from the time before the change of implementation.
  CNIO_LET(const bool otherwise, masqueraded_by_reference(nft, spec));
  return otherwise ? Status() : status;
}

Status collect_masquerade_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                  const protocol::Environment& environment) {
  ErrorList errors;
  auto nft = NftConnection::open();
  if (!nft.ok()) {
    errors.collect(nft.error());
  } else if (nft.value()) {
    NftConnection& connection = *nft.value();
    const StaleOwners stale(network, valid);
    errors.collect(collect_nftables_garbage(connection, stale));
    errors.collect(collect_reference_rules(connection, stale));
    errors.collect(collect_iptables_nft_chains(connection, network, valid));
  }
  errors.collect(collect_iptables_legacy_chains(network, valid, environment));
  return errors.status();
}

}  // namespace cnio::firewall
