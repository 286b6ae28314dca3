// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint/here.hpp"

#include <algorithm>
#include <linux/netlink.h>

#include <nlohmann/json.hpp>

#include "cnio/base/process.hpp"

#include "cnioctl/inside/positions.hpp"
#include "cnioctl/or_default.hpp"
#include "cnioctl/rivals.hpp"
#include "cnioctl/world/setup.hpp"

namespace cnio::cnioctl {
namespace {

using net::IfIndex;
using net::Link;
using protocol::Fields;
using protocol::Json;

constexpr char kHere[] = "node";
constexpr unsigned kHostBits = 2;  // with fewer host-local gives no address

bool has_type(const NetworkFile& network, const std::string& type) {
  return std::find(network.types.begin(), network.types.end(), type) != network.types.end();
}

Fields object_of(const Fields& fields, std::string_view key) {
  static const Json kNone;
  auto object = fields.object(key);
  return object.ok() ? std::move(object).value() : Fields(kNone);
}

// A program that is called, and the key that says so.
struct Called {
  std::string type;
  std::string key;
};

// flannel makes a configuration for another plugin, with host-local's addresses.
void add_delegates(const Fields& config, const std::string& path, std::vector<Called>& out) {
  const std::string delegate = or_default(object_of(config, "delegate").text("type"));
  out.push_back({delegate.empty() ? "bridge" : delegate, path + "delegate.type"});
  out.push_back({"host-local", path + "type"});
}

void add_called(const Json& plugin, const std::string& path, std::vector<Called>& out) {
  const Fields config(plugin);
  const std::string type = or_default(config.text("type"));
  out.push_back({type, path + "type"});
  if (type == "flannel") add_delegates(config, path, out);
  out.push_back({or_default(object_of(config, "ipam").text("type")), path + "ipam.type"});
}

std::vector<Called> called_by(const SeenFile& file) {
  std::vector<Called> out;
  const auto whole = protocol::parse_json(file.text);
  const auto configs = plugin_configs(file.text);
  if (!whole.ok() || !configs.ok()) return out;  // that has been said
  const bool list = Fields(whole.value()).has("plugins");
  for (size_t i = 0; i < configs.value().size(); ++i) {
    add_called(configs.value()[i], list ? "plugins[" + std::to_string(i) + "]." : "", out);
  }
  std::erase_if(out, [](const Called& each) { return each.type.empty(); });
  return out;
}

bool is_there(const std::string& folders, const std::string& type) {
  return type.find('/') == std::string::npos && !find_executable(folders, type).empty();
}

}  // namespace

Ground Ground::look(Report& report) {
  Ground out;
  auto host = net::Netlink::open(NETLINK_ROUTE);
  if (!host.ok()) {
    report.blind(kHere, host.error());
    return out;
  }
  out.host_ = std::move(host).value();
  auto links = net::list_links(*out.host_);
  auto addresses = net::list_addresses(*out.host_);
  if (!links.ok()) report.blind(kHere, links.error());
  if (!addresses.ok()) report.blind(kHere, addresses.error());
  if (links.ok()) out.links_ = std::move(links).value();
  if (addresses.ok()) out.addresses_ = std::move(addresses).value();
  return out;
}

const Link* Ground::find(IfIndex index) const {
  const auto found = std::find_if(links_.begin(), links_.end(), [&](const Link& each) { return each.index == index; });
  return found == links_.end() ? nullptr : &*found;
}

std::string Ground::name_of(IfIndex index) const {
  const Link* link = find(index);
  return link == nullptr ? "an interface" : link->name;
}

// Its bridges, with the gateways of their VLANs, and ptp's cables into pods.
bool Ground::is_theirs(const NetworkFile& network, IfIndex index) const {
  const Link* link = find(index);
  if (link == nullptr) return false;
  if (has_type(network, "ptp") && link->kind == "veth" && link->peer_namespace) return true;
  return std::any_of(network.bridges.begin(), network.bridges.end(), [&](const std::string& bridge) {
    return link->name == bridge || link->name.starts_with(bridge + ".");
  });
}

bool Ground::compare_addresses(const SeenFile& file, const Cidr& subnet, Report& report) const {
  bool found = false;
  for (const net::OwnedAddress& own : addresses_) {
    const Cidr& cidr = own.address.cidr;
    if (!cidr.overlaps(subnet) || is_of_overlay(cidr, subnet) || is_theirs(*file.network, own.owner)) continue;
    const std::string how = subnet.contains(cidr.addr) ? " covers " : " lies in the network of ";
    report.add({Level::kWarning, file.path, subnet.to_string() + how + cidr.to_string() + " of " + name_of(own.owner),
                "overlap"});
    found = true;
  }
  return found;
}

void Ground::compare_routes(const SeenFile& file, const Cidr& subnet, Report& report) {
  const auto theirs = [&](IfIndex link) { return is_theirs(*file.network, link); };
  const auto route = find_rival_route(*host_, subnet, theirs);
  if (!route.ok()) return report.blind(kHere, route.error());
  if (!route.value()) return;
  report.add({Level::kWarning, file.path,
              subnet.to_string() + " has addresses to which this node has a route by " + name_of(route.value()->link) +
                  ": " + route.value()->dst.to_string(),
              "overlap"});
}

void Ground::compare(const SeenFile& file, Report& report) {
  if (!host_ || !file.network || (!has_type(*file.network, "bridge") && !has_type(*file.network, "ptp"))) return;
  for (const Cidr& subnet : file.network->subnets) {
    if (subnet.prefix + kHostBits > subnet.addr.bits()) continue;
    // An address has its route.
    if (!compare_addresses(file, subnet, report)) compare_routes(file, subnet, report);
  }
}

void check_plugins(const SeenFile& file, const std::string& folders, Report& report) {
  const Positions positions(file.text);
  for (const Called& each : called_by(file)) {
    if (is_there(folders, each.type)) continue;
    report.add({Level::kError, file.path + ":" + std::to_string(positions.line_of(each.key)),
                each.type + " is not in " + folders, "no-plugin"});
  }
}

}  // namespace cnio::cnioctl
