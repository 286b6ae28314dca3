// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/subnet_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "cnio/base/whole_file.hpp"

#include "ipam/subnet_keys.hpp"

namespace cnio::ipam {
namespace {

constexpr char kWriter[] = "flanneld writes this file, or whoever gives this node its subnet: look at its log";

// A line of which nothing is known but that it is there.
struct Line {
  size_t number = 0;
  std::string_view text;
  bool whole = true;  // it has an end
};

// What each key has said last.
struct Said {
  std::vector<Cidr> networks[kFamilyKeys.size()];
  std::optional<Cidr> subnets[kFamilyKeys.size()];
  std::optional<uint32_t> mtu;
  std::optional<bool> ip_masq;
};

// What is wrong is followed by who can mend it.
Error fault(const std::string& shown, const std::string& why) {
  return Error::make(Code::kDecode, "read " + shown + ": " + why, kWriter);
}

Result<Cidr> parse_network(std::string_view text, Family family) {
  const auto network = Cidr::parse(text);
  if (network && network->family() == family) return *network;
  const std::string_view example = family == Family::kIpv4 ? "10.244.0.0/16" : "fd01::/48";
  return Error::make(Code::kDecode, "must be an " + std::string(family_name(family)) + " network such as " +
                                        std::string(example) + ", not " + quote(text));
}

Result<std::vector<Cidr>> parse_networks(std::string_view list, Family family) {
  std::vector<Cidr> networks;
  for (bool more = true; more;) {
    const size_t comma = list.find(',');
    CNIO_LET(const Cidr network, parse_network(list.substr(0, comma), family));
    const bool known = std::any_of(networks.begin(), networks.end(),
                                   [&](const Cidr& other) { return other.network() == network.network(); });
    if (!known) networks.push_back(network);
    more = comma != std::string_view::npos;
    list.remove_prefix(more ? comma + 1 : list.size());
  }
  return networks;
}

Result<uint32_t> parse_mtu(std::string_view text) {
  uint32_t mtu = 0;
  const char* end = text.data() + text.size();
  const auto [read, failure] = std::from_chars(text.data(), end, mtu);
  if (failure == std::errc() && read == end) return mtu;
  return Error::make(Code::kDecode, "must be a number of bytes, not " + quote(text));
}

// All but `true` is false, as the reference reads it; of a line that breaks off it may be a part.
Result<bool> parse_masquerade(const Line& line, std::string_view text) {
  if (line.whole || text == "true" || text == "false") return text == "true";
  return Error::make(Code::kDecode, "the file breaks off behind " + quote(text));
}

bool is_known(std::string_view key) {
  return key == kMtuKey || key == kMasqueradeKey ||
         std::any_of(kFamilyKeys.begin(), kFamilyKeys.end(),
                     [&](const FamilyKeys& keys) { return key == keys.network || key == keys.subnet; });
}

// Could the line that breaks off have become one of a known key?
bool begins_known_key(std::string_view text) {
  const auto begins = [&](std::string_view key) { return key.starts_with(text); };
  return !text.empty() && (begins(kMtuKey) || begins(kMasqueradeKey) ||
                           std::any_of(kFamilyKeys.begin(), kFamilyKeys.end(), [&](const FamilyKeys& keys) {
                             return begins(keys.network) || begins(keys.subnet);
                           }));
}

Status take_value(Said& said, const Line& line, std::string_view key, std::string_view value) {
  if (key == kMtuKey) {
    CNIO_LET(said.mtu, parse_mtu(value));
  } else if (key == kMasqueradeKey) {
    CNIO_LET(said.ip_masq, parse_masquerade(line, value));
  }
  for (size_t i = 0; i < kFamilyKeys.size(); ++i) {
    if (key == kFamilyKeys[i].network) {
      CNIO_LET(said.networks[i], parse_networks(value, kFamilyKeys[i].family));
    } else if (key == kFamilyKeys[i].subnet) {
      CNIO_LET(said.subnets[i], parse_network(value, kFamilyKeys[i].family));
    }
  }
  return {};
}

Status take_line(Said& said, const Line& line) {
  const size_t equals = line.text.find('=');
  const std::string_view key = line.text.substr(0, equals);
  if (equals != std::string_view::npos) {
    return take_value(said, line, key, line.text.substr(equals + 1)).context(key);
  }
  if (is_known(key)) return Error::make(Code::kDecode, std::string(key) + " has no \"=\" and no value");
  if (line.whole || !begins_known_key(key)) return {};
  return Error::make(Code::kDecode, "the file breaks off behind " + quote(key));
}

// The line at the front of `text`, which is taken off it.
Line next_line(std::string_view& text, size_t number) {
  const size_t end = text.find('\n');
  Line line = {number, text.substr(0, end), end != std::string_view::npos};
  text.remove_prefix(line.whole ? end + 1 : text.size());
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  return line;
}

// All of them, so that nobody mends one at a time.
std::string missing_keys(const Said& said) {
  bool network = false;
  bool subnet = false;
  for (size_t i = 0; i < kFamilyKeys.size(); ++i) {
    network = network || !said.networks[i].empty();
    subnet = subnet || said.subnets[i].has_value();
  }
  std::vector<std::string_view> missing;
  if (!network) missing.insert(missing.end(), {kFamilyKeys[0].network, kFamilyKeys[1].network});
  if (!subnet) missing.insert(missing.end(), {kFamilyKeys[0].subnet, kFamilyKeys[1].subnet});
  if (!said.mtu) missing.push_back(kMtuKey);
  if (!said.ip_masq) missing.push_back(kMasqueradeKey);
  std::string out;
  for (const std::string_view key : missing) out.append(out.empty() ? "" : ", ").append(key);
  return out;
}

// Pods would get addresses to which no other node has a route, or a route that no address of theirs can use.
Status check_families(const Said& said) {
  for (size_t i = 0; i < kFamilyKeys.size(); ++i) {
    const bool network = !said.networks[i].empty();
    if (network == said.subnets[i].has_value()) continue;
    const FamilyKeys& keys = kFamilyKeys[i];
    return Error::make(Code::kDecode, std::string(network ? keys.network : keys.subnet) + " is there, but no " +
                                          std::string(network ? keys.subnet : keys.network));
  }
  return {};
}

}  // namespace

Result<NodeSubnets> parse_subnets(std::string_view text, const std::string& shown) {
  Said said;
  for (size_t number = 1; !text.empty(); ++number) {
    const Line line = next_line(text, number);
    if (const Status taken = take_line(said, line); !taken.ok()) {
      return fault(shown, "line " + std::to_string(number) + ": " + taken.error().msg());
    }
  }
  if (const std::string missing = missing_keys(said); !missing.empty()) {
    return Error::make(Code::kDecode, shown + " is missing " + missing, kWriter);
  }
  if (const Status whole = check_families(said); !whole.ok()) return fault(shown, whole.error().msg());
  NodeSubnets subnets;
  for (size_t i = 0; i < kFamilyKeys.size(); ++i) {
    subnets.networks.insert(subnets.networks.end(), said.networks[i].begin(), said.networks[i].end());
    if (said.subnets[i]) subnets.subnets.push_back(*said.subnets[i]);
  }
  subnets.mtu = *said.mtu;
  subnets.ip_masq = *said.ip_masq;
  return subnets;
}

Result<NodeSubnets> read_subnets(const std::string& path) {
  auto text = read_believed_file(path, kMaxSubnetFile);
  if (!text.ok()) return std::move(text).error().hint(kWriter);
  return parse_subnets(text.value(), path);
}

}  // namespace cnio::ipam
