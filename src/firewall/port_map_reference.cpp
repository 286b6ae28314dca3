// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_reference.hpp"

#include "cnio/base/error_list.hpp"

namespace cnio::firewall {
namespace {

constexpr const char* kChains[] = {"hostports", "hostip_hostports", "masquerading"};

Status remove_once(net::NftConnection& nft, const net::NftTable& table, const std::string& container_id) {
  CNIO_LET(const uint32_t generation, nft.generation());
  net::NftBatch batch(table, generation);
  for (const char* chain : kChains) {
    CNIO_LET(const auto rules, nft.list_rules(table, chain));
    for (const net::NftRule& rule : rules) {
      if (rule.comment == container_id) batch.delete_rule(chain, rule.handle);
    }
  }
  return nft.commit(batch, "remove port maps made by another implementation");
}

}  // namespace

Status remove_reference_port_map(net::NftConnection& nft, const std::string& container_id) {
  ErrorList errors;
  for (const net::NftFamily family : {net::NftFamily::kIpv4, net::NftFamily::kIpv6}) {
    const net::NftTable table = {family, "cni_hostport"};
    CNIO_LET(const auto there, nft.find_table(table));
    if (!there) continue;
    errors.collect(net::retry_while_changing([&] { return remove_once(nft, table, container_id); }));
  }
  return errors.status();
}

}  // namespace cnio::firewall
