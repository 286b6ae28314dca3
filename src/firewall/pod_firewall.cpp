// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/pod_firewall.hpp"

#include <algorithm>
#include <linux/netlink.h>

#include "cnio/base/error_list.hpp"
#include "cnio/firewall/forward_policy.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/nftables/expression.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/firewalld.hpp"
#include "firewall/leave_closing.hpp"
#include "firewall/pod_plan.hpp"
#include "firewall/pod_table.hpp"

namespace cnio::firewall {
namespace {

using net::NftConnection;

constexpr std::string_view kNeeds =
    "the firewall plugin needs nf_tables: kernel modules nf_tables, nft_compat, xt_conntrack and xt_comment, and "
    "nf_conntrack_bridge or nf_tables_bridge for \"ingressPolicy\": \"isolated\"";

Leaving all_of(const RuleOwner& owner) {
  return {[owner](std::string_view comment) { return belongs_to(comment, owner); }};
}

Status remove_rules(NftConnection& nft, const Leaving& leaving, const protocol::Environment& environment) {
  return net::retry_while_changing([&] { return remove_once(nft, leaving, environment); });
}

// Sources of firewalld that belong to nobody else, as far as we know.
struct Sources {
  std::vector<IpAddr> addresses;

  void add(const IpAddr& address) {
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
};

Result<Sources> sources_of(NftConnection& nft, const Leaving& leaving) {
  Sources sources;
  CNIO_LET(const auto table, nft.find_table(pod_table()));
  for (const Family family : kFamilies) {
    std::vector<net::NftElement> noted;
    if (table) {
      CNIO_LET(noted, nft.list_elements(pod_table(), source_set(family)));
    }
    for (const net::NftElement& element : noted) {
      if (leaving.chosen(element.comment)) sources.add(IpAddr::from_bytes(family, element.key.data()));
    }
    for (const IpAddr& address : leaving.foreign) {
      const bool of_another = std::any_of(noted.begin(), noted.end(), [&](const net::NftElement& element) {
        return element.key == net::expr::bytes_of(address) && !leaving.chosen(element.comment);
      });
      if (address.family() == family && !of_another) sources.add(address);
    }
  }
  return sources;
}

// Whoever cannot ask has nothing to say about DEL: a bus that does not answer has no firewalld with sources.
Status remove_sources(const Sources& sources, const protocol::Environment& environment) {
  if (sources.addresses.empty()) return {};
  const auto firewalld = Firewalld::find(environment);
  if (!firewalld.ok() || !firewalld.value()) return {};
  ErrorList errors;
  for (const IpAddr& address : sources.addresses) errors.collect(firewalld.value()->remove_source(address));
  return errors.status();
}

Status remove_all(const Leaving& leaving, const protocol::Environment& environment) {
  CNIO_LET(auto nft, NftConnection::open());
  ErrorList errors;
  Sources sources = {leaving.foreign};
  if (nft) {
    auto noted = sources_of(*nft, leaving);
    errors.collect(noted.ok() ? Status() : Status(noted.error()));
    if (noted.ok()) sources = std::move(noted).value();
  }
  errors.collect(remove_sources(sources, environment));
  if (nft) {
    errors.collect(remove_rules(*nft, leaving, environment));
    leave_closing(*nft);
  }
  return errors.status();
}

Result<Firewalld> require_firewalld(const protocol::Environment& environment) {
  CNIO_LET(auto firewalld, Firewalld::find(environment));
  if (firewalld) return *std::move(firewalld);
  return Error::make(
      Code::kKernel,
      "\"backend\": \"firewalld\" needs firewalld, which does not run: nobody on the system's message bus is "
      "org.fedoraproject.FirewallD1",
      "start firewalld, or leave the key out");
}

Status install_rules(NftConnection& nft, const PodFirewallSpec& spec, const protocol::Environment& environment,
                     Rollback& undo) {
  // Before: it may be done although its answer is lost.
  undo.add("remove the pod from the firewall", [owner = spec.owner, environment]() -> Status {
    CNIO_LET(NftConnection again, NftConnection::require(kNeeds));
    return remove_rules(again, all_of(owner), environment);
  });
  Status status = net::retry_while_changing([&] { return install_once(nft, spec, environment); });
  if (!status.ok() && status.error().code() == Code::kKernel) return std::move(status).error().hint(kNeeds);
  return status;
}

// What each back end would make, where nobody sees it.
Status rehearse_rules(PodBackend backend, const protocol::Environment& environment) {
  return net::Namespace::run_in_new([&]() -> Status {
    PodFirewallSpec spec;
    spec.owner = {"rehearsal", {"rehearsal", "eth0"}};
    spec.backend = backend;
    spec.addresses = {IpAddr::from_v4(0x0A000001)};
    spec.policy = IngressPolicy::kIsolated;
    spec.port = PodPort{"bridge", "port"};
    CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
    return install_once(nft, spec, environment);
  });
}

}  // namespace

Result<bool> is_firewalld_running(const protocol::Environment& environment) {
  CNIO_LET(const auto firewalld, Firewalld::find(environment));
  return firewalld.has_value();
}

Status install_pod_firewall(const PodFirewallSpec& spec, const protocol::Environment& environment, Rollback& undo) {
  if (spec.addresses.empty()) return {};
  std::optional<Firewalld> firewalld;
  if (spec.backend == PodBackend::kFirewalld) {
    CNIO_LET(firewalld, require_firewalld(environment));
  }
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  CNIO_TRY(install_rules(nft, spec, environment, undo));
  for (const IpAddr& address : spec.addresses) {
    if (firewalld) CNIO_TRY(firewalld->add_source(spec.zone, address, undo));
  }
  leave_closing(nft);
  return {};
}

Status remove_pod_firewall(const RuleOwner& owner, const std::vector<IpAddr>& known_addresses,
                           const protocol::Environment& environment) {
  Leaving leaving = all_of(owner);
  leaving.foreign = known_addresses;
  return remove_all(leaving, environment);
}

Status check_pod_firewall(const PodFirewallSpec& spec, const protocol::Environment& environment) {
  if (spec.addresses.empty()) return {};
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  CNIO_TRY(check_once(nft, spec, environment));
  if (spec.backend != PodBackend::kFirewalld) return {};
  CNIO_LET(const Firewalld firewalld, require_firewalld(environment));
  for (const IpAddr& address : spec.addresses) {
    CNIO_LET(const bool there, firewalld.has_source(spec.zone, address));
    if (there) continue;
    return Error::make(Code::kCheckFailed,
                       "firewalld's zone " + quote(spec.zone) + " has no source " + Cidr::host(address).to_string(),
                       "firewall-cmd --reload forgets it; a new ADD makes it again");
  }
  return {};
}

Status collect_pod_firewall_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                    const protocol::Environment& environment) {
  const StaleOwners stale(network, valid);
  return remove_all({[&](std::string_view comment) { return stale.contain(comment); }}, environment);
}

namespace {

// A packet has to pass every chain that the kernel calls: a rule of ours opens the one it stands in, and no other.
bool is_opened(const net::NftTableChain& hooked, PodBackend backend) {
  const auto& [table, chain] = hooked;
  if (table.name == pod_table().name) return true;
  if (backend == PodBackend::kFirewalld) return table.name == "firewalld";
  const bool of_iptables = table.family == net::NftFamily::kIpv4 || table.family == net::NftFamily::kIpv6;
  return of_iptables && table.name == "filter" && chain.name == "FORWARD";
}

Status check_other_chains(PodBackend backend) {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  CNIO_LET(net::Netlink route, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const std::vector<ForwardDrop> drops,
           list_forward_drops(nft, route, [&](const auto& chain) { return is_opened(chain, backend); }));
  std::string chains;
  for (const ForwardDrop& drop : drops) {
    const std::string name = "chain " + drop.chain + " in " + drop.table_text();
    if (chains.find(name) != std::string::npos) continue;  // once for both families
    chains.append(chains.empty() ? "" : ", ").append(name);
  }
  if (drops.empty()) return {};
  return Error::make(
      Code::kNotAvailable, "pods' packets would be dropped by " + chains,
      "a rule that accepts them in another chain does not help; with \"backend\": \"nftables\" they carry the "
      "mark 0x1000, which a rule there can accept: meta mark & 0x1000 != 0 accept");
}

}  // namespace

Status rehearse_pod_firewall(PodBackend backend, const protocol::Environment& environment) {
  if (backend == PodBackend::kFirewalld) CNIO_TRY(require_firewalld(environment));
  Status status = rehearse_rules(backend, environment);
  if (!status.ok() && status.error().code() == Code::kKernel) return std::move(status).error().hint(kNeeds);
  if (!status.ok()) return status;
  return check_other_chains(backend);
}

}  // namespace cnio::firewall
