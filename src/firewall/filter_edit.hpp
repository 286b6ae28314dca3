// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cnio/firewall/pod_firewall.hpp"

#include "firewall/filter_table.hpp"
#include "firewall/pod_rules.hpp"

namespace cnio::firewall {

// What is to become of one family's table `filter` of iptables, out of what is in it: each shared rule once, and a
// pod's with a note of whose they are. One change of each kind.
class FilterEdit {
 public:
  FilterEdit(Family family, std::unique_ptr<FilterTable> table);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool has_forward_chain() const { return table_->has_forward_chain(); }
  [[nodiscard]] bool has(const std::string& chain, const XtablesRule& rule) const;
  // Has the owner a rule here?
  [[nodiscard]] bool knows(const RuleOwner& owner) const;
  // With a note of the owner's.
  [[nodiscard]] bool has_noted(const std::string& chain, const XtablesRule& rule, const RuleOwner& owner) const;
  // Is there a rule for a pod that says of no owner, as the reference makes them?
  [[nodiscard]] bool has_foreign_pods() const;
  // The bridges that a rule of the first stage keeps from others.
  [[nodiscard]] std::set<std::string> policy_bridges() const;

  // The pods' chain, the administrator's, and the ways there.
  void put_pod_chain(const std::string& admin_chain);
  // In the pods' chain: exactly these rules of the owner.
  void put_pod(const RuleOwner& owner, const std::vector<IpAddr>& addresses);
  void put_marked();
  // What keeps the pods of a bridge apart, and nothing of another policy. The loops are the owner's.
  void put_policy(const std::string& bridge, IngressPolicy policy);
  void put_own_loops(const std::string& bridge, const RuleOwner& owner, const std::vector<IpAddr>& addresses);

  void remove(const std::function<bool(const PresentRule&)>& chosen);
  // What the reference made for the address.
  void remove_foreign(const IpAddr& address);
  // Both stages, if no bridge has a policy any more.
  void tidy_up_stages();

  void join(net::NftBatch& transaction) { table_->join(transaction); }
  [[nodiscard]] Status run() { return table_->run(); }

 private:
  [[nodiscard]] bool is(const PresentRule& rule, const std::string& chain, const XtablesRule& wanted) const;
  void ensure(const std::string& chain, const XtablesRule& rule, bool first);

  Family family_;
  std::unique_ptr<FilterTable> table_;
  std::vector<PresentRule> rules_;  // those that are not removed
};

}  // namespace cnio::firewall
