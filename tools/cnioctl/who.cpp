// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/who.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include <nlohmann/json.hpp>

#include "cnio/firewall/transport.hpp"

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

// What was found besides attachments: what it is, as a sentence.
struct Answer {
  std::vector<Attached*> attached;
  std::vector<std::string> others;

  [[nodiscard]] bool empty() const { return attached.empty() && others.empty(); }
};

template <class Wanted>
void add(Facts& facts, Answer& answer, const Wanted& wanted) {
  for (Attached& each : facts.world.attached) {
    if (wanted(each)) answer.attached.push_back(&each);
  }
}

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Rules count, too: they may be all that is left.
bool has_address(const Attached& attached, const IpAddr& address) {
  return contains(attached.all_addresses(), address) ||
         std::any_of(attached.rules.begin(), attached.rules.end(),
                     [&](const auto& each) { return contains(each.addresses, address); });
}

void explain_free_address(const Facts& facts, const IpAddr& address, Answer& answer) {
  for (const NetworkView& network : facts.networks) {
    for (const ipam::RangeSet& set : network.sets) {
      if (set.find(address) == nullptr) continue;
      const char* why = set.why_withheld(address);
      const std::string is = why != nullptr ? std::string(" ") + why : std::string(" is free");
      answer.others.push_back(address.to_string() + is + " in " + set.to_string() + " of network " + network.name);
    }
  }
}

void find_address(Facts& facts, const IpAddr& address, Answer& answer) {
  add(facts, answer, [&](const Attached& each) { return has_address(each, address); });
  for (const ForeignFile& each : facts.world.foreign) {
    if (each.address == address) answer.others.push_back(each.path + " is no reservation: " + each.what);
  }
  for (const net::OwnedAddress& own : facts.node.addresses) {
    if (own.address.cidr.addr != address) continue;
    const net::Link* link = facts.world.find_link(own.owner);
    answer.others.push_back(own.address.cidr.to_string() + " is this node's own, of " +
                            (link == nullptr ? "an interface" : link->name));
  }
  if (answer.empty()) explain_free_address(facts, address, answer);
}

struct PortQuestion {
  std::optional<uint8_t> protocol;
  uint16_t port = 0;
};

std::optional<PortQuestion> parse_port(const std::string& text) {
  PortQuestion out;
  const size_t slash = text.find('/');
  const std::string number = slash == std::string::npos ? text : text.substr(slash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.port);
  if (error != std::errc() || end != number.data() + number.size() || out.port == 0) return std::nullopt;
  if (slash == std::string::npos) return out;
  out.protocol = firewall::parse_transport(text.substr(0, slash));
  return out.protocol ? std::optional(out) : std::nullopt;
}

void find_port(Facts& facts, const PortQuestion& question, Answer& answer) {
  const auto fits = [&](const firewall::PortMapping& port) {
    return port.host_port == question.port && question.protocol.value_or(port.protocol) == port.protocol;
  };
  add(facts, answer, [&](const Attached& each) {
    return std::any_of(each.rules.begin(), each.rules.end(), [&](const firewall::OwnedRules& rules) {
      return std::any_of(rules.ports.begin(), rules.ports.end(), fits);
    });
  });
}

void find_link(Facts& facts, const std::string& name, Answer& answer) {
  const net::Link* link = facts.world.find_link(name);
  if (link == nullptr) return;
  add(facts, answer, [&](const Attached& each) {
    return std::any_of(each.host_ends.begin(), each.host_ends.end(),
                       [&](const net::Link& end) { return end.index == link->index; });
  });
  if (!answer.attached.empty()) return;
  const auto ports = std::count_if(facts.world.links.begin(), facts.world.links.end(),
                                   [&](const net::Link& each) { return each.master == link->index; });
  std::string what = name + " is " + (link->kind.empty() ? "an interface" : "a " + link->kind) + " of this node";
  if (link->kind == "bridge") what += ", with " + counted(static_cast<size_t>(ports), "port");
  for (const NetworkView& network : facts.networks) {
    if (network.setup.bridge == name) what += "; network " + network.name + " is on it";
  }
  answer.others.push_back(what);
}

void find_container(Facts& facts, const std::string& text, Answer& answer) {
  add(facts, answer, [&](const Attached& each) { return is_called(each.who.attachment, text); });
}

void find_pod(Facts& facts, const std::string& text, Answer& answer) {
  name_pods(facts.world);
  add(facts, answer,
      [&](const Attached& each) { return !each.pod.empty() && (each.pod == text || each.pod.ends_with("/" + text)); });
}

Answer find(Facts& facts, const std::string& thing) {
  Answer answer;
  if (const auto address = IpAddr::parse(thing)) {
    find_address(facts, *address, answer);
    return answer;
  }
  if (const auto port = parse_port(thing)) find_port(facts, *port, answer);
  for (const auto& look : {find_link, find_container, find_pod}) {
    if (answer.empty()) look(facts, thing, answer);
  }
  return answer;
}

}  // namespace

Outcome who(Facts& facts, const std::string& thing, bool json) {
  const Answer answer = find(facts, thing);
  Json list = Json::array();
  std::string text;
  bool found = false;
  for (Attached* each : answer.attached) {
    name_pod(*each);
    found = found || !problems_of(*each, facts).empty();
    if (json) list.push_back(describe(*each, facts));
    if (!json) text += describe_text(*each, facts);
  }
  Json others = Json::array();
  for (const std::string& each : answer.others) {
    others.push_back(each);
    text += shown(each) + "\n";
  }
  if (json) text = json_text({{"schema", kSchema}, {"found", std::move(list)}, {"others", std::move(others)}});
  Outcome outcome = outcome_of(facts, found, std::move(text));
  if (!answer.empty()) return outcome;
  outcome.exit = outcome.exit == Exit::kBlind ? outcome.exit : Exit::kNothing;
  outcome.err += "cnioctl: nobody here has " + shown(thing) + "\n";
  return outcome;
}

}  // namespace cnio::cnioctl
