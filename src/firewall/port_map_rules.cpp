// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_rules.hpp"

#include <algorithm>
#include <map>

#include "cnio/base/sha512.hpp"

namespace cnio::firewall {
namespace {

constexpr size_t kChainDigits = 21;
constexpr size_t kPortsOfARule = 15;   // struct xt_multiport_v1
constexpr size_t kCommentLimit = 255;  // struct xt_comment_info
constexpr size_t kCutComment = 253;    // and ".." behind it
constexpr std::string_view kBeforeNetwork = "dnat name: \"";
constexpr std::string_view kBeforeId = "\" id: \"";

std::string hashed(const char* prefix, const std::string& identity) {
  return prefix + sha512_hex(identity, kChainDigits);
}

std::vector<PortMapping> mappings_for(const PortMapSpec& spec, Family family) {
  std::vector<PortMapping> mappings;
  std::copy_if(spec.mappings.begin(), spec.mappings.end(), std::back_inserter(mappings),
               [&](const PortMapping& mapping) { return mapping.serves(family); });
  return mappings;
}

}  // namespace

std::string reference_pod_chain(const RuleOwner& owner) {
  return hashed(kPodChainPrefix, owner.network + owner.attachment.container_id);
}

std::string own_pod_chain(const RuleOwner& owner) { return hashed(kPodChainPrefix, owner_hash(owner)); }

std::string former_pod_chain(const RuleOwner& owner) {
  return hashed(kFormerPodChainPrefix, owner.network + owner.attachment.container_id);
}

XtablesRule to_host_ports() { return {.to_local = true, .jump = kHostPortChain}; }

XtablesRule to_masquerading() { return {.comment = "CNI portfwd requiring masquerade", .jump = kMasqueradeChain}; }

XtablesRule masquerade_marked(uint32_t mark) { return {.mark = XtablesMark{mark, mark}, .masquerade = true}; }

XtablesRule set_mark(uint32_t mark) {
  return {.comment = "CNI portfwd masquerade mark", .set_mark = XtablesMark{mark, mark}};
}

std::string entry_comment(const RuleOwner& owner) {
  std::string comment(kBeforeNetwork);
  comment.append(owner.network).append(kBeforeId).append(owner.attachment.container_id).append("\"");
  return comment.size() > kCommentLimit ? comment.substr(0, kCutComment) + ".." : comment;
}

std::optional<RuleOwner> owner_in_entry_comment(const std::string& comment) {
  if (!comment.starts_with(kBeforeNetwork) || !comment.ends_with('"')) return std::nullopt;
  const size_t middle = comment.find(kBeforeId, kBeforeNetwork.size());
  if (middle == std::string::npos) return std::nullopt;
  const size_t id = middle + kBeforeId.size();
  RuleOwner owner;
  owner.network = comment.substr(kBeforeNetwork.size(), middle - kBeforeNetwork.size());
  owner.attachment.container_id = comment.substr(id, comment.size() - id - 1);
  return owner;
}

Error port_is_taken(const PortMapping& mapping, std::string_view holder) {
  std::string port = transport_name(mapping.protocol).append(" ");
  const auto address = mapping.only_address();
  port.append(address ? address->to_string() : "*").append(":").append(std::to_string(mapping.host_port));
  return Error::make(Code::kConflict, "host port " + port + " is taken by " + std::string(holder),
                     "remove that container, or let GC remove what is left of it; `iptables -t nat -S " +
                         std::string(kHostPortChain) + "` shows the ports");
}

bool is_stale_container(const RuleOwner& owner, const std::vector<protocol::Attachment>& valid) {
  return std::none_of(valid.begin(), valid.end(), [&](const protocol::Attachment& attachment) {
    return attachment.container_id == owner.attachment.container_id;
  });
}

std::optional<Cidr> mapped_address(const PortMapSpec& spec, Family family) {
  const auto found =
      std::find_if(spec.pod.begin(), spec.pod.end(), [&](const Cidr& cidr) { return cidr.family() == family; });
  if (found == spec.pod.end() || mappings_for(spec, family).empty()) return std::nullopt;
  return *found;
}

std::vector<XtablesRule> entry_rules(const PortMapSpec& spec, Family family, const std::string& pod_chain) {
  std::map<std::string, std::vector<PortMapping>> by_protocol;
  for (const PortMapping& mapping : mappings_for(spec, family)) {
    by_protocol[transport_name(mapping.protocol)].push_back(mapping);
  }
  std::vector<XtablesRule> rules;
  for (const auto& [name, mappings] : by_protocol) {
    for (size_t first = 0; first < mappings.size(); first += kPortsOfARule) {
      XtablesRule rule = {.protocol = mappings[0].protocol, .comment = entry_comment(spec.owner), .jump = pod_chain};
      const size_t end = std::min(first + kPortsOfARule, mappings.size());
      for (size_t i = first; i < end; ++i) rule.ports.push_back(mappings[i].host_port);
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

namespace {

// Whose packets carry the mark: the pod's subnet and 127.0.0.1, whom the pod would answer past the host, or everybody.
std::vector<std::optional<Cidr>> masqueraded(const PortMapSpec& spec, const Cidr& pod) {
  if (!spec.snat) return {};
  if (spec.masquerade_all) return {std::nullopt};
  std::vector<std::optional<Cidr>> sources = {pod.network()};
  if (pod.family() == Family::kIpv4) sources.emplace_back(Cidr::parse("127.0.0.1/32"));
  return sources;
}

}  // namespace

std::vector<XtablesRule> pod_rules(const PortMapSpec& spec, Family family, const std::string& mark_chain) {
  const std::optional<Cidr> pod = mapped_address(spec, family);
  if (!pod) return {};
  std::vector<XtablesRule> rules;
  for (const PortMapping& mapping : mappings_for(spec, family)) {
    XtablesRule rule = {.protocol = mapping.protocol, .destination_port = mapping.host_port};
    if (const auto address = mapping.only_address()) rule.destination = Cidr::host(*address);
    for (const std::optional<Cidr>& source : masqueraded(spec, *pod)) {
      XtablesRule marking = rule;
      marking.source = source;
      if (mark_chain.empty()) marking.set_mark = XtablesMark{spec.mark, spec.mark};
      marking.jump = mark_chain;
      rules.push_back(std::move(marking));
    }
    rule.translate = {pod->addr, mapping.pod_port};
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace cnio::firewall
