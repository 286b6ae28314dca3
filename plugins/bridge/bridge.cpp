// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/bridge.hpp"

#include <algorithm>
#include <linux/netlink.h>
#include <memory>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/attachment/turns.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/firewall/masquerade.hpp"
#include "cnio/firewall/spoof_check.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sandbox.hpp"

#include "bridge/addressing.hpp"
#include "bridge/check.hpp"
#include "bridge/config.hpp"
#include "bridge/ipam.hpp"
#include "bridge/keys.hpp"
#include "bridge/removal.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using attachment::Delegate;
using protocol::AddResult;
using protocol::Command;
using protocol::Interface;
using protocol::Request;

// The places of our entries in a result, in the reference's order.
constexpr size_t kSandboxEntry = 2;

Result<firewall::MasqueradeSpec> masquerade_of(const Request& request, const Config& config, const AddResult& result) {
  firewall::MasqueradeSpec spec{.who = {request.network, request.attachment},
                                .addresses = {},
                                .exclude = config.ip_masq_exclude,
                                .only = config.ip_masq_only};
  CNIO_LET(spec.backend, masquerade_backend(config));
  for (const protocol::IpConfig& ip : result.ips) spec.addresses.push_back(ip.address);
  return spec;
}

// What masquerading needs must be there before anything is changed.
Result<std::optional<net::NftConnection>> require_masquerade(const Request& request, const Config& config) {
  if (!config.ip_masq || config.layer2()) return std::optional<net::NftConnection>();
  CNIO_LET(const firewall::MasqueradeBackend backend, masquerade_backend(config));
  return firewall::require_masquerade_backend(backend, request.environment);
}

std::string mac_text(const net::Link& link) { return link.mac ? link.mac->to_string() : std::string(); }

Interface entry_of(const net::Link& link, std::string sandbox = {}) {
  return {.name = link.name,
          .mac = mac_text(link),
          .mtu = {},
          .sandbox = std::move(sandbox),
          .socket_path = {},
          .pci_id = {}};
}

// Where an ADD acts.
struct Places {
  attachment::Turns turns;
  std::optional<attachment::AttachmentRecord> record;  // none on a host that cannot keep it
  attachment::RecordedPair pair;                       // what this ADD makes
  net::Netlink host;
  net::Sandbox sandbox;
  std::optional<net::NftConnection> nft;  // if masquerading needs it
};

// The IPAM plugin works while the pair is made, so several ADDs of one attachment would fail each other: one of them
// has the interface's name by then, another the address. One after the other, the first succeeds, and the others learn
// that the interface exists. Until the undo is over, too. (That no DEL or GC removes what is being added is up to the
// runtime: CNI 1.1.0, "Lifecycle & Ordering".)
void wait_for_turn(const Request& request, const Places& at, Rollback& undo) {
  if (request.netns_override) return;  // it may be the host's own
  auto turn = at.turns.at_sandbox(at.sandbox.netns(), "the sandbox " + request.netns_path);
  undo.last("let others add to the sandbox",
            [turn = std::make_shared<std::optional<HostLock>>(std::move(turn))] { return Status(); });
}

struct Joined {
  BridgeLink bridge;
  Veth veth;
};

// What is to be made, as it is recorded before.
attachment::RecordedPair new_pair(const Request& request, const Config& config, uint64_t host) {
  attachment::RecordedPair pair;
  pair.network = request.network;
  pair.attachment = request.attachment;
  pair.host = host;
  pair.prefix = config.host_prefix;
  pair.host_mac = MacAddr::random_high();
  pair.sandbox_mac = config.mac.value_or(MacAddr::random());
  pair.config = request.stdin_data;
  return pair;
}

std::vector<attachment::RecordedPair> recorded_pairs(const Places& at) {
  return at.record ? at.record->pairs_on(at.turns.host()) : std::vector<attachment::RecordedPair>();
}

// The bridge, and the attachment's port in it.
Result<Joined> join_bridge(const Request& request, const Config& config, Places& at, Rollback& undo) {
  // Until it has our port, no DEL may take the bridge for empty.
  const auto lock = at.turns.relying_on_bridges();
  CNIO_LET(const BridgeLink bridge, ensure_bridge(at.host, config, undo));
  auto veth = create_attachment_veth(at.host, at.sandbox, request, config, bridge.link, at.pair, at.record, undo);
  if (!veth.ok()) return explain_lost_bridge(at.host, bridge.link, std::move(veth).error());
  return Joined{bridge, std::move(veth).value()};
}

// The addresses that the IPAM plugin gives, and their undo: to be called also if the port has failed meanwhile.
Result<AddResult> get_addresses(const Request& request, const Config& config, const Delegate& ipam,
                                Delegate::Adding adding, Places& at, Rollback& undo) {
  const auto lives = [&] {
    const auto found = has_other_end(at.host, config, recorded_pairs(at), at.pair);
    return !found.ok() || found.value();
  };
  auto answer = adding.finish(lives);
  if (!answer.ok()) return answer;
  const std::string what = "release the addresses of " + request.attachment.container_id;
  const auto release = [ipam] { return ipam.release(); };
  if (releases_over_link(ipam.type())) {
    undo.add(what, release);
  } else {
    undo.last(what, release);
  }
  return answer;
}

// The link carries frames when this returns.
Status bring_up(const Config& config, Places& at, const Veth& veth) {
  // Or the kernel looks for duplicates of the interface's own IPv6 address, and the pod waits for that.
  CNIO_TRY(at.sandbox.run([&]() -> Status {
    prepare_duplicate_detection(veth.sandbox_end, config);
    return {};
  }));
  CNIO_TRY(net::set_link_up(at.sandbox.route(), veth.sandbox_end));
  CNIO_TRY(net::set_link_up(at.host, veth.host_end));
  return wait_for_pair(at.host, at.sandbox, veth);
}

// The pairs of an earlier life of the attachment go once the IPAM plugin has agreed, which refuses an attachment that
// lives; the address is the same, and must not be at two places.
Status remove_former_pairs(const Request& request, const Config& config, Places& at) {
  const std::vector<attachment::RecordedPair> pairs = recorded_pairs(at);
  CNIO_LET(const auto former, find_former_ends(at.host, config, pairs, at.pair));
  for (const net::Link& link : former) CNIO_TRY(net::remove_link(at.host, link));
  for (const attachment::RecordedPair& pair : pairs) {
    if (pair.network != request.network || pair.host_mac == at.pair.host_mac) continue;
    if (const Status gone = at.record->forget(pair); !gone.ok()) protocol::note("bridge", gone.error().msg());
  }
  return {};
}

// Without an IPAM plugin nobody can tell an earlier life from one that goes on elsewhere: only what is gone is
// forgotten.
void forget_dead_pairs(const Request& request, Places& at) {
  for (const attachment::RecordedPair& pair : recorded_pairs(at)) {
    if (pair.network != request.network || pair.host_mac == at.pair.host_mac) continue;
    const auto link = find_recorded_end(at.host, pair);
    if (link.ok() && !link.value()) (void)at.record->forget(pair);  // of no use, and no harm
  }
}

// For DEL and GC, which believe nothing else.
void write_down(const AddResult& result, Places& at) {
  at.pair.addresses = addresses_of(result);
  if (!at.record) return;
  if (const Status written = at.record->complete(at.pair); !written.ok())
    protocol::note("bridge", written.error().msg());
}

Status guard_against_spoofing(const Request& request, const Config& config, const Veth& veth, Rollback& undo) {
  if (!config.spoof_check) return {};
  return firewall::install_spoof_check(spoof_check_of(request, veth.host_end, veth.sandbox_end), undo);
}

// The pod's interface as a port of the bridge that the configuration asks for, still down. The spoof check comes before
// any frame.
Result<Joined> plug_in(const Request& request, const Config& config, Places& at, Rollback& undo) {
  CNIO_LET(Joined joined, join_bridge(request, config, at, undo));
  Status configured = configure_attachment(at.host, request, config, joined.veth);
  if (configured.ok()) configured = guard_against_spoofing(request, config, joined.veth, undo);
  if (!configured.ok()) return explain_lost_bridge(at.host, joined.bridge.link, std::move(configured).error());
  return joined;
}

// Everything above the link: addresses, routes, gateway, masquerade. Returns the result without its interfaces.
Result<AddResult> connect_layer3(const Request& request, const Config& config, AddResult addresses, Places& at,
                                 const Joined& joined, Rollback& undo) {
  const Veth& veth = joined.veth;
  CNIO_TRY(remove_former_pairs(request, config, at));
  CNIO_LET(AddResult result, complete_ipam_result(config, std::move(addresses), kSandboxEntry));
  write_down(result, at);
  CNIO_LET(const std::vector<net::RouteSpec> routes, kernel_routes(result));
  const std::vector<Cidr> gateways = config.is_gateway ? gateway_addresses(result) : std::vector<Cidr>();
  CNIO_LET(const GatewayPlan plan, plan_gateway(at.host, config, gateways));

  undo.last("forget the addresses of " + request.attachment.container_id, [=]() -> Status {
    CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
    return forget_addresses(again, nullptr, config, addresses_of(result), veth.sandbox_end.mac);
  });
  CNIO_TRY(configure_sandbox_end(at.host, at.sandbox, veth, config, result, routes));
  if (config.ip_masq) {
    CNIO_LET(const firewall::MasqueradeSpec spec, masquerade_of(request, config, result));
    CNIO_TRY(firewall::install_masquerade(at.nft, spec, request.environment, undo));
  }
  CNIO_TRY(wait_for_pair(at.host, at.sandbox, veth));
  // Last, since other attachments come to rely on it at once: what can fail has not failed.
  CNIO_TRY(configure_gateway(at.host, joined.bridge, config, plan, gateways));
  take_over_addresses(at.host, config, joined.bridge, at.sandbox, veth.sandbox_end, result);
  return result;
}

Result<AddResult> connect_layer2(const Request& request, const Config& config, Places& at, const Veth& veth) {
  forget_dead_pairs(request, at);
  write_down({}, at);
  if (!config.sandbox_end_down) CNIO_TRY(net::set_link_up(at.sandbox.route(), veth.sandbox_end));
  CNIO_TRY(net::set_link_up(at.host, veth.host_end));
  if (config.sandbox_end_down) return AddResult{};
  CNIO_TRY(wait_for_pair(at.host, at.sandbox, veth));
  return AddResult{};
}

// The interfaces of the result. Read again: a bridge made by others may take its MAC address from the port that has
// joined, and the end of a VLAN may just have been made.
Result<std::vector<Interface>> list_interfaces(const Request& request, const Config& config, net::Netlink& host,
                                               const Joined& joined) {
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, joined.bridge.link.index));
  if (!bridge) return lost_bridge(config.bridge);
  std::vector<Interface> interfaces = {entry_of(*bridge), entry_of(joined.veth.host_end),
                                       entry_of(joined.veth.sandbox_end, request.netns_path)};
  if (config.vlan == 0 || !config.is_gateway || config.layer2()) return interfaces;
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  if (gateway) interfaces.push_back(entry_of(*gateway));
  return interfaces;
}

// All that follows once the pod's interface is a port of the bridge.
Result<AddResult> connect(const Request& request, const Config& config, std::optional<AddResult> addresses, Places& at,
                          const Joined& joined, Rollback& undo) {
  AddResult result;
  if (addresses) {
    CNIO_LET(result, connect_layer3(request, config, *std::move(addresses), at, joined, undo));
  } else {
    CNIO_LET(result, connect_layer2(request, config, at, joined.veth));
  }
  CNIO_LET(result.interfaces, list_interfaces(request, config, at.host, joined));
  return result;
}

std::optional<attachment::AttachmentRecord> open_record(const Request& request) {
  auto record = attachment::AttachmentRecord::read(request.attachment);
  if (record.ok()) return std::move(record).value();
  protocol::note("bridge", "what DEL and GC need is not recorded: " + record.error().msg());
  return std::nullopt;
}

struct Connected {
  Joined joined;
  std::optional<AddResult> addresses;  // none in layer 2
};

// For an IPAM plugin that has no use for the link: it works while that is made.
Result<Connected> connect_meanwhile(const Request& request, const Config& config, const Delegate& ipam, Places& at,
                                    Rollback& undo) {
  // Not under join_bridge's lock, which a program that starts has a part in until it runs.
  CNIO_LET(Delegate::Adding adding, ipam.start_add());
  auto plugged_in = plug_in(request, config, at, undo);
  auto given = get_addresses(request, config, ipam, std::move(adding), at, undo);
  CNIO_LET(Joined joined, std::move(plugged_in));
  CNIO_LET(AddResult addresses, std::move(given));
  return Connected{std::move(joined), std::move(addresses)};
}

// A lease of an earlier life of the attachment is kept up from the interface of then, if that is still there. Asked
// again, the daemon would answer with that lease, which then runs out under the pod.
Status release_former_lease(const Request& request, const Delegate& ipam, const Places& at) {
  if (!releases_over_link(ipam.type())) return {};
  const std::vector<attachment::RecordedPair> pairs = recorded_pairs(at);
  const bool former = std::any_of(pairs.begin(), pairs.end(), [&](const attachment::RecordedPair& pair) {
    return pair.network == request.network && pair.host_mac != at.pair.host_mac;
  });
  return former ? ipam.release() : Status();
}

// For all others: the link is up, and its port forwards.
Result<AddResult> get_addresses_by_link(const Request& request, const Config& config, const Delegate& ipam, Places& at,
                                        const Veth& veth, Rollback& undo) {
  CNIO_TRY(release_former_lease(request, ipam, at));
  CNIO_TRY(bring_up(config, at, veth));
  CNIO_LET(Delegate::Adding adding, ipam.start_add());
  return get_addresses(request, config, ipam, std::move(adding), at, undo);
}

// The port and the addresses, in the order that the IPAM plugin needs.
Result<Connected> plug_in_and_get_addresses(const Request& request, const Config& config,
                                            const std::optional<Delegate>& ipam, Places& at, Rollback& undo) {
  if (ipam && works_without_link(ipam->type())) return connect_meanwhile(request, config, *ipam, at, undo);
  Connected out;
  CNIO_LET(out.joined, plug_in(request, config, at, undo));
  if (!ipam) return out;
  auto given = get_addresses_by_link(request, config, *ipam, at, out.joined.veth, undo);
  if (!given.ok()) return explain_lost_bridge(at.host, out.joined.bridge.link, std::move(given).error());
  out.addresses = std::move(given).value();
  return out;
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(Config config, parse_config(request, Validation::kFull));
  CNIO_LET(const std::optional<Delegate> ipam, find_ipam(request, config));
  if (!ipam) CNIO_TRY(protocol::format_result({}, request.version));  // before 0.3.0 a result needs addresses
  CNIO_LET(auto nft, require_masquerade(request, config));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  Places at{
      attachment::Turns::open("bridge"), open_record(request), {}, std::move(host), std::move(sandbox), std::move(nft)};
  at.pair = new_pair(request, config, at.turns.host());
  wait_for_turn(request, at, undo);
  CNIO_TRY(check_name_is_free(at.sandbox, request));
  if (config.mtu_auto) {
    CNIO_LET(config.mtu, default_route_mtu(at.host));
  }
  CNIO_TRY(check_bridge_name(at.host, config));  // before the IPAM plugin keeps what it does in its store
  CNIO_LET(Connected ready, plug_in_and_get_addresses(request, config, ipam, at, undo));
  const Joined joined = std::move(ready.joined);
  auto connected = connect(request, config, std::move(ready.addresses), at, joined, undo);
  if (!connected.ok()) return explain_lost_bridge(at.host, joined.bridge.link, std::move(connected).error());
  AddResult result = std::move(connected).value();
  if (config.dns) result.dns = *config.dns;
  return result;
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const std::optional<AddResult> prev_result, protocol::parse_prev_result(request.fields(), request.version));
  if (!prev_result) return Error::config("prevResult", "is missing: CHECK compares it with what is there");
  CNIO_LET(const std::optional<Delegate> ipam, find_ipam(request, config));
  if (ipam) CNIO_TRY(ipam->run(Command::kCheck));

  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_TRY(check_links(host, sandbox, request, config, *prev_result));
  if (!ipam || !config.ip_masq) return {};
  CNIO_LET(const firewall::MasqueradeSpec spec, masquerade_of(request, config, *prev_result));
  return firewall::check_masquerade(spec, request.environment);
}

// What the configuration needs of the kernel and of the host.
Status rehearse(const Request& request, const Config& config) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  for (const char* kind : {"bridge", "veth"}) {
    CNIO_LET(const bool possible, net::can_create(host, kind));
    if (!possible) {
      return Error::make(Code::kKernel, "this kernel cannot make links of kind " + std::string(kind))
          .hint("the kernel module " + std::string(kind) + " is missing");
    }
  }
  CNIO_TRY(require_vlan_filtering(config));
  if (config.mtu_auto) CNIO_TRY(default_route_mtu(host));
  CNIO_TRY(check_subnets(host, request, config));
  CNIO_TRY(check_subnets_forwarded(host, request, config));
  if (config.spoof_check) CNIO_TRY(firewall::require_spoof_check());
  if (!config.ip_masq || config.layer2()) return {};
  CNIO_LET(const firewall::MasqueradeBackend backend, masquerade_backend(config));
  return firewall::rehearse_masquerade(backend, request.environment);
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  auto ipam = find_ipam(request, config);
  std::optional<Result<Delegate::Prepared>> answer;
  if (ipam.ok() && ipam.value()) answer = ipam.value()->prepare(Command::kStatus);
  if (Status ready = rehearse(request, config); !ready.ok()) {
    if (ready.error().code() == Code::kLimited) return ready;
    return std::move(ready).error().unavailable();
  }
  if (!ipam.ok()) {
    const bool missing = ipam.error().code() == Code::kDelegate;
    return missing ? std::move(ipam).error().unavailable() : std::move(ipam).error();
  }
  if (!answer) return {};
  CNIO_LET(Delegate::Prepared call, *std::move(answer));
  return call.run();
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "bridge",
          .about = "Connects a container to a bridge on the host by a veth pair, with addresses from an IPAM plugin.",
          .example_config =
              R"({"cniVersion": "1.1.0", "name": "demo", "type": "bridge", "bridge": "cnio0", "isGateway": true,
         "ipMasq": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.240.9.0/24"}]],
         "routes": [{"dst": "0.0.0.0/0"}]}})",
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .keys = kKeys};
}

}  // namespace cnio::bridge
