// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/forward_policy.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/netfilter.h>
#include <map>
#include <utility>

#include "cnio/net/nftables/table_text.hpp"
#include "cnio/net/nftables/trace.hpp"
#include "cnio/net/route.hpp"

namespace cnio::firewall {
namespace {

using net::NftFamily;
using net::NftStep;
using Verdict = net::NftStep::Verdict;

bool sees(const net::NftTable& table, Family family) {
  if (table.family == NftFamily::kInet) return true;
  return table.family == (family == Family::kIpv4 ? NftFamily::kIpv4 : NftFamily::kIpv6);
}

// What may become of a packet in a chain and those that it leads to.
struct Outcome {
  bool may_pass = false;    // accepted, or by something that is not understood
  bool may_return = false;  // it comes to the end, or back
};

class Walk {
 public:
  Walk(net::NftConnection& nft, const net::NftTable& table, net::NftPacket packet)
      : tracer_(nft, table, std::move(packet)) {}

  // Not further than to where it may pass. (The kernel allows no circles, and a jump to a depth of 16.)
  Result<Outcome> follow(const std::string& chain) {
    if (const auto known = known_.find(chain); known != known_.end()) return known->second;
    CNIO_LET(const std::vector<NftStep> steps, tracer_.trace(chain));
    CNIO_LET(const Outcome outcome, follow(steps));
    return known_[chain] = outcome;
  }

 private:
  Result<Outcome> follow(const std::vector<NftStep>& steps) {
    Outcome out;
    for (const NftStep& step : steps) {
      CNIO_LET(const Outcome done, outcome_of(step));
      const bool jumps = step.verdict == Verdict::kJump;
      out.may_pass = out.may_pass || done.may_pass;
      out.may_return = out.may_return || (done.may_return && !jumps);
      if (out.may_pass || (step.surely && !(jumps && done.may_return))) return out;
    }
    out.may_return = true;
    return out;
  }

  Result<Outcome> outcome_of(const NftStep& step) {
    switch (step.verdict) {
      case Verdict::kDrop:
        return Outcome{};
      case Verdict::kReturn:
        return Outcome{.may_pass = false, .may_return = true};
      case Verdict::kJump:
      case Verdict::kGoto:
        return follow(step.target);
      case Verdict::kAccept:
      case Verdict::kUnknown:
        break;
    }
    return Outcome{.may_pass = true, .may_return = false};
  }

  net::NftTracer tracer_;
  std::map<std::string, Outcome> known_;
};

Result<net::NftPacket> packet_of(net::Netlink& route, const ForwardSpec& spec, Family family) {
  net::NftPacket packet;
  packet.family = family;
  packet.input_interface = spec.interface;
  packet.input_index = spec.index;
  for (const Cidr& source : spec.sources) {
    if (source.family() == family) packet.sources.push_back(source);
  }
  CNIO_LET(const auto index, net::find_default_route_link(route, family));
  if (!index) return packet;
  CNIO_LET(const auto link, net::find_link(route, *index));
  if (!link) return packet;
  packet.output_interface = link->name;
  packet.output_index = link->index;
  return packet;
}

Result<std::optional<ForwardDrop>> drop_by(net::NftConnection& nft, const net::NftTableChain& hooked,
                                           const net::NftPacket& packet) {
  const auto& [table, chain] = hooked;
  if (!sees(table, packet.family)) return std::optional<ForwardDrop>();
  CNIO_LET(const Outcome outcome, Walk(nft, table, packet).follow(chain.name));
  if (outcome.may_pass || (outcome.may_return && chain.hook->accepts)) return std::optional<ForwardDrop>();
  return std::optional(ForwardDrop{packet.family, packet.input_interface, table, chain.name, outcome.may_return});
}

Result<std::optional<ForwardDrop>> find_drop(net::NftConnection& nft, const std::vector<net::NftTableChain>& chains,
                                             const net::NftPacket& packet) {
  for (const net::NftTableChain& chain : chains) {
    CNIO_LET(auto drop, drop_by(nft, chain, packet));
    if (drop) return drop;
  }
  return std::optional<ForwardDrop>();
}

}  // namespace

std::string ForwardDrop::message() const {
  return "forwarding of " + std::string(family_name(family)) + " from " + interface + " is dropped by " +
         (by_policy ? "the policy" : "a rule") + " of chain " + chain + " in " + table_text();
}

std::string ForwardDrop::table_text() const { return "table " + net::to_string(table); }

std::string ForwardDrop::hint() const {
  if (table.family == NftFamily::kInet && table.name == "firewalld") {
    return "let it pass: firewall-cmd --permanent --zone=trusted --add-interface=" + interface +
           ", then firewall-cmd --reload";
  }
  if (table.family != NftFamily::kInet && table.name == "filter" && chain == "FORWARD") {
    const std::string program = family == Family::kIpv4 ? "iptables" : "ip6tables";
    return "let it pass: " + program + " -I FORWARD -i " + interface + " -j ACCEPT, and its answers: " + program +
           " -I FORWARD -o " + interface + " -j ACCEPT";
  }
  const std::string insert = "nft insert rule " + net::to_string(table) + " " + chain;
  return "let it pass: " + insert + " iifname " + interface + " accept, and its answers: " + insert + " oifname " +
         interface + " accept";
}

Result<std::optional<ForwardDrop>> find_forward_drop(net::NftConnection& nft, net::Netlink& route,
                                                     const ForwardSpec& spec) {
  CNIO_LET(const std::vector<net::NftTableChain> chains, net::list_hooked_chains(nft, NF_INET_FORWARD));
  for (const Family family : kFamilies) {
    const bool asked = std::any_of(spec.sources.begin(), spec.sources.end(),
                                   [&](const Cidr& source) { return source.family() == family; });
    const bool seen = std::any_of(chains.begin(), chains.end(),
                                  [&](const net::NftTableChain& each) { return sees(each.table, family); });
    if (!seen || !(asked || spec.sources.empty())) continue;
    CNIO_LET(const net::NftPacket packet, packet_of(route, spec, family));
    CNIO_LET(auto drop, find_drop(nft, chains, packet));
    if (drop) return drop;
  }
  return std::optional<ForwardDrop>();
}

Result<std::vector<ForwardDrop>> list_forward_drops(net::NftConnection& nft, net::Netlink& route,
                                                    const std::function<bool(const net::NftTableChain&)>& is_passed) {
  CNIO_LET(const std::vector<net::NftTableChain> chains, net::list_hooked_chains(nft, NF_INET_FORWARD));
  std::vector<ForwardDrop> drops;
  for (const net::NftTableChain& chain : chains) {
    if (is_passed(chain)) continue;
    for (const Family family : kFamilies) {
      CNIO_LET(const net::NftPacket packet, packet_of(route, {}, family));
      CNIO_LET(auto drop, drop_by(nft, chain, packet));
      if (drop) drops.push_back(*std::move(drop));
    }
  }
  return drops;
}

}  // namespace cnio::firewall
