// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Our own tables: `inet cnio_firewall`, with the pods of the nftables back end and what we have to remember of others,
// and `bridge cnio_firewall`, which keeps the pods of one bridge apart. Their elements say whose they are.
namespace cnio::firewall {

const net::NftTable& pod_table();
const net::NftTable& port_table();

// Of pod_table(). Pods' addresses, and each with itself.
const std::string& pod_set(Family family);
const std::string& loop_set(Family family);
// Addresses that are sources of firewalld, which tells nobody whose they are.
const std::string& source_set(Family family);
// Bridge and port of each pod of a bridge with a policy: with the last of them it has none any more.
inline constexpr char kMemberSet[] = "members";
// Bridges with a policy that the nftables back end keeps: each; with itself; with itself if its pods are kept apart.
inline constexpr char kBridgeSet[] = "bridges";
inline constexpr char kSameBridgeSet[] = "same_bridge";
inline constexpr char kIsolatedSet[] = "isolated";
// Of port_table(): ports that are kept apart, and each with itself.
inline constexpr char kPortSet[] = "ports";
inline constexpr char kPortLoopSet[] = "loops";

std::string key_of(const PodPort& port);
std::string loop_key(const std::string& interface);
std::string loop_key(const IpAddr& address);

// All elements of a table's sets.
class SetView {
 public:
  static Result<SetView> of_pods(net::NftConnection& nft);
  static Result<SetView> of_ports(net::NftConnection& nft);

  [[nodiscard]] const std::vector<net::NftElement>& in(const std::string& set) const;
  [[nodiscard]] bool exists() const { return exists_; }
  [[nodiscard]] bool empty() const;
  // The bridges of the members.
  [[nodiscard]] std::set<std::string> member_bridges() const;
  // Takes them out, here and in the batch.
  void remove(net::NftBatch& batch, const std::function<bool(const std::string& set, const net::NftElement&)>& chosen);

 private:
  bool exists_ = false;
  std::map<std::string, std::vector<net::NftElement>> sets_;
};

// The tables, their sets, and the rules that look into them, if they are not as they should be.
void put_pod_sets(net::NftBatch& batch);
Status put_pod_rules(net::NftConnection& nft, net::NftBatch& batch);
Status put_port_rules(net::NftConnection& nft, net::NftBatch& batch);
// As they are checked: empty, or why packets do not get there.
Result<std::string> fault_of_pod_rules(net::NftConnection& nft);
Result<std::string> fault_of_port_rules(net::NftConnection& nft);

// An element that is to be the owner's alone, whoever had it.
Status take_element(net::NftConnection& nft, net::NftBatch& batch, const net::NftTable& table, const std::string& set,
                    const net::NftElement& element);

}  // namespace cnio::firewall
