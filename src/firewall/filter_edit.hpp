// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/net/nftables/expression.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/pod_rules.hpp"

namespace cnio::firewall {

// What is to become of one family's table `filter` of iptables-nft, out of what is in it: each shared rule once, and a
// pod's with a note of whose they are. To be committed under the generation that was read before.
class FilterEdit {
 public:
  static Result<FilterEdit> begin(net::NftConnection& nft, Family family);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool has_forward_chain() const { return has_forward_; }
  [[nodiscard]] bool has(const std::string& chain, const XtablesRule& rule) const;
  // Has the owner a rule here?
  [[nodiscard]] bool knows(const RuleOwner& owner) const;
  // With a note of the owner's.
  [[nodiscard]] bool has_noted(const std::string& chain, const XtablesRule& rule, const RuleOwner& owner) const;
  // Is there a rule for a pod that says of no owner, as the reference makes them?
  [[nodiscard]] bool has_foreign_pods() const;
  // Those that a rule of the first stage keeps from others.
  [[nodiscard]] const std::vector<std::string>& policy_bridges() const { return bridges_; }

  // The pods' chain, the administrator's, and the ways there.
  void put_pod_chain(const std::string& admin_chain);
  // In the pods' chain: exactly these rules of the owner.
  void put_pod(const RuleOwner& owner, const std::vector<IpAddr>& addresses);
  void put_marked();
  // What keeps the pods of a bridge apart, and nothing of another policy. The loops are the owner's.
  void put_policy(const std::string& bridge, IngressPolicy policy);
  void put_own_loops(const std::string& bridge, const RuleOwner& owner, const std::vector<IpAddr>& addresses);

  using Choice = std::function<bool(const net::NftProgramRule&)>;
  void remove(const Choice& chosen);
  // What the reference made for the address.
  void remove_foreign(const IpAddr& address);
  // Both stages, if no bridge has a policy any more.
  void tidy_up_stages();

  [[nodiscard]] net::NftBatch take() { return std::move(batch_); }
  [[nodiscard]] bool empty() const { return batch_.empty(); }

 private:
  FilterEdit(Family family, bool has_forward, std::vector<net::NftProgramRule> rules, std::vector<std::string> bridges);

  [[nodiscard]] bool is(const net::NftProgramRule& rule, const std::string& chain, const XtablesRule& wanted) const;
  void ensure_chains(const std::vector<std::string>& chains);
  void ensure_first(const std::string& chain, const XtablesRule& rule);
  void ensure_last(const std::string& chain, const XtablesRule& rule);

  Family family_;
  bool has_forward_;
  std::vector<net::NftProgramRule> rules_;  // those that are not removed
  std::vector<std::string> bridges_;
  net::NftBatch batch_;
};

// The table `filter` of iptables.
net::NftTable filter_table(Family family);

}  // namespace cnio::firewall
