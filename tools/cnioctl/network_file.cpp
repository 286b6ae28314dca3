// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/network_file.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

#include "cnioctl/or_default.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

constexpr char kDefaultBridge[] = "cni0";
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kPlaceholders = {{{"${", "}"}, {"{{", "}}"}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kMarks = {{{"$", ""}, {"<", ">"}, {"__", "__"}}};
constexpr std::array<std::string_view, 3> kSuffixes = {".conf", ".conflist", ".json"};

void add_subnet(const Fields& range, NetworkFile& out) {
  const auto subnet = range.cidr("subnet");
  if (subnet.ok() && subnet.value()) out.subnets.push_back(subnet.value()->network());
}

void add_ranges(const Fields& ipam, NetworkFile& out) {
  const auto sets = ipam.object_lists("ranges");
  if (!sets.ok()) return;
  for (const auto& set : sets.value()) {
    for (const Fields& range : set) add_subnet(range, out);
  }
}

void add_plugin(const Fields& plugin, NetworkFile& out) {
  out.types.push_back(or_default(plugin.text("type")));
  if (out.types.back() == "bridge") {
    const std::string bridge = or_default(plugin.text("bridge"));
    out.bridges.push_back(bridge.empty() ? kDefaultBridge : bridge);
  }
  const auto ipam = plugin.object("ipam");
  if (!ipam.ok() || or_default(ipam.value().text("type")) != "host-local") return;
  add_subnet(ipam.value(), out);
  add_ranges(ipam.value(), out);
}

// One of "$NAME", "<NAME>" and "__NAME__", as templates have them.
bool is_name_to_fill_in(std::string_view word) {
  for (const auto& [opening, closing] : kMarks) {
    if (word.size() <= opening.size() + closing.size() || !word.starts_with(opening) || !word.ends_with(closing))
      continue;
    const std::string_view name = word.substr(opening.size(), word.size() - opening.size() - closing.size());
    if (std::all_of(name.begin(), name.end(),
                    [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; })) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool NetworkFile::only_loopback() const {
  return !types.empty() && std::all_of(types.begin(), types.end(), [](const auto& type) { return type == "loopback"; });
}

Result<NetworkFile> parse_network_file(std::string_view text) {
  CNIO_LET(const Json whole, protocol::parse_json(text));
  if (!whole.is_object()) return Error::make(Code::kDecode, "is no JSON object");
  const Fields fields(whole);
  NetworkFile out;
  out.name = or_default(fields.text("name"));
  const auto plugins = fields.objects("plugins");
  if (plugins.ok()) {
    for (const Fields& plugin : plugins.value()) add_plugin(plugin, out);
  }
  if (fields.has("type")) add_plugin(fields, out);
  return out;
}

std::string find_placeholder(std::string_view text) {
  for (const auto& [opening, closing] : kPlaceholders) {
    const size_t begin = text.find(opening);
    const size_t end = begin == text.npos ? text.npos : text.find(closing, begin);
    // "{{" alone may be JSON; what lies between the marks of a placeholder is one short word.
    if (end == text.npos || text.substr(begin, end - begin).find_first_of("\n\"") != text.npos) continue;
    return std::string(text.substr(begin, end + closing.size() - begin));
  }
  for (size_t quote = text.find('"'); quote != text.npos; quote = text.find('"', quote + 1)) {
    const std::string_view word = text.substr(quote + 1, text.find('"', quote + 1) - quote - 1);
    if (is_name_to_fill_in(word)) return std::string(word);
  }
  return {};
}

bool is_network_file_name(std::string_view name) {
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](std::string_view suffix) { return name.ends_with(suffix); });
}

}  // namespace cnio::cnioctl
