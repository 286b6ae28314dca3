// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/xtables.hpp"
#include "cnio/net/nftables/expression.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/iptables.hpp"

namespace cnio::firewall {

// A rule that is there.
struct PresentRule {
  std::string chain;
  std::string note;    // whose it is; empty: it does not say
  std::string target;  // the chain that it leads to; empty: none of its table
  std::string input;   // of a rule for packets by one interface
  uint64_t handle = 0;
  net::NftProgram program;         // in the kernel's form,
  std::vector<std::string> words;  // or in that of iptables: behind "-A <chain>"
};

// One family's table `filter` of iptables: what is in it, and what is to become of that.
class FilterTable {
 public:
  virtual ~FilterTable() = default;

  [[nodiscard]] const std::vector<PresentRule>& rules() const { return rules_; }
  [[nodiscard]] bool has_forward_chain() const { return has_forward_; }
  // Is it this one, whoever it belongs to?
  [[nodiscard]] virtual bool is(const PresentRule& rule, const XtablesRule& wanted) const = 0;

  // Changes are collected.
  virtual void ensure_chains(const std::vector<std::string>& chains) = 0;
  virtual void put(const std::string& chain, const XtablesRule& rule, bool first, std::string_view note) = 0;
  virtual void remove(const PresentRule& rule) = 0;
  // With their rules; nothing leads there.
  virtual void remove_chains(const std::vector<std::string>& chains) = 0;

  // Those of iptables-nft join a transaction, those of the old tables are made when that is done.
  virtual void join(net::NftBatch& transaction) = 0;
  virtual Status run() = 0;

 protected:
  FilterTable(std::vector<PresentRule> rules, bool has_forward) : rules_(std::move(rules)), has_forward_(has_forward) {}

 private:
  std::vector<PresentRule> rules_;
  bool has_forward_;
};

// The table of iptables-nft, by netlink. A pod's rule has a note that no program shows.
Result<std::unique_ptr<FilterTable>> read_filter_table(net::NftConnection& nft, Family family);
// The table of x_tables, by the program. A pod's rule has a comment, for there is no other place.
Result<std::unique_ptr<FilterTable>> read_filter_table(Iptables program);

net::NftTable filter_table(Family family);

}  // namespace cnio::firewall
