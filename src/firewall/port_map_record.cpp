// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_record.hpp"

#include <charconv>

#include "firewall/port_map_table.hpp"

namespace cnio::firewall {
namespace {

constexpr std::string_view kArrow = " -> ";
constexpr std::string_view kMasqueraded = "masqueraded ";
constexpr std::string_view kInterface = "route_localnet of ";
constexpr std::string_view kQuiet = "no source NAT";
constexpr std::string_view kShown = "by the chains of iptables";
constexpr std::string_view kConditional4 = "conditions IPv4";
constexpr std::string_view kConditional6 = "conditions IPv6";

struct Address {
  std::optional<IpAddr> ip;  // none: all
  uint16_t port = 0;
};

std::string join(const std::optional<IpAddr>& ip, uint16_t port) {
  std::string text = ip ? ip->to_string() : "*";
  if (ip && !ip->is_v4()) text.insert(0, 1, '[').append("]");
  return text.append(":").append(std::to_string(port));
}

std::optional<Address> split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  Address address;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), address.port);
  if (error != std::errc() || end != text.data() + text.size() || address.port == 0) return std::nullopt;
  if (ip == "*") return address;
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  address.ip = IpAddr::parse(ip);
  return address.ip ? std::optional(address) : std::nullopt;
}

std::optional<LedPort> parse_port(std::string_view text) {
  const size_t space = text.find(' ');
  const size_t arrow = text.find(kArrow);
  if (space == std::string_view::npos || arrow == std::string_view::npos || arrow <= space) return std::nullopt;
  const auto protocol = parse_transport(text.substr(0, space));
  const auto host = split(text.substr(space + 1, arrow - space - 1));
  const auto pod = split(text.substr(arrow + kArrow.size()));
  if (!protocol || !host || !pod || !pod->ip || (host->ip && host->ip->family() != pod->ip->family())) {
    return std::nullopt;
  }
  return LedPort{*protocol, host->ip, host->port, *pod->ip, pod->port};
}

// The elements that the record is about, as (map, key).
std::set<std::pair<std::string, std::string>> elements_of(const PortMapRecord& record) {
  std::set<std::pair<std::string, std::string>> elements;
  for (const LedPort& port : record.ports) {
    if (record.keeps(port)) elements.emplace(port_map_names(port.family()).quiet, port.key());
    if (record.shown) continue;
    elements.emplace(port.map(), port.key());
    if (record.conditional(port.family())) elements.emplace(port.map(true), port.key());
  }
  for (const MasqueradedSource& source : record.masqueraded) {
    elements.emplace(SourcePrefix::of(source.network).set(), source.key());
    elements.emplace(port_map_names(source.pod.family()).pods, net::expr::bytes_of(source.pod));
  }
  if (!record.localnet.empty()) elements.emplace(kLocalnet, net::expr::bytes_of_interface(record.localnet));
  return elements;
}

}  // namespace

std::string LedPort::text() const {
  std::string text = transport_name(protocol).append(" ").append(join(host, host_port));
  return text.append(kArrow).append(join(pod, pod_port));
}

const std::string& LedPort::map(bool conditional) const {
  const PortMapNames& names = port_map_names(family());
  if (conditional) return host ? names.hosts_if : names.ports_if;
  return host ? names.hosts : names.ports;
}

std::string LedPort::key() const {
  return host ? host_port_key(*host, protocol, host_port) : port_key(protocol, host_port);
}

net::NftElement LedPort::element(std::string comment) const {
  return {key(), pod_port_data(pod, pod_port), {}, std::move(comment)};
}

net::NftElement LedPort::conditional_element(std::string chain, std::string comment) const {
  return {key(), {}, std::move(chain), std::move(comment)};
}

std::vector<std::string> PortMapRecord::marks() const {
  std::vector<std::string> marks;
  for (const MasqueradedSource& source : masqueraded) marks.push_back(std::string(kMasqueraded).append(source.text()));
  if (conditional4) marks.emplace_back(kConditional4);
  if (conditional6) marks.emplace_back(kConditional6);
  if (quiet) marks.emplace_back(kQuiet);
  if (shown) marks.emplace_back(kShown);
  if (!localnet.empty()) marks.push_back(std::string(kInterface).append(localnet));
  return marks;
}

void PortMapRecord::understand(std::string_view comment) {
  if (comment == kQuiet) quiet = true;
  if (comment == kShown) shown = true;
  if (comment == kConditional4) conditional4 = true;
  if (comment == kConditional6) conditional6 = true;
  if (comment.starts_with(kInterface)) localnet = comment.substr(kInterface.size());
  if (comment.starts_with(kMasqueraded)) {
    if (const auto source = MasqueradedSource::parse(comment.substr(kMasqueraded.size()))) {
      masqueraded.push_back(*source);
    }
    return;
  }
  const auto port = parse_port(comment);
  // Several rules with conditions may be about one port.
  if (port && (ports.empty() || ports.back() != *port)) ports.push_back(*port);
}

Result<PortMapRecord> read_port_map_record(net::NftConnection& nft, std::string_view owner_hash) {
  CNIO_LET(const auto rules, nft.list_programs(kPortMapTable, ports_chain(owner_hash)));
  PortMapRecord record;
  for (const net::NftProgramRule& rule : rules) record.understand(rule.comment);
  return record;
}

void PortMapRemoval::add(const PortMapRemoval& other) {
  elements.insert(other.elements.begin(), other.elements.end());
  chains.insert(other.chains.begin(), other.chains.end());
}

void PortMapRemoval::put(net::NftBatch& batch) const {
  for (const auto& [map, key] : elements) batch.delete_element(map, std::string_view(key));
  for (const std::string& chain : chains) batch.delete_chain(chain);
}

PortMapRemoval removal_of(std::string_view owner_hash, const PortMapRecord& record) {
  return {elements_of(record), {ports_chain(owner_hash)}};
}

Result<PortMapRemoval> careful_removal_of(net::NftConnection& nft, std::string_view owner_hash,
                                          const PortMapRecord& record) {
  PortMapRemoval removal;
  for (const auto& [map, key] : elements_of(record)) {
    CNIO_LET(const auto element, nft.find_element(kPortMapTable, map, key));
    if (element && hash_in_comment(element->comment) == owner_hash) removal.elements.emplace(map, key);
  }
  CNIO_LET(const bool there, nft.has_chain(kPortMapTable, ports_chain(owner_hash)));
  if (there) removal.chains.insert(ports_chain(owner_hash));
  return removal;
}

}  // namespace cnio::firewall
