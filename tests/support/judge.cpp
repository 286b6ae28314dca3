// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/judge.hpp"

#include <algorithm>

#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

Json parse_list(const std::string& text) {
  // An empty answer is printed as nothing at all by some versions of the tools.
  if (text.find_first_not_of(" \n") == std::string::npos) return Json::array();
  return Json::parse(text);
}

/// Removes what changes without anybody's doing: numbers that the kernel gives, packets that it counted.
void strip_volatile(Json& object) {
  if (!object.is_structured()) return;
  if (object.is_object()) {
    object.erase("handle");
    if (object.contains("counter")) object["counter"] = nullptr;
  }
  for (Json& member : object) strip_volatile(member);
}

}  // namespace

Json ip_json(std::vector<std::string> arguments, const std::string& netns) {
  std::vector<std::string> argv{"ip", "-j", "-d"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return parse_list(must_run(argv, netns));
}

Json find_link(const std::string& name, const std::string& netns) {
  for (const Json& link : ip_json({"link", "show"}, netns)) {
    if (link.value("ifname", "") == name) return link;
  }
  return nullptr;
}

Json addresses(const std::string& name, const std::string& netns) {
  Json found = Json::array();
  for (const Json& link : ip_json({"addr", "show"}, netns)) {
    if (link.value("ifname", "") != name) continue;
    for (const Json& address : link.at("addr_info")) {
      if (address.value("scope", "") != "link") found.push_back(address);
    }
  }
  return found;
}

std::vector<std::string> address_texts(const std::string& name, const std::string& netns) {
  std::vector<std::string> texts;
  for (const Json& address : addresses(name, netns)) {
    texts.push_back(address.at("local").get<std::string>() + "/" + std::to_string(address.at("prefixlen").get<int>()));
  }
  return texts;
}

Json routes_to(const std::string& destination, const std::string& netns, const std::string& family) {
  Json found = Json::array();
  for (const Json& route : ip_json({family, "route", "show", "table", "all"}, netns)) {
    if (route.value("dst", "") == destination) found.push_back(route);
  }
  return found;
}

Json bridge_port(const std::string& name, const std::string& netns) {
  for (const Json& port : parse_list(must_run({"bridge", "-j", "-d", "link", "show"}, netns))) {
    if (port.value("ifname", "") == name) return port;
  }
  return nullptr;
}

std::vector<std::string> link_names(const std::string& netns) {
  std::vector<std::string> names;
  for (const Json& link : ip_json({"link", "show"}, netns)) {
    if (link.at("ifname") != "lo") names.push_back(link.at("ifname").get<std::string>());
  }
  return names;
}

std::vector<std::string> nft_objects(const std::string& netns) {
  Json ruleset = Json::parse(must_run({"nft", "-j", "list", "ruleset"}, netns));
  std::vector<std::string> objects;
  for (Json& object : ruleset.at("nftables")) {
    if (object.contains("metainfo")) continue;
    strip_volatile(object);
    objects.push_back(object.dump());
  }
  return objects;
}

std::vector<std::string> nft_objects_with(const std::string& text, const std::string& netns) {
  std::vector<std::string> objects = nft_objects(netns);
  std::erase_if(objects, [&](const std::string& object) { return object.find(text) == std::string::npos; });
  return objects;
}

std::string neighbour_mac(const std::string& address, const std::string& link, const std::string& netns) {
  const Json entries = ip_json({"neigh", "show", address, "dev", link, "nud", "all"}, netns);
  return entries.empty() ? "" : entries.at(0).value("lladdr", "none");
}

::testing::AssertionResult ping(const std::string& netns, const std::string& address) {
  Command command;
  command.argv = {"ping", "-n", "-c1", "-W2", address};
  command.netns = netns;
  const Outcome outcome = run(command);
  if (outcome.exit_code == 0) return ::testing::AssertionSuccess() << address << " answers";
  return ::testing::AssertionFailure() << "no answer from " << address << " to " << netns << ": " << describe(outcome);
}

}  // namespace cnio::test
