// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/nftables/table_text.hpp"

namespace cnio::net {
namespace {

std::string family_of(const NftTable& table) {
  switch (table.family) {
    case NftFamily::kIpv4:
      return "ip";
    case NftFamily::kIpv6:
      return "ip6";
    case NftFamily::kBridge:
      return "bridge";
    case NftFamily::kInet:
      break;
  }
  return "inet";
}

}  // namespace

std::string to_string(const NftTable& table) { return family_of(table) + " " + table.name; }

}  // namespace cnio::net
