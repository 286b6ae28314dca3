// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/nft_words.hpp"

#include <algorithm>
#include <charconv>
#include <linux/netfilter/nf_tables.h>
#include <optional>

#include "cnio/firewall/port_map.hpp"

namespace cnio::firewall {
namespace {

using net::NftExpression;
namespace expr = net::expr;

using Steps = std::vector<NftExpression>;

constexpr size_t kMostAlternatives = 64;
constexpr size_t kLongestInterface = 15;

Error not_understood(const std::string& what) {
  return Error::make(Code::kInvalidConfig, what + " is not understood here",
                     "conditions may be of addresses (ip saddr), interfaces (iifname), marks (meta mark) and ports "
                     "(tcp sport), each with an optional != and one value or a list in braces");
}

// Words, braces and commas; what stands in quotes is one word without them.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> tokens;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string::npos) {
    size_t end = at + 1;
    if (text[at] == '"') {
      end = std::min(text.find('"', at + 1), text.size());
      tokens.push_back(text.substr(at + 1, end - at - 1));
      at = std::min(end + 1, text.size());
      continue;
    }
    if (std::string_view("{},").find(text[at]) == std::string_view::npos) {
      end = std::min(text.find_first_of(" \t\n{},\"", at), text.size());
    }
    tokens.push_back(text.substr(at, end - at));
    at = end;
  }
  return tokens;
}

class Tokens {
 public:
  explicit Tokens(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}
  [[nodiscard]] bool at_end() const { return at_ == tokens_.size(); }
  std::string take() { return at_end() ? std::string() : tokens_[at_++]; }
  bool accept(std::string_view token) {
    if (at_end() || tokens_[at_] != token) return false;
    ++at_;
    return true;
  }

 private:
  std::vector<std::string> tokens_;
  size_t at_ = 0;
};

std::optional<uint32_t> parse_number(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// What is looked at, and how a value of it is compared; nothing if it cannot have that value.
struct Field {
  Steps load;
  enum class Kind { kAddress, kInterface, kNumber, kPort } kind = Kind::kNumber;
  Family family = Family::kIpv4;
};

std::optional<Steps> compare_address(const std::string& value, bool equal, Family family) {
  const auto address = IpAddr::parse(value);
  const auto network = address ? Cidr::host(*address) : Cidr::parse(value);
  if (!network || network->family() != family) return std::nullopt;
  return compare_network(*network, equal);
}

std::optional<Steps> compare_port(const std::string& value, bool equal) {
  const size_t dash = value.find('-');
  const auto first = parse_number(value.substr(0, dash));
  const auto last = dash == std::string::npos ? first : parse_number(value.substr(dash + 1));
  if (!first || !last || *first > *last || *last > UINT16_MAX) return std::nullopt;
  const std::string from = expr::bytes_of_port(static_cast<uint16_t>(*first));
  if (*first == *last) return Steps{expr::compare(from, 0, equal)};
  if (!equal) return std::nullopt;
  return Steps{expr::in_range(from, expr::bytes_of_port(static_cast<uint16_t>(*last)))};
}

std::optional<Steps> compare_value(const Field& field, const std::string& value, bool equal) {
  switch (field.kind) {
    case Field::Kind::kAddress:
      return compare_address(value, equal, field.family);
    case Field::Kind::kPort:
      return compare_port(value, equal);
    case Field::Kind::kInterface:
      if (value.empty() || value.size() > kLongestInterface || value.ends_with("*")) return std::nullopt;
      return Steps{expr::compare(expr::bytes_of_interface(value), 0, equal)};
    case Field::Kind::kNumber:
      break;
  }
  const auto number = parse_number(value);
  if (!number) return std::nullopt;
  return Steps{expr::compare(expr::bytes_of_u32(*number), 0, equal)};
}

std::optional<Field> address_field(Family family, const std::string& which) {
  if (which == "saddr") return Field{{expr::load_source(family)}, Field::Kind::kAddress, family};
  if (which == "daddr") return Field{{expr::load_destination(family)}, Field::Kind::kAddress, family};
  return std::nullopt;
}

std::optional<Field> meta_field(const std::string& key, Tokens& tokens) {
  if (key == "iif" || key == "iifname") return Field{{expr::load_meta(NFT_META_IIFNAME)}, Field::Kind::kInterface};
  if (key == "oif" || key == "oifname") return Field{{expr::load_meta(NFT_META_OIFNAME)}, Field::Kind::kInterface};
  if (key != "mark") return std::nullopt;
  Field field{{expr::load_meta(NFT_META_MARK)}};
  if (!tokens.accept("&")) return field;
  const auto mask = parse_number(tokens.take());
  if (!mask) return std::nullopt;
  field.load.push_back(expr::mask(expr::bytes_of_u32(*mask)));
  return field;
}

std::optional<Field> port_field(const std::string& protocol, const std::string& which) {
  Field field{{}, Field::Kind::kPort};
  if (protocol != "th") {
    const auto number = parse_transport(protocol);
    if (!number) return std::nullopt;
    field.load.push_back(expr::load_meta(NFT_META_L4PROTO));
    field.load.push_back(expr::compare(std::string(1, static_cast<char>(*number))));
  }
  if (which != "sport" && which != "dport") return std::nullopt;
  field.load.push_back(which == "dport" ? expr::load_destination_port()
                                        : expr::load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2));
  return field;
}

std::optional<Field> parse_field(Tokens& tokens, Family family) {
  const std::string first = tokens.take();
  if (first == (family == Family::kIpv4 ? "ip" : "ip6")) return address_field(family, tokens.take());
  if (first == "ip" || first == "ip6") return std::nullopt;
  if (first == "meta") return meta_field(tokens.take(), tokens);
  if (auto field = meta_field(first, tokens)) return field;
  return port_field(first, tokens.take());
}

std::optional<std::vector<std::string>> parse_values(Tokens& tokens) {
  if (!tokens.accept("{")) return std::vector{tokens.take()};
  std::vector<std::string> values;
  for (;;) {
    values.push_back(tokens.take());
    if (tokens.accept("}")) return values;
    if (!tokens.accept(",")) return std::nullopt;
    if (tokens.accept("}")) return values;
  }
}

// One condition. What is none of a list is all of several that it is not.
std::optional<NftAlternatives> parse_condition(Tokens& tokens, Family family) {
  const auto field = parse_field(tokens, family);
  if (!field) return std::nullopt;
  const bool equal = !tokens.accept("!=");
  if (equal) tokens.accept("==");
  const auto values = parse_values(tokens);
  if (!values) return std::nullopt;
  NftAlternatives alternatives(equal ? 0 : 1);
  for (const std::string& value : *values) {
    const auto compare = compare_value(*field, value, equal);
    if (!compare) return std::nullopt;
    if (equal) alternatives.emplace_back();
    Steps& steps = alternatives.back();
    steps.insert(steps.end(), field->load.begin(), field->load.end());
    steps.insert(steps.end(), compare->begin(), compare->end());
  }
  return alternatives;
}

NftAlternatives all_of_both(const NftAlternatives& some, const NftAlternatives& more) {
  NftAlternatives product;
  for (const Steps& one : some) {
    for (const Steps& other : more) {
      product.push_back(one);
      product.back().insert(product.back().end(), other.begin(), other.end());
    }
  }
  return product;
}

}  // namespace

std::string prefix_mask(Family family, unsigned length) {
  std::string mask(family == Family::kIpv4 ? 4 : 16, '\0');
  for (unsigned bit = 0; bit < length; ++bit) {
    mask[bit / 8] = static_cast<char>(static_cast<uint8_t>(mask[bit / 8]) | 0x80U >> bit % 8);
  }
  return mask;
}

std::vector<NftExpression> compare_network(const Cidr& network, bool equal) {
  Steps steps;
  if (network.prefix < network.addr.bits()) steps.push_back(expr::mask(prefix_mask(network.family(), network.prefix)));
  steps.push_back(expr::compare(expr::bytes_of(network.network().addr), 0, equal));
  return steps;
}

Result<NftAlternatives> parse_nft_words(Family family, const std::vector<std::string>& conditions) {
  std::string text;
  for (const std::string& condition : conditions) text.append(condition).append(" ");
  Tokens tokens(split(text));
  NftAlternatives alternatives(1);
  while (!tokens.at_end()) {
    const auto more = parse_condition(tokens, family);
    if (!more) return not_understood(quote(text.substr(0, text.size() - 1)));
    alternatives = all_of_both(alternatives, *more);
    if (alternatives.size() > kMostAlternatives) {
      return Error::make(Code::kInvalidConfig, "more than 64 combinations of the values in lists");
    }
  }
  return alternatives;
}

}  // namespace cnio::firewall
