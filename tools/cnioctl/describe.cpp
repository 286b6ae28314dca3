// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/describe.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <nlohmann/json.hpp>

#include "cnio/firewall/transport.hpp"
#include "cnio/net/nftables/table_text.hpp"

#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

constexpr size_t kShortest = 4;  // of what a container's ID may be found by

std::string boot_of(const HeldAddress& address, const Attached& attached) {
  if (!address.origin) return "unknown";
  return attached.life() == Life::kRebooted ? "earlier" : "this";
}

std::string bridge_of(const net::Link& link, const Facts& facts) {
  const net::Link* master = link.master == net::IfIndex::kNone ? nullptr : facts.world.find_link(link.master);
  return master == nullptr ? std::string() : master->name;
}

Json host_ends_of(const Attached& attached, const Facts& facts) {
  Json list = Json::array();
  for (const net::Link& link : attached.host_ends) {
    list.push_back({{"name", link.name}, {"bridge", bridge_of(link, facts)}, {"up", link.up}});
  }
  return list;
}

Json rules_of(const Attached& attached) {
  Json list = Json::array();
  for (const firewall::OwnedRules& each : attached.rules) {
    Json rule = {{"kind", to_string(each.kind)}, {"table", net::to_string(each.table)}, {"object", each.object}};
    for (const auto& port : each.ports) rule["ports"].push_back(port_text(port));
    list.push_back(std::move(rule));
  }
  return list;
}

Json reservations_of(const Attached& attached) {
  Json list = Json::array();
  for (const HeldAddress& each : attached.addresses) {
    list.push_back({{"address", each.address.to_string()},
                    {"file", each.file},
                    {"boot", boot_of(each, attached)},
                    {"made", each.made}});
  }
  return list;
}

Json sandbox_of(const Evidence& evidence) {
  if (evidence.path.empty()) return nullptr;
  return {{"path", evidence.path}, {"present", evidence.present ? Json(*evidence.present) : Json(nullptr)}};
}

std::string network_text(const Attached& attached, const Facts& facts) {
  std::string text = shown(attached.who.network);
  const NetworkView* network = facts.find_network(attached.who.network);
  const bool named = network != nullptr && !network->file.empty();
  text += named ? ", from " + shown(network->file) : ", which no file names";
  const auto oldest = std::min_element(attached.addresses.begin(), attached.addresses.end(),
                                       [](const auto& a, const auto& b) { return a.made < b.made; });
  if (oldest != attached.addresses.end() && oldest->made != 0) text += ", since " + time_text(oldest->made);
  return text;
}

std::string end_text(const net::Link& link, const Facts& facts) {
  const std::string bridge = bridge_of(link, facts);
  return shown(link.name) + (bridge.empty() ? ", in no bridge" : " in " + shown(bridge)) +
         (link.up ? ", up" : ", down");
}

std::string rule_text(const firewall::OwnedRules& rules) {
  std::string text =
      std::string(to_string(rules.kind)) + ": " + net::to_string(rules.table) + " " + shown(rules.object);
  for (const auto& port : rules.ports) text += ", " + port_text(port);
  return text;
}

}  // namespace

bool is_called(const protocol::Attachment& attachment, std::string_view text) {
  const std::string& id = attachment.container_id;
  return id == text || attachment.text() == text || (text.size() >= kShortest && id.starts_with(text));
}

std::string addresses_text(const Attached& attached) {
  std::string text;
  for (const IpAddr& address : attached.all_addresses()) text += (text.empty() ? "" : ", ") + address.to_string();
  return text.empty() ? "-" : text;
}

std::string link_addresses(const net::Link& link, const NodeFacts& node) {
  std::string text;
  for (const net::OwnedAddress& own : node.addresses) {
    if (own.owner != link.index || own.address.cidr.addr.is_link_local_unicast()) continue;
    text += (text.empty() ? "" : ", ") + own.address.cidr.to_string();
  }
  return text;
}

std::string networks_of_bridge(const net::Link& bridge, const Facts& facts) {
  std::string text;
  for (const NetworkView& each : facts.networks) {
    if (each.setup.bridge == bridge.name) text += (text.empty() ? "" : ", ") + shown(each.name);
  }
  return text;
}

std::string route_text(const NodeRoute& route) {
  std::string text = route.dst.is_default_route() ? "default" : route.dst.to_string();
  for (const IpAddr& gateway : route.gateways) text += " via " + gateway.to_string();
  return text + " dev " + shown(route.link);
}

std::string masquerade_text(const Setup& setup) {
  if (!setup.masquerade) return {};
  std::string text = "masquerade " + shown(setup.backend);
  for (size_t i = 0; i < setup.exclude.size(); ++i) text += (i == 0 ? ", not to " : ", ") + shown(setup.exclude[i]);
  return text;
}

std::string port_text(const firewall::PortMapping& port) {
  const std::string host = port.host_ip ? port.host_ip->to_string() : "*";
  const std::string to = port.pod_port == 0 ? "" : " -> " + std::to_string(port.pod_port);
  return firewall::transport_name(port.protocol) + " " +
         (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port.host_port) + to;
}

std::string time_text(long long seconds) {
  const std::time_t time = seconds;
  tm parts{};
  std::array<char, 32> text{};
  gmtime_r(&time, &parts);
  const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return {text.data(), size};
}

Json pod_json(const std::string& pod) {
  const size_t slash = pod.find('/');
  if (slash == std::string::npos) return nullptr;
  return {{"namespace", pod.substr(0, slash)}, {"name", pod.substr(slash + 1)}};
}

Json describe(const Attached& attached, const Facts& facts) {
  Json addresses = Json::array();
  for (const IpAddr& each : attached.all_addresses()) addresses.push_back(each.to_string());
  Json problems = Json::array();
  for (const Problem& each : problems_of(attached, facts)) {
    problems.push_back({{"kind", each.kind}, {"what", each.what}, {"advice", each.advice}});
  }
  return {{"network", attached.who.network},
          {"container", attached.who.attachment.container_id},
          {"ifname", attached.who.attachment.ifname},
          {"pod", pod_json(attached.pod)},
          {"addresses", std::move(addresses)},
          {"state", to_string(attached.life())},
          {"reason", attached.verdict.reason},
          {"hostEnds", host_ends_of(attached, facts)},
          {"sandbox", sandbox_of(attached.evidence)},
          {"rules", rules_of(attached)},
          {"reservations", reservations_of(attached)},
          {"recorded", !attached.pairs.empty()},
          {"cache", attached.cache_file},
          {"problems", std::move(problems)}};
}

std::string describe_text(const Attached& attached, const Facts& facts) {
  const protocol::Attachment& id = attached.who.attachment;
  std::string out = addresses_text(attached) + "  " + std::string(to_string(attached.life())) + "  ";
  if (!attached.pod.empty()) out += shown(attached.pod) + "  ";
  out += "container " + shown(id.container_id) + "  " + (id.ifname.empty() ? "any interface" : shown(id.ifname)) + "\n";
  Table table("  ");
  table.add({"network", network_text(attached, facts)});
  table.add({"state", std::string(to_string(attached.life())) + ": " + shown(attached.verdict.reason)});
  for (const net::Link& link : attached.host_ends) table.add({"host end", end_text(link, facts)});
  if (!attached.evidence.path.empty()) table.add({"sandbox", shown(attached.evidence.path)});
  for (const auto& each : attached.rules) table.add({"rules", rule_text(each)});
  for (const HeldAddress& each : attached.addresses) {
    const std::string boot = boot_of(each, attached);
    table.add({"reservation", shown(each.file) + (boot == "unknown" ? "" : ", of " + boot + " boot")});
  }
  if (!attached.cache_file.empty()) table.add({"cache", shown(attached.cache_file)});
  for (const Problem& each : problems_of(attached, facts)) {
    table.add({"WRONG", shown(each.what) + (each.advice.empty() ? "" : ": " + each.advice)});
  }
  return out + table.text();
}

std::string blind_text(const Report& blind) {
  std::string text;
  for (const Finding& each : blind.findings()) {
    text += "cnioctl: could not look at " + shown(each.where) + ": " + shown(each.what) + "\n";
  }
  return text;
}

Outcome outcome_of(const Facts& facts, bool found, std::string out) {
  const bool blind = !facts.world.blind.findings().empty();
  const Exit exit = found ? Exit::kFound : blind ? Exit::kBlind : Exit::kWell;
  return {exit, std::move(out), blind_text(facts.world.blind)};
}

}  // namespace cnio::cnioctl
