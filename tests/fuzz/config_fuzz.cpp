// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A whole call up to the first change: stdin, version gate, configuration, answer. The first line of the input chooses
// ("host-local CHECK"; bridge and ADD if it says nothing), the rest is the configuration.
#include <iterator>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "cnio/base/unique_fd.hpp"
#include "cnio/protocol/plugin.hpp"

#include "bandwidth/config.hpp"
#include "bandwidth/plan.hpp"
#include "bridge/config.hpp"
#include "firewall/config.hpp"
#include "flannel/delegation.hpp"
#include "fuzz/fuzz.hpp"
#include "host-local/config.hpp"
#include "portmap/config.hpp"
#include "ptp/config.hpp"
#include "static/config.hpp"
#include "tuning/config.hpp"

namespace cnio::fuzz {
namespace {

using protocol::AddResult;
using protocol::Request;

constexpr size_t kLongestAnswer = size_t{1} << 22;

// One element of a path, below the folder it is put into.
bool is_path_element(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

void require_one_line(const std::string& msg) {
  require(!msg.empty() && msg.find_first_of("\n\r") == std::string::npos, "a message is one line", msg);
}

// What DEL and GC read is part of what ADD reads: they never ask for more.
Result<AddResult> read_host_local(const Request& request) {
  std::vector<std::string> ignored;
  const host_local::StoreConfig store = host_local::parse_store(request, ignored);
  CNIO_LET(const host_local::Config config, host_local::parse_config(request));
  require(store.folder == config.store.folder && ignored.empty(), "what ADD reserves, DEL finds");
  require(!config.sets.empty(), "there is a range");
  require(config.store.folder.ends_with("/" + request.network), "a network has a folder of its own",
          config.store.folder);
  AddResult result;
  result.routes = config.routes;
  for (const ipam::RangeSet& set : config.sets) {
    const auto given = set.next_free({}, [](const IpAddr&) { return false; });
    require(given.has_value(), "each range set has an address to give");
    result.ips.push_back({Cidr::host(*given), std::nullopt, std::nullopt});
  }
  return result;
}

Result<AddResult> read_bridge(const Request& request) {
  const auto types = bridge::parse_config(request, bridge::Validation::kTypes);
  require(types.ok(), "DEL takes everything");
  const std::string& name = types.value().bridge;
  require(name.size() <= 15 && name.find('/') == std::string::npos && name != "." && name != ".." && name != "all",
          "the bridge can have that name", name);
  CNIO_LET(const bridge::Config config, bridge::parse_config(request, bridge::Validation::kFull));
  require(!config.bridge.empty() && config.bridge == name, "what ADD makes, DEL finds", config.bridge);
  require(config.ipam_type == types.value().ipam_type && config.delete_when_empty == types.value().delete_when_empty,
          "a key that can be read is read by every verb");
  require(config.vlan <= 4094 && config.mtu <= 65535, "numbers are within their limits");
  AddResult result;
  if (config.dns) result.dns = *config.dns;
  return result;
}

Result<AddResult> read_static(const Request& request) {
  CNIO_LET(const static_ipam::Config config, static_ipam::parse_config(request));
  std::set<IpAddr> seen;
  for (const protocol::IpConfig& ip : config.addresses) {
    require(ip.address.why_no_host().empty(), "an interface can have it", ip.address.to_string());
    require(seen.insert(ip.address.addr).second, "no address is given twice", ip.address.to_string());
    if (!ip.gateway) continue;
    require(ip.gateway->family() == ip.address.family() && *ip.gateway != ip.address.addr, "a gateway is a neighbour",
            ip.address.to_string());
  }
  AddResult result{{}, config.addresses, config.routes, config.dns};
  take_result(result, request.version);
  return result;
}

Result<AddResult> read_ptp(const Request& request) {
  const auto types = ptp::parse_config(request, ptp::Validation::kTypes);
  require(types.ok(), "DEL takes everything");
  CNIO_LET(const attachment::Network network, ptp::parse_config(request, ptp::Validation::kFull));
  require(!network.ipam_type.empty(), "nothing is added without an address");
  require(network.ipam_type == types.value().ipam_type && network.host_prefix == types.value().host_prefix,
          "what ADD makes, DEL finds");
  require(network.mtu <= 65535 && !network.mac && !network.ports, "what only bridge has stays as it is");
  AddResult result;
  if (network.dns) result.dns = *network.dns;
  return result;
}

Result<AddResult> read_portmap(const Request& request) {
  CNIO_LET(const firewall::PortMapSpec spec, portmap::parse_config(request));
  std::set<firewall::PortMapping> seen;
  for (const firewall::PortMapping& mapping : spec.mappings) {
    require(mapping.host_port != 0 && mapping.pod_port != 0, "ports are within their limits");
    require(firewall::parse_transport(firewall::transport_name(mapping.protocol)) == mapping.protocol,
            "a protocol's name is that of its number");
    require(seen.insert(mapping).second, "no mapping is there twice");
  }
  require(spec.mark != 0 && (spec.mark & (spec.mark - 1)) == 0, "the mark is one bit");
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  const AddResult result = previous.value_or(AddResult());
  const std::vector<Cidr> chosen = portmap::choose_addresses(result, request.attachment);
  require(chosen.size() <= 2 && (chosen.size() < 2 || chosen[0].family() != chosen[1].family()),
          "ports lead to one address of each family");
  return result;
}

Result<AddResult> read_firewall(const Request& request) {
  CNIO_LET(const pod_firewall::Config config, pod_firewall::parse_config(request));
  require(!config.admin_chain.empty() && config.admin_chain.size() <= 28, "iptables takes the chain's name",
          config.admin_chain);
  require(config.admin_chain.find_first_of(" \"'\n-") != 0 && !config.zone.empty(), "it is no option",
          config.admin_chain);
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  return previous.value_or(AddResult());
}

Result<AddResult> read_tuning(const Request& request) {
  require(!tuning::data_dir(request).empty(), "DEL knows where backups are");
  CNIO_LET(const tuning::Config config, tuning::parse_config(request));
  std::set<std::string> seen;
  for (const tuning::Setting& each : config.settings) {
    require(!each.name.paths.empty() && !each.value.empty(), "each setting can be written", each.key);
    require(seen.insert(each.name.id).second, "no setting is there twice", each.key);
  }
  const net::LinkChange& link = config.link;
  require(!link.mac || (!link.mac->is_multicast() && !link.mac->is_zero()), "an interface can have it");
  require(!link.mtu || *link.mtu >= 68, "the MTU is within its limits");
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  return previous.value_or(AddResult());
}

void look_at_limit(const std::optional<bandwidth::Limit>& limit, uint32_t latency_ms) {
  if (!limit) return;
  require(limit->rate >= 8 && limit->burst > 0, "a limit lets something pass");
  for (const uint32_t mtu : {68U, 1'500U, 65'535U}) {
    const net::TbfSpec spec = bandwidth::plan_tbf(*limit, mtu, latency_ms);
    require(spec.rate == limit->rate / 8 && spec.burst > mtu && spec.limit > mtu, "a packet passes");
    const net::Tbf told = {spec.rate, static_cast<uint32_t>(net::ticks_of(spec.rate, spec.burst)), spec.limit};
    require(bandwidth::is_as_planned(told, spec), "CHECK finds what ADD made");
    (void)bandwidth::is_of_reference(told, *limit);
  }
}

Result<AddResult> read_bandwidth(const Request& request) {
  CNIO_LET(const bandwidth::Config config, bandwidth::parse_config(request));
  look_at_limit(config.ingress, config.latency_ms);
  look_at_limit(config.egress, config.latency_ms);
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  return previous.value_or(AddResult());
}

// Whatever ADD can be asked for can be told to a delegate, and recorded; and DEL knows as much without a subnet.
Result<AddResult> read_flannel(const Request& request) {
  const flannel::Config known = flannel::readable_config(request);
  require(!known.subnet_file.empty() && !known.data_dir.empty(), "DEL knows where to look");
  const flannel::Delegation guess = flannel::guess_delegation(request, known, std::nullopt);
  require(protocol::with_config(request, guess.config).ok(), "DEL can always tell a delegate", guess.config);
  CNIO_LET(const flannel::Config config, flannel::parse_config(request));
  ipam::NodeSubnets subnets;
  for (const char* subnet : {"10.244.1.1/24", "fd01::1/64"}) subnets.subnets.push_back(Cidr::parse(subnet).value());
  subnets.networks = subnets.subnets;
  CNIO_LET(const flannel::Delegation told, flannel::delegate_to(request, config, subnets));
  const auto recorded = flannel::parse_delegation(told.config);
  require(recorded && recorded->type == told.type && recorded->type == guess.type, "what is told can be read",
          told.config);
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  return previous.value_or(AddResult());
}

// A plugin that has no reader of its own here.
Result<AddResult> read_common(const Request& request) {
  CNIO_TRY(protocol::check_common_keys(request.fields()));
  CNIO_LET(const auto previous, protocol::parse_prev_result(request.fields(), request.version));
  return previous.value_or(AddResult());
}

Result<AddResult> read(std::string_view plugin, const Request& request) {
  require(is_path_element(request.network), "a network's name is no path", request.network);
  auto result = plugin == "host-local"  ? read_host_local(request)
                : plugin == "bridge"    ? read_bridge(request)
                : plugin == "static"    ? read_static(request)
                : plugin == "ptp"       ? read_ptp(request)
                : plugin == "portmap"   ? read_portmap(request)
                : plugin == "firewall"  ? read_firewall(request)
                : plugin == "tuning"    ? read_tuning(request)
                : plugin == "bandwidth" ? read_bandwidth(request)
                : plugin == "flannel"   ? read_flannel(request)
                                        : read_common(request);
  // What is not quoted here would be escaped in the answer, and hard to read.
  if (!result.ok()) require_one_line(result.error().msg());
  return result;
}

// A plugin whose verbs only read.
protocol::Plugin reader(std::string_view name) {
  const auto verb = [name](const Request& request) -> Status {
    CNIO_TRY(protocol::parse_prev_result(request.fields(), request.version));
    if (request.command == protocol::Command::kGc) CNIO_TRY(protocol::parse_valid_attachments(request.fields()));
    CNIO_TRY(read(name, request));
    return {};
  };
  return {name, "reads", "{}", [name](const Request& request, Rollback&) { return read(name, request); },
          verb, verb,    verb, verb};
}

void check_answer(const std::string& out, int status, bool add) {
  if (status == 0 && !add) return require(out.empty(), "success has nothing to say", out);
  const auto parsed = protocol::parse_json(out);
  require(parsed.ok() && parsed.value().is_object(), "an answer is a JSON object", out);
  const protocol::Fields fields(parsed.value());
  require(protocol::parse_version(fields.text("cniVersion").value()).has_value(), "an answer has a version", out);
  if (status == 0) return;
  const auto code = fields.integer("code");
  const auto msg = fields.text("msg");
  require(status == 1 && code.ok() && code.value().value_or(0) > 0, "an error has a code", out);
  require(code.value() != static_cast<int64_t>(Code::kInternal), "nothing escapes", out);
  require(msg.ok() && fields.text("details").ok(), "what it says is text", out);
  require_one_line(msg.value());
  if (code.value() == static_cast<int64_t>(Code::kInvalidConfig)) {
    require(msg.value().find("key \"") != std::string::npos, "the error names a key", out);
  }
}

using Words = std::vector<std::string>;

Words all_plugins() {
  std::istringstream list(CNIO_PLUGINS);
  return {std::istream_iterator<std::string>(list), {}};
}

// The longest that is in the line, for one may be part of another ("vlan", "ipvlan"); the first if there is none.
std::string_view word(std::string_view line, const Words& words) {
  std::string_view found;
  for (const std::string& each : words) {
    if (each.size() > found.size() && line.find(each) != std::string_view::npos) found = each;
  }
  return found.empty() ? words.front() : found;
}

void fuzz_one(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
  const std::string_view config = text.substr(std::min(line.size() + 1, text.size()));
  static const Words kPlugins = all_plugins();
  static const Words kCommands = {"ADD", "DEL", "CHECK", "STATUS", "GC"};
  const std::string_view plugin = word(line, kPlugins);
  const std::string_view command = word(line, kCommands);

  static const UniqueFd in(memfd_create("stdin", 0));
  static const UniqueFd out(memfd_create("stdout", 0));
  const bool ready = ftruncate(in.get(), 0) == 0 && ftruncate(out.get(), 0) == 0 && lseek(in.get(), 0, SEEK_SET) == 0 &&
                     lseek(out.get(), 0, SEEK_SET) == 0 && write_all(in.get(), config, "stdin").ok() &&
                     lseek(in.get(), 0, SEEK_SET) == 0;
  require(ready, "the streams are ready");
  const protocol::Environment environment({"CNI_COMMAND=" + std::string(command), "CNI_CONTAINERID=c1",
                                           "CNI_IFNAME=eth0", "CNI_NETNS=/run/netns/none", "CNI_PATH=/opt/cni/bin"});
  const int status = protocol::run_plugin(reader(plugin), 0, nullptr, environment, {in.get(), out.get(), 2});
  require(lseek(out.get(), 0, SEEK_SET) == 0, "the answer can be read");
  check_answer(read_all(out.get(), kLongestAnswer, "stdout").value(), status, command == "ADD");
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
