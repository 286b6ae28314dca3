// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "loopback/loopback.hpp"

#include <algorithm>

#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/sandbox.hpp"

namespace cnio::loopback {
namespace {

using protocol::AddResult;
using protocol::Request;

constexpr char kLo[] = "lo";

Result<net::Link> find_lo(net::Sandbox& sandbox) {
  CNIO_LET(const std::optional<net::Link> lo, net::find_link(sandbox.route(), kLo));
  if (!lo) return Error::make(Code::kKernel, "the sandbox has no interface lo");
  return *lo;
}

// The first IPv4 and the first IPv6 address, in the order in which the kernel lists them.
Result<std::vector<protocol::IpConfig>> loopback_addresses(net::Sandbox& sandbox, const net::Link& lo) {
  CNIO_LET(const std::vector<net::Address> addresses, net::list_addresses(sandbox.route(), lo));
  for (const net::Address& address : addresses) {
    if (address.cidr.addr.is_loopback()) continue;
    return Error::make(Code::kConflict,
                       "lo has the address " + address.cidr.to_string() + ", which is no loopback address");
  }
  std::vector<protocol::IpConfig> out;
  for (const Family family : kFamilies) {
    const auto first = std::find_if(addresses.begin(), addresses.end(),
                                    [&](const net::Address& each) { return each.cidr.family() == family; });
    if (first != addresses.end()) out.push_back({first->cidr, std::nullopt, 0});
  }
  return out;
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_TRY(protocol::check_common_keys(request.fields()));
  CNIO_LET(const std::optional<AddResult> previous, protocol::parse_prev_result(request.fields(), request.version));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const net::Link lo, find_lo(sandbox));
  CNIO_LET(std::vector<protocol::IpConfig> ips, loopback_addresses(sandbox, lo));  // refused before the first change
  if (!lo.up) {
    // Before: it may be done although its answer is lost.
    undo.add("set lo down", [path = request.netns_path]() -> Status {
      CNIO_LET(net::Sandbox again, net::Sandbox::open(path));
      CNIO_LET(const net::Link link, find_lo(again));
      return net::set_link_down(again.route(), link);
    });
    CNIO_TRY(net::set_link_up(sandbox.route(), lo));
    CNIO_LET(ips, loopback_addresses(sandbox, lo));
  }
  if (previous) return *previous;
  AddResult result;
  result.interfaces.push_back({.name = kLo,
                               .mac = "00:00:00:00:00:00",
                               .mtu = {},
                               .sandbox = request.netns_path,
                               .socket_path = {},
                               .pci_id = {}});
  result.ips = std::move(ips);
  return result;
}

Status del(const Request& request) {
  CNIO_LET(std::optional<net::Sandbox> sandbox, net::Sandbox::find(request.netns_path));
  if (!sandbox) return {};
  CNIO_LET(const net::Link lo, find_lo(*sandbox));
  return net::set_link_down(sandbox->route(), lo);
}

Status check(const Request& request) {
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const net::Link lo, find_lo(sandbox));
  if (lo.up) return {};
  return Error::make(Code::kCheckFailed, "interface lo in " + request.netns_path + ": expected up, found down");
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "loopback",
          .about = "Sets the loopback interface of a container's network namespace up.",
          .example_config = R"({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"})",
          .add = add,
          .del = del,
          .check = check,
          .status = protocol::nothing_to_do("loopback depends on nothing that could be unavailable"),
          .gc = protocol::nothing_to_do("loopback keeps nothing outside the sandbox"),
          .keys = {}};  // none of its own
}

}  // namespace cnio::loopback
