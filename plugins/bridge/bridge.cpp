// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/bridge.hpp"

#include <linux/netlink.h>
#include <memory>
#include <unistd.h>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/feature/delegate.hpp"
#include "cnio/feature/masquerade.hpp"
#include "cnio/feature/spoof_check.hpp"
#include "cnio/feature/turns.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sandbox.hpp"

#include "bridge/addressing.hpp"
#include "bridge/check.hpp"
#include "bridge/config.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using feature::Delegate;
using protocol::AddResult;
using protocol::Command;
using protocol::Interface;
using protocol::Request;

// The places of our entries in a result, in the reference's order.
constexpr size_t kSandboxEntry = 2;

feature::MasqueradeIdentity identity_of(const Request& request) { return {request.network, request.attachment}; }

Result<feature::MasqueradeSpec> masquerade_of(const Request& request, const Config& config, const AddResult& result) {
  feature::MasqueradeSpec spec{
      .who = identity_of(request), .addresses = {}, .exclude = config.ip_masq_exclude, .only = config.ip_masq_only};
  CNIO_LET(spec.backend, masquerade_backend(config));
  for (const protocol::IpConfig& ip : result.ips) spec.addresses.push_back(ip.address);
  return spec;
}

// What masquerading needs must be there before anything is changed.
Result<std::optional<net::NftConnection>> require_masquerade(const Request& request, const Config& config) {
  if (!config.ip_masq || config.layer2()) return std::optional<net::NftConnection>();
  CNIO_LET(const feature::MasqueradeBackend backend, masquerade_backend(config));
  return feature::require_masquerade_backend(backend, request.environment);
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

// The IPAM plugin of the network; none for layer 2.
Result<std::optional<Delegate>> find_ipam(const Request& request, const Config& config) {
  if (config.layer2()) return std::optional<Delegate>();
  CNIO_LET(Delegate ipam, Delegate::find(request, config.ipam_type));
  return std::optional(std::move(ipam));
}

// Where an ADD acts.
struct Places {
  feature::Turns turns;
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

// The bridge, and the attachment's port in it.
Result<Joined> join_bridge(const Request& request, const Config& config, Places& at, Rollback& undo) {
  // Until it has our port, no DEL may take the bridge for empty.
  const auto lock = at.turns.relying_on_bridges();
  CNIO_LET(const BridgeLink bridge, ensure_bridge(at.host, config, undo));
  auto veth = create_attachment_veth(at.host, at.sandbox, request, config, bridge.link, undo);
  if (!veth.ok()) return explain_lost_bridge(at.host, bridge.link, std::move(veth).error());
  return Joined{bridge, std::move(veth).value()};
}

// The addresses that the IPAM plugin gives, and their undo: to be called also if the port has failed meanwhile.
Result<AddResult> get_addresses(const Request& request, const Delegate& ipam, Delegate::Adding adding, Rollback& undo) {
  auto answer = adding.finish();
  if (answer.ok()) {
    undo.last("release the addresses of " + request.attachment.container_id, [ipam] { return ipam.undo_add(); });
  }
  return answer;
}

// The pod's interface as a port of the bridge that the configuration asks for.
Result<Joined> plug_in(const Request& request, const Config& config, Places& at, Rollback& undo) {
  CNIO_LET(Joined joined, join_bridge(request, config, at, undo));
  const Status configured = configure_attachment(at.host, request, config, joined.veth);
  if (!configured.ok()) return explain_lost_bridge(at.host, joined.bridge.link, configured.error());
  return joined;
}

Status guard_against_spoofing(const Request& request, const Config& config, const Veth& veth, Rollback& undo) {
  if (!config.spoof_check) return {};
  return feature::install_spoof_check(spoof_check_of(request, veth.host_end, veth.sandbox_end), undo);
}

// Everything above the link: addresses, routes, gateway, masquerade. Returns the result without its interfaces.
Result<AddResult> connect_layer3(const Request& request, const Config& config, AddResult addresses, Places& at,
                                 const Joined& joined, Rollback& undo) {
  const Veth& veth = joined.veth;
  CNIO_TRY(guard_against_spoofing(request, config, veth, undo));
  CNIO_TRY(remove_former_pairs(at.host, request, config, veth));
  CNIO_LET(AddResult result, complete_ipam_result(config, std::move(addresses), kSandboxEntry));
  CNIO_LET(const std::vector<net::RouteSpec> routes, kernel_routes(result));
  const std::vector<Cidr> gateways = config.is_gateway ? gateway_addresses(result) : std::vector<Cidr>();
  CNIO_LET(const GatewayPlan plan, plan_gateway(at.host, config, gateways));

  undo.last("forget the addresses of " + request.attachment.container_id, [=]() -> Status {
    CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
    return forget_addresses(again, nullptr, config, addresses_of(result), veth.sandbox_end.mac);
  });
  CNIO_TRY(configure_sandbox_end(at.host, at.sandbox, veth, config, result, routes));
  if (config.ip_masq) {
    CNIO_LET(const feature::MasqueradeSpec spec, masquerade_of(request, config, result));
    CNIO_TRY(feature::install_masquerade(at.nft, spec, request.environment, undo));
  }
  CNIO_TRY(wait_for_pair(at.host, at.sandbox, veth));
  // Last, since other attachments come to rely on it at once: what can fail has not failed.
  CNIO_TRY(configure_gateway(at.host, joined.bridge, config, plan, gateways));
  take_over_addresses(at.host, config, joined.bridge, at.sandbox, veth.sandbox_end, result);
  return result;
}

Result<AddResult> connect_layer2(const Request& request, const Config& config, Places& at, const Veth& veth,
                                 Rollback& undo) {
  CNIO_TRY(guard_against_spoofing(request, config, veth, undo));
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
    CNIO_LET(result, connect_layer2(request, config, at, joined.veth, undo));
  }
  CNIO_LET(result.interfaces, list_interfaces(request, config, at.host, joined));
  return result;
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(Config config, parse_config(request, Validation::kFull));
  CNIO_LET(const std::optional<Delegate> ipam, find_ipam(request, config));
  if (!ipam) CNIO_TRY(protocol::format_result({}, request.version));  // before 0.3.0 a result needs addresses
  CNIO_LET(auto nft, require_masquerade(request, config));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  Places at{feature::Turns::open("bridge"), std::move(host), std::move(sandbox), std::move(nft)};
  wait_for_turn(request, at, undo);
  CNIO_TRY(check_name_is_free(at.sandbox, request));
  if (config.mtu_auto) {
    CNIO_LET(config.mtu, default_route_mtu(at.host));
  }
  CNIO_TRY(check_bridge_name(at.host, config));  // before the IPAM plugin keeps what it does in its store
  std::optional<Delegate::Adding> adding;
  if (ipam) {
    // Not under join_bridge's lock, which a program that starts has a part in until it runs.
    CNIO_LET(adding, ipam->start_add());
  }
  auto plugged_in = plug_in(request, config, at, undo);
  std::optional<Result<AddResult>> given;
  if (adding) given = get_addresses(request, *ipam, *std::move(adding), undo);
  CNIO_LET(const Joined joined, std::move(plugged_in));
  std::optional<AddResult> addresses;
  if (given) {
    CNIO_LET(addresses, *std::move(given));
  }
  auto connected = connect(request, config, std::move(addresses), at, joined, undo);
  if (!connected.ok()) return explain_lost_bridge(at.host, joined.bridge.link, std::move(connected).error());
  AddResult result = std::move(connected).value();
  if (config.dns) result.dns = *config.dns;
  return result;
}

// The attachment's addresses as far as they can still be learnt: recorded by ADD, or set on its interface.
std::vector<IpAddr> known_addresses(const Recorded& recorded, std::optional<net::Sandbox>& sandbox,
                                    const std::optional<net::Link>& link, ErrorList& errors) {
  std::vector<IpAddr> out = recorded.addresses;
  if (!sandbox || !link) return out;
  auto present = net::list_addresses(sandbox->route(), *link);
  if (!present.ok()) {
    errors.collect(std::move(present).error());
    return out;
  }
  for (const net::Address& address : present.value()) out.push_back(address.cidr.addr);
  return out;
}

// The links of an attachment. `nft` has just removed its rules, so that closing it takes long, and would hold up the
// rest of the crowd.
Status remove_links(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Leftover& left,
                    std::optional<net::NftConnection>& nft, const Crowd* crowd) {
  if (!left.host_end) return {};
  if (!left.sandbox_end) return net::remove_link(host, *left.host_end);
  const std::vector<int> slow = nft ? std::vector<int>{nft->netfilter().fd()} : std::vector<int>();
  return net::remove_pair(host, *left.host_end, sandbox->route(), *left.sandbox_end, slow, crowd);
}

// The rules of the attachment, then its links and what the host knows of its addresses. A foreign interface under its
// name is left alone.
Status disconnect(const Request& request, const Config& config, const Crowd* crowd) {
  ErrorList errors;
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(std::optional<net::Sandbox> sandbox, net::Sandbox::find(request.netns_path));
  // Only a help: what it cannot say is found without it, so one that cannot be read does not stop the removal.
  auto recorded = protocol::parse_prev_result(request.fields(), request.version);
  const std::optional<AddResult> prev_result = recorded.ok() ? std::move(recorded).value() : std::nullopt;
  CNIO_LET(const Leftover left, find_leftover(host, sandbox, request, config, prev_result));
  if (!left.foreign.empty()) protocol::note("bridge", left.foreign);

  const Recorded ours = recorded_attachment(prev_result, request.attachment.ifname);
  const std::vector<IpAddr> addresses = known_addresses(ours, sandbox, left.sandbox_end, errors);
  auto opened = net::NftConnection::open();
  if (!opened.ok()) errors.collect(opened.error());
  std::optional<net::NftConnection> nft = opened.ok() ? std::move(opened).value() : std::nullopt;
  errors.collect(feature::remove_masquerade(nft, identity_of(request), addresses, request.environment));
  if (nft) errors.collect(feature::remove_spoof_check(*nft, request.network, request.attachment));
  errors.collect(remove_links(host, sandbox, left, nft, crowd));
  // When nobody sends under them any more.
  net::Netlink* netfilter = nft ? &nft->netfilter() : nullptr;
  const auto& mac = left.sandbox_end ? left.sandbox_end->mac : ours.mac;
  errors.collect(forget_addresses(host, netfilter, config, addresses, mac));
  if (config.delete_when_empty) errors.collect(remove_bridge_if_empty(host, config));
  return errors.status();
}

Status del(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kTypes));
  const auto here = net::Namespace::own_number();
  const std::optional<Crowd> crowd = here.ok() ? Crowd::join(here.value()) : std::nullopt;
  const auto ipam = find_ipam(request, config);
  std::optional<Result<Delegate::Prepared>> release;
  if (ipam.ok() && ipam.value()) release = ipam.value()->prepare(Command::kDel);
  // An address is released only when neither link nor rule uses it any more.
  CNIO_TRY(disconnect(request, config, crowd ? &*crowd : nullptr));
  if (!ipam.ok()) return ipam.error();
  if (!release) return {};
  CNIO_LET(Delegate::Prepared call, *std::move(release));
  return call.run();
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
  CNIO_LET(const feature::MasqueradeSpec spec, masquerade_of(request, config, *prev_result));
  return feature::check_masquerade(spec, request.environment);
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
  if (config.spoof_check) CNIO_TRY(feature::require_spoof_check());
  if (!config.ip_masq || config.layer2()) return {};
  CNIO_LET(const feature::MasqueradeBackend backend, masquerade_backend(config));
  return feature::rehearse_masquerade(backend, request.environment);
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  auto ipam = find_ipam(request, config);
  std::optional<Result<Delegate::Prepared>> answer;
  if (ipam.ok() && ipam.value()) answer = ipam.value()->prepare(Command::kStatus);
  if (Status ready = rehearse(request, config); !ready.ok()) return std::move(ready).error().unavailable();
  if (!ipam.ok()) {
    const bool missing = ipam.error().code() == Code::kDelegate;
    return missing ? std::move(ipam).error().unavailable() : std::move(ipam).error();
  }
  if (!answer) return {};
  CNIO_LET(Delegate::Prepared call, *std::move(answer));
  return call.run();
}

Status gc(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kTypes));
  CNIO_LET(const std::vector<protocol::Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  ErrorList errors;
  errors.collect(feature::collect_masquerade_garbage(request.network, valid, request.environment));
  errors.collect(feature::collect_spoof_check_garbage(request.network, valid));
  const Status links = remove_stale_links(host, config, request.network, valid);
  errors.collect(links);
  if (links.ok() && config.delete_when_empty) errors.collect(remove_bridge_if_empty(host, config));
  // As in DEL: no address is released while a link may still use it.
  if (links.ok() && !config.layer2()) {
    const auto ipam = Delegate::find(request, config.ipam_type);
    errors.collect(ipam.ok() ? ipam.value().run(Command::kGc) : Status(ipam.error()));
  }
  return errors.status();
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
          .gc = gc};
}

}  // namespace cnio::bridge
