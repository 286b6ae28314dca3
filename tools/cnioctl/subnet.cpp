// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/subnet.hpp"

#include <algorithm>
#include <charconv>
#include <linux/netlink.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/subnet_file.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/kube_node.hpp"
#include "cnioctl/network_file.hpp"
#include "cnioctl/node.hpp"
#include "cnioctl/sort_stably.hpp"
#include "cnioctl/subnet_change.hpp"

namespace cnio::cnioctl {
namespace {

using ipam::NodeSubnets;
using protocol::Json;

constexpr size_t kMaxInput = 16 << 20;  // far more than the API server takes for an object

Result<Wire> wire_of(const SubnetOptions& options) {
  const auto overlay = overlay_of(options.overlay);
  if (!overlay) return Error::make(Code::kInvalidConfig, "--overlay: " + quote(options.overlay) + " is none");
  return Wire{*overlay, options.uplink};
}

Result<Cidr> parse_cidr(std::string_view option, const std::string& text) {
  const auto cidr = Cidr::parse(text);
  if (!cidr) {
    return Error::make(Code::kInvalidConfig,
                       std::string(option) + ": " + quote(text) + " is no subnet like 10.240.1.0/24");
  }
  if (cidr->network() == *cidr) return *cidr;
  return Error::make(Code::kInvalidConfig, std::string(option) + ": " + text + " has host bits, did you mean " +
                                               cidr->network().to_string() + "?");
}

Result<std::vector<Cidr>> parse_cidrs(std::string_view option, const std::vector<std::string>& texts) {
  std::vector<Cidr> out;
  for (const std::string& text : texts) {
    CNIO_LET(const Cidr cidr, parse_cidr(option, text));
    out.push_back(cidr);
  }
  return out;
}

// IPv4 first, as the file has them.
void sort_by_family(std::vector<Cidr>& cidrs) {
  sort_stably(cidrs, [](const Cidr& a, const Cidr& b) { return a.family() < b.family(); });
}

Result<uint32_t> mtu_of(const SubnetOptions& options) {
  if (options.mtu == "auto") {
    CNIO_LET(const Wire wire, wire_of(options));
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    auto mtu = pod_mtu(host, wire);
    if (mtu.ok()) return mtu;
    return std::move(mtu).error().hint("or say it with --mtu");
  }
  uint32_t mtu = 0;
  const char* end = options.mtu.data() + options.mtu.size();
  const auto [behind, error] = std::from_chars(options.mtu.data(), end, mtu);
  if (error == std::errc() && behind == end) return mtu;
  return Error::make(Code::kInvalidConfig, "--mtu: " + quote(options.mtu) + " is neither a number nor auto");
}

Result<std::vector<std::string>> subnets_of(const SubnetOptions& options) {
  if (options.node_file.empty()) return options.subnets;
  CNIO_LET(const std::string text, options.node_file == "-" ? read_all(STDIN_FILENO, kMaxInput, "stdin")
                                                            : read_file(options.node_file, kMaxInput));
  return parse_pod_cidrs(text, options.node_name);
}

// The file has room for one of each, and leaves out the networks of a family without a subnet: whoever named them
// expects pods to have such addresses.
Status check_families(const std::vector<Cidr>& networks, const std::vector<Cidr>& subnets) {
  for (const Cidr& network : networks) {
    const auto same = [&](const Cidr& each) { return each.family() == network.family(); };
    if (std::any_of(subnets.begin(), subnets.end(), same)) continue;
    return Error::make(Code::kInvalidConfig, "--cluster: " + network.to_string() + ", but this node has no subnet of " +
                                                 std::string(family_name(network.family())));
  }
  for (size_t i = 1; i < subnets.size(); ++i) {
    if (subnets[i].family() != subnets[i - 1].family()) continue;
    return Error::make(Code::kInvalidConfig, "--subnet: two of " + std::string(family_name(subnets[i].family())) +
                                                 ": " + subnets[i - 1].to_string() + ", " + subnets[i].to_string());
  }
  return {};
}

Result<NodeSubnets> subnets_from(const SubnetOptions& options) {
  NodeSubnets out;
  CNIO_LET(const std::vector<std::string> subnets, subnets_of(options));
  CNIO_LET(out.networks, parse_cidrs("--cluster", options.cluster));
  CNIO_LET(out.subnets, parse_cidrs(options.node_file.empty() ? "--subnet" : "podCIDR", subnets));
  sort_by_family(out.networks);
  sort_by_family(out.subnets);
  CNIO_TRY(check_families(out.networks, out.subnets));
  out.ip_masq = options.ip_masq;
  CNIO_LET(out.mtu, mtu_of(options));
  CNIO_TRY(ipam::check_subnets(out, options.pods));
  return out;
}

std::string join(const std::vector<Cidr>& cidrs) {
  std::string text;
  for (const Cidr& cidr : cidrs) text += (text.empty() ? "" : ", ") + cidr.network().to_string();
  return text;
}

Json list_of(const std::vector<Cidr>& cidrs) {
  Json list = Json::array();
  for (const Cidr& cidr : cidrs) list.push_back(cidr.network().to_string());
  return list;
}

std::string json_of(const std::string& file, const NodeSubnets& subnets) {
  return protocol::format_json({{"schema", "cnioctl/1"},
                                {"file", file},
                                {"cluster", list_of(subnets.networks)},
                                {"subnets", list_of(subnets.subnets)},
                                {"mtu", subnets.mtu},
                                {"ipMasq", subnets.ip_masq}}) +
         "\n";
}

std::string text_of(const NodeSubnets& subnets) {
  return "cluster " + join(subnets.networks) + "\nsubnet " + join(subnets.subnets) + "\nmtu " +
         std::to_string(subnets.mtu) + "\nipmasq " + (subnets.ip_masq ? "true" : "false") + "\n";
}

// What it is about to replace; a file that is torn is no obstacle to writing a whole one, and is named.
std::vector<Cidr> former_subnets(const std::string& path, Report& report) {
  if (access(path.c_str(), F_OK) != 0) return {};
  auto former = ipam::read_subnets(path);
  if (former.ok()) return std::move(former).value().subnets;
  report.add({Level::kNote, path, "cannot be used, and is replaced: " + former.error().msg(), "invalid"});
  return {};
}

// Of the network's file, which is about to be replaced, too. What is wrong with it is none of our business.
std::vector<Cidr> configured_subnets(const std::string& path) {
  const auto text = read_file(path, kMaxInput);
  auto network = text.ok() ? parse_network_file(text.value()) : Result<NetworkFile>(text.error());
  return network.ok() ? std::move(network).value().subnets : std::vector<Cidr>();
}

SubnetChange change_to(NodeSubnets after, const SubnetOptions& options, Report& report) {
  SubnetChange change{former_subnets(options.file, report), std::move(after), options.network};
  const std::vector<Cidr> configured = configured_subnets(options.replaces);
  change.before.insert(change.before.end(), configured.begin(), configured.end());
  return change;
}

void refuse(const SubnetOptions& options, const std::vector<Occupant>& occupants, const std::string& why,
            Report& report) {
  if (occupants.empty()) return;
  const Level level = options.force ? Level::kNote : Level::kError;
  report.add({level, options.file, std::to_string(occupants.size()) + " " + why + ": " + list_text(occupants), "pods"});
}

void check_pods(const SubnetOptions& options, const SubnetChange& change, Report& report) {
  const auto occupants = list_occupants(options.stores, report);
  refuse(options, find_stranded(change, occupants),
         "running pods have addresses outside of " + join(change.after.subnets), report);
  refuse(options, find_shared(change, occupants),
         "running pods of other networks have addresses in " + join(change.after.subnets), report);
}

Outcome written(const SubnetOptions& options, const NodeSubnets& subnets, Report report) {
  const auto changed = ipam::write_subnets(options.file, subnets);
  if (!changed.ok()) return failure(changed.error());
  report.add({Level::kOk, options.file, changed.value() ? "written" : "says so already", ""});
  return outcome_of(report, options.json);
}

}  // namespace

Outcome subnet_show(const SubnetOptions& options) {
  const auto subnets = ipam::read_subnets(options.file);
  if (!subnets.ok()) return failure(subnets.error());
  return {Exit::kWell, options.json ? json_of(options.file, subnets.value()) : text_of(subnets.value())};
}

Outcome subnet_check(const SubnetOptions& options) {
  const auto wire = wire_of(options);
  if (!wire.ok()) return failure(wire.error(), Exit::kUsage);
  const auto subnets = ipam::read_subnets(options.file);
  if (!subnets.ok()) return failure(subnets.error());
  const Status right = ipam::check_subnets(subnets.value(), options.pods);
  Report report;
  if (right.ok()) {
    report.add({Level::kOk, options.file, join(subnets.value().subnets) + " of " + join(subnets.value().networks), ""});
  } else {
    report.add({Level::kError, options.file, right.error().msg(), "invalid"});
  }
  if (options.here) {
    auto host = net::Netlink::open(NETLINK_ROUTE);
    if (!host.ok()) return failure(host.error(), Exit::kBlind);
    report.append(look_at_node(host.value(), subnets.value(), options.bridge, wire.value()));
  }
  return outcome_of(report, options.json);
}

// What could not be looked at may hide pods, so then nothing is written either.
Outcome subnet_write(const SubnetOptions& options) {
  auto subnets = subnets_from(options);
  if (!subnets.ok()) return failure(subnets.error());
  Report report;
  const SubnetChange change = change_to(std::move(subnets).value(), options, report);
  check_pods(options, change, report);
  const bool refused = report.exit() != Exit::kWell && !options.force;
  if (refused || options.dry_run) return outcome_of(report, options.json);
  return written(options, change.after, std::move(report));
}

}  // namespace cnio::cnioctl
