// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/port_map.hpp"

#include <algorithm>
#include <charconv>
#include <netinet/in.h>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/net/conntrack.hpp"
#include "cnio/net/netns.hpp"

#include "firewall/nft_words.hpp"
#include "firewall/port_map_nftables.hpp"

namespace cnio::firewall {
namespace {

using net::NftConnection;

struct Transport {
  uint8_t number;
  std::string_view name;
};
// Protocols with a port in the third and fourth byte of their header.
constexpr Transport kTransports[] = {{IPPROTO_TCP, "tcp"},
                                     {IPPROTO_UDP, "udp"},
                                     {IPPROTO_SCTP, "sctp"},
                                     {IPPROTO_DCCP, "dccp"},
                                     {IPPROTO_UDPLITE, "udplite"}};

// Whose clients go on sending from the same port, and so would go on being led as before.
bool has_no_end(uint8_t protocol) { return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE; }

// Connections that began before the port led to the pod.
Status forget_earlier(const PortMapSpec& spec) {
  std::vector<net::HostPort> ports;
  for (const PortMapping& mapping : spec.mappings) {
    if (!has_no_end(mapping.protocol)) continue;
    for (const Cidr& pod : spec.pod) {
      if (!mapping.serves(pod.family())) continue;
      ports.push_back({mapping.protocol, pod.family(), mapping.only_address(), mapping.host_port});
    }
  }
  return net::forget_connections_to(ports);
}

Status forget_led(NftConnection& nft, const PortMapRecord& record) {
  std::vector<net::LedConnections> led;
  for (const LedPort& port : record.ports) {
    if (has_no_end(port.protocol)) led.push_back({port.protocol, port.host_port, port.pod, port.pod_port});
  }
  return net::forget_led_connections(led, &nft.netfilter());
}

// Closing the socket takes a grace period after rules were removed, which a process waits for that stays behind.
void leave_closing(NftConnection& nft) {
  const auto number = net::Namespace::own_number();
  const auto crowd = number.ok() ? Crowd::join(number.value()) : std::nullopt;
  (void)Caretaker::start({{}, {nft.netfilter().fd()}}, crowd ? &*crowd : nullptr, [] { return true; });
}

Status remove_with(NftConnection& nft, const RuleOwner& owner) {
  CNIO_LET(const PortMapRecord record, remove_nftables_port_map(nft, owner));
  if (record.empty()) return {};
  Status forgotten = forget_led(nft, record);
  leave_closing(nft);
  return forgotten;
}

}  // namespace

std::optional<uint8_t> parse_transport(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  const auto same_letter = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
  for (const Transport& each : kTransports) {
    if (is_number ? number == each.number
                  : std::equal(text.begin(), text.end(), each.name.begin(), each.name.end(), same_letter)) {
      return each.number;
    }
  }
  return std::nullopt;
}

std::string transport_name(uint8_t protocol) {
  for (const Transport& each : kTransports) {
    if (each.number == protocol) return std::string(each.name);
  }
  return std::to_string(protocol);
}

Status check_conditions(PortMapBackend /*backend*/, Family family, const std::vector<std::string>& conditions,
                        std::string_view key) {
  if (conditions.empty()) return {};
  const std::string& first = conditions.front();
  if (first.empty()) return Error::config(key, "must not begin with an empty condition");
  if (first.front() == '-' || first.front() == '!') {
    return Error::config(key,
                         "holds words of iptables, " + quote(first) + ", but the backend \"nftables\" takes nft's");
  }
  const auto parsed = parse_nft_words(family, conditions);
  if (parsed.ok()) return {};
  return Error::config(key, parsed.error().msg()).hint(parsed.error().details());
}

Status install_port_map(const PortMapSpec& spec, const protocol::Environment& environment, Rollback& undo,
                        std::vector<std::string>& notes) {
  if (spec.mappings.empty() || spec.pod.empty()) return remove_port_map(spec.owner, environment);
  CNIO_LET(NftConnection nft, NftConnection::require(kPortMapNeeds));
  Status installed = install_nftables_port_map(nft, spec, notes);
  // Also if it failed: it may be done although its answer is lost. But what is in the way is no reason to take away
  // what the attachment has.
  if (installed.ok() || installed.error().code() == Code::kKernel) {
    undo.add("remove port maps", [owner = spec.owner, environment] { return remove_port_map(owner, environment); });
  }
  CNIO_TRY(installed);
  if (const Status forgotten = forget_earlier(spec); !forgotten.ok()) notes.push_back(forgotten.error().msg());
  return {};
}

Status remove_port_map(const RuleOwner& owner, const protocol::Environment& /*environment*/) {
  CNIO_LET(std::optional<NftConnection> nft, NftConnection::open());
  return nft ? remove_with(*nft, owner) : Status();
}

Status check_port_map(const PortMapSpec& spec, const protocol::Environment& /*environment*/) {
  if (spec.mappings.empty() || spec.pod.empty()) return {};
  CNIO_LET(NftConnection nft, NftConnection::require(kPortMapNeeds));
  return check_nftables_port_map(nft, spec);
}

Status collect_port_map_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                const protocol::Environment& /*environment*/) {
  CNIO_LET(std::optional<NftConnection> nft, NftConnection::open());
  return nft ? collect_nftables_port_map(*nft, StaleOwners(network, valid)) : Status();
}

Status rehearse_port_map(PortMapBackend /*backend*/, const protocol::Environment& /*environment*/) {
  CNIO_TRY(NftConnection::require(kPortMapNeeds));
  return rehearse_nftables_port_map();
}

}  // namespace cnio::firewall
