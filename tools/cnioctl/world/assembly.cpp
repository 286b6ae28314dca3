// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/assembly.hpp"

#include <algorithm>
#include <set>

#include "cnio/attachment/identity.hpp"

namespace cnio::cnioctl {

using attachment::RecordedPair;
using firewall::OwnedRules;
using firewall::RuleOwner;

namespace {

void add_end(Attached& attached, const net::Link& link) {
  const auto same = [&](const net::Link& each) { return each.index == link.index; };
  if (std::none_of(attached.host_ends.begin(), attached.host_ends.end(), same)) attached.host_ends.push_back(link);
}

}  // namespace

Attached& Assembly::of(const RuleOwner& who) {
  Attached& attached = attached_[who];
  attached.who = who;
  return attached;
}

void Assembly::add_links(std::vector<net::Link> links) {
  links_ = std::move(links);
  for (size_t i = 0; i < links_.size(); ++i) by_index_.emplace(links_[i].index, i);
  for (const net::Link& link : links_) {
    if (link.kind != "veth") continue;
    if (const auto owner = attachment::owner_in_alias(link.alias)) add_end(of(*owner), link);
  }
}

// A pair of which no number is known yet is found by its name, which few have: then all links are looked at.
void Assembly::add_pairs(std::vector<RecordedPair> pairs) {
  for (RecordedPair& each : pairs) {
    Attached& attached = of({each.network, each.attachment});
    const RecordedPair& pair = attached.pairs.emplace_back(std::move(each));
    if (!pair.pod.empty()) attached.pod = pair.pod;
    const auto known = by_index_.find(pair.host_index);
    if (known != by_index_.end() && attachment::is_recorded_end(links_[known->second], pair)) {
      add_end(attached, links_[known->second]);
    }
    if (pair.host_index != net::IfIndex::kNone) continue;
    for (const net::Link& link : links_) {
      if (attachment::is_recorded_end(link, pair)) add_end(attached, link);
    }
  }
}

void Assembly::add_rules(std::vector<OwnedRules> rules) {
  for (OwnedRules& each : rules) {
    if (each.owner) {
      of(*each.owner).rules.push_back(std::move(each));
    } else {
      loose_.push_back(std::move(each));
    }
  }
}

void Assembly::add_address(const RuleOwner& who, HeldAddress address) {
  of(who).addresses.push_back(std::move(address));
}

void Assembly::give_old_format() {
  for (auto old = attached_.begin(); old != attached_.end();) {
    const RuleOwner& who = old->first;
    // An empty interface comes before all others of its container.
    const auto first = std::next(old);
    const auto of_same = [&](auto each) {
      return each != attached_.end() && each->first.network == who.network &&
             each->first.attachment.container_id == who.attachment.container_id;
    };
    const bool only_one = who.attachment.ifname.empty() && of_same(first) && !of_same(std::next(first));
    if (!only_one) {
      ++old;
      continue;
    }
    auto& addresses = first->second.addresses;
    addresses.insert(addresses.end(), old->second.addresses.begin(), old->second.addresses.end());
    old = attached_.erase(old);
  }
}

World Assembly::finish() {
  give_old_format();
  std::map<std::string, Attached*> by_hash;
  if (!loose_.empty()) {
    for (auto& [who, attached] : attached_) by_hash.emplace(firewall::owner_hash(who), &attached);
  }
  World world;
  for (OwnedRules& each : loose_) {
    const auto owner = by_hash.find(each.hash);
    (owner != by_hash.end() ? owner->second->rules : world.rules).push_back(std::move(each));
  }
  std::set<net::IfIndex> said;
  world.attached.reserve(attached_.size());
  for (auto& [who, attached] : attached_) {
    for (const net::Link& link : attached.host_ends) said.insert(link.index);
    world.attached.push_back(std::move(attached));
  }
  for (const net::Link& link : links_) {
    const bool marked = link.kind == "veth" && link.alias.starts_with(attachment::kAliasMark);
    const bool gateway = link.alias.starts_with("cnio gateway of ");
    if (marked && !gateway && !said.contains(link.index)) world.unsaid.push_back(link);
  }
  world.links = std::move(links_);
  return world;
}

}  // namespace cnio::cnioctl
