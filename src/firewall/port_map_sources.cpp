// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_sources.hpp"

#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <charconv>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "firewall/nft_words.hpp"

namespace cnio::firewall {
namespace {

namespace expr = net::expr;

constexpr std::string_view kSeenAs = " -> ";

unsigned words_of(Family family) { return family == Family::kIpv4 ? 1 : 4; }

}  // namespace

std::string MasqueradedSource::text() const { return network.to_string().append(kSeenAs).append(pod.to_string()); }

std::optional<MasqueradedSource> MasqueradedSource::parse(std::string_view text) {
  const size_t arrow = text.find(kSeenAs);
  if (arrow == std::string_view::npos) return std::nullopt;
  const auto network = Cidr::parse(text.substr(0, arrow));
  const auto pod = IpAddr::parse(text.substr(arrow + kSeenAs.size()));
  if (!network || !pod || network->family() != pod->family()) return std::nullopt;
  return MasqueradedSource{*network, *pod};
}

std::string MasqueradedSource::key() const {
  return expr::bytes_of(pod).append(expr::bytes_of(network.network().addr));
}

std::vector<net::NftExpression> of_led_connections() {
  return {expr::load_tracking(NFT_CT_STATUS), expr::mask(expr::bytes_of_u32(IPS_DST_NAT)),
          expr::compare(expr::bytes_of_u32(0), 0, false)};
}

std::string SourcePrefix::set() const {
  return std::string(family == Family::kIpv4 ? "from4_" : "from6_").append(std::to_string(length));
}

std::string SourcePrefix::text() const {
  return std::string(family_name(family)).append(" /").append(std::to_string(length));
}

std::optional<SourcePrefix> SourcePrefix::parse(std::string_view text) {
  for (const Family family : kFamilies) {
    const std::string before = std::string(family_name(family)) + " /";
    if (!text.starts_with(before)) continue;
    SourcePrefix prefix{family, 0};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + before.size(), end, prefix.length);
    if (error == std::errc() && stop == end && prefix.length <= words_of(family) * 32) return prefix;
  }
  return std::nullopt;
}

net::NftProgram SourcePrefix::rule() const {
  const uint8_t number = family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  const unsigned source = words_of(family);
  net::NftProgram rule{{expr::load_meta(NFT_META_NFPROTO), expr::compare(std::string(1, static_cast<char>(number)))}};
  for (const net::NftExpression& step : of_led_connections()) rule.steps.push_back(step);
  rule.steps.insert(rule.steps.end(),
                    {expr::load_destination(family), expr::load_source(family, source),
                     expr::mask(prefix_mask(family, length), {}, source), expr::look_up(set()), expr::masquerade()});
  return rule;
}

}  // namespace cnio::firewall
