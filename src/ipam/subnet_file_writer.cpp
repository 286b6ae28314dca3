// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unistd.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/base/whole_file.hpp"
#include "cnio/ipam/subnet_file.hpp"

#include "ipam/subnet_keys.hpp"

namespace cnio::ipam {
namespace {

constexpr uint32_t kMinMtu = 68;        // RFC 791
constexpr uint32_t kMinIpv6Mtu = 1280;  // RFC 8200
constexpr uint32_t kMaxMtu = 65535;     // the kernel's ETH_MAX_MTU
constexpr uint64_t kNobodys = 3;        // the network's address, the gateway's, and the broadcast address
constexpr unsigned kSubnetFolderMode = 0755;
constexpr mode_t kSubnetFileMode = 0644;

const FamilyKeys& keys_of(Family family) { return kFamilyKeys[family == Family::kIpv4 ? 0 : 1]; }

// Does all of `inner` lie in it?
bool holds(const Cidr& outer, const Cidr& inner) { return outer.prefix <= inner.prefix && outer.contains(inner.addr); }

std::string joined(const std::vector<Cidr>& networks, Family family) {
  std::string out;
  for (const Cidr& network : networks) {
    if (network.family() == family) out.append(out.empty() ? "" : ",").append(network.network().to_string());
  }
  return out;
}

bool has_room(const Cidr& subnet, uint64_t pods) {
  const unsigned host_bits = subnet.addr.bits() - subnet.prefix;
  if (host_bits >= 64) return true;
  const uint64_t addresses = uint64_t{1} << host_bits;
  return addresses > kNobodys && addresses - kNobodys >= pods;
}

// By its first address, and for the whole world.
Status check_addresses(std::string_view key, const Cidr& network) {
  const Cidr first = {network.network().addr.next(), network.prefix};
  std::string_view why = first.why_no_host();
  if (!first.addr.is_v4() && first.addr.is_link_local_unicast()) why = "is a link-local address";
  if (why.empty()) return {};
  return Error::config(key, network.to_string() + " is not for pods: " + first.to_string() + " " + std::string(why));
}

Status check_network(const NodeSubnets& subnets, const Cidr& network) {
  const std::string_view key = keys_of(network.family()).network;
  if (network != network.network()) {
    return Error::config(key,
                         network.to_string() + " has host bits set; the network is " + network.network().to_string());
  }
  CNIO_TRY(check_addresses(key, network));
  for (const Cidr& other : subnets.networks) {
    if (other == network || !other.overlaps(network)) continue;
    return Error::config(key, network.to_string() + " overlaps " + other.to_string());
  }
  return {};
}

Status check_subnet(const NodeSubnets& subnets, const Cidr& subnet, uint64_t pods) {
  const std::string_view key = keys_of(subnet.family()).subnet;
  const Cidr network = subnet.network();
  // flanneld names the first address.
  if (subnet != network && subnet.addr != network.addr.next()) {
    return Error::config(key, subnet.to_string() + " has host bits set; the subnet is " + network.to_string());
  }
  const bool inside = std::any_of(subnets.networks.begin(), subnets.networks.end(),
                                  [&](const Cidr& outer) { return holds(outer, network); });
  if (!inside) {
    return Error::config(key, network.to_string() + " does not lie in the cluster's network " +
                                  joined(subnets.networks, subnet.family()));
  }
  CNIO_TRY(check_addresses(key, network));
  if (has_room(network, pods)) return {};
  return Error::config(key, network.to_string() + " is too small for " + std::to_string(pods) + " pods and a gateway");
}

Status check_mtu(const NodeSubnets& subnets) {
  const bool v6 = std::any_of(subnets.subnets.begin(), subnets.subnets.end(),
                              [](const Cidr& subnet) { return subnet.family() == Family::kIpv6; });
  const uint32_t least = v6 ? kMinIpv6Mtu : kMinMtu;
  if (subnets.mtu >= least && subnets.mtu <= kMaxMtu) return {};
  return Error::config(kMtuKey, "must be within " + std::to_string(least) + " and " + std::to_string(kMaxMtu) +
                                    ", not " + std::to_string(subnets.mtu));
}

void put_line(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).append("=").append(value).append("\n");
}

}  // namespace

Status check_subnets(const NodeSubnets& subnets, uint64_t pods) {
  for (const Cidr& network : subnets.networks) CNIO_TRY(check_network(subnets, network));
  for (const Cidr& subnet : subnets.subnets) CNIO_TRY(check_subnet(subnets, subnet, pods));
  return check_mtu(subnets);
}

std::string format_subnets(const NodeSubnets& subnets) {
  std::string out;
  for (const Cidr& subnet : subnets.subnets) {
    const FamilyKeys& keys = keys_of(subnet.family());
    put_line(out, keys.network, joined(subnets.networks, subnet.family()));
    put_line(out, keys.subnet, Cidr{subnet.network().addr.next(), subnet.prefix}.to_string());
  }
  put_line(out, kMtuKey, std::to_string(subnets.mtu));
  put_line(out, kMasqueradeKey, subnets.ip_masq ? "true" : "false");
  return out;
}

Result<bool> write_subnets(const std::string& path, const NodeSubnets& subnets) {
  const std::string text = format_subnets(subnets);
  const auto now = read_regular_file(path, kMaxSubnetFile);
  if (now.ok() && now.value() == text) return false;
  const std::string folder = parent_of(path);
  CNIO_TRY(create_folder(folder, kSubnetFolderMode));
  // Whoever lists the folder passes over what begins with a dot; and two writers do not write into one file.
  const std::string temporary =
      folder + "/." + path.substr(path.find_last_of('/') + 1) + "." + std::to_string(getpid());
  return put_whole_file(path, temporary, text, {.mode = kSubnetFileMode, .durable = true});
}

}  // namespace cnio::ipam
