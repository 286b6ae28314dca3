// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/bridge.hpp"

#include <linux/netlink.h>
#include <memory>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/masquerading.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/base/no_rollback.hpp"
#include "cnio/firewall/spoof_check.hpp"
#include "cnio/net/netlink.hpp"

#include "bridge/check.hpp"
#include "bridge/config.hpp"
#include "bridge/keys.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using attachment::Places;
using attachment::Veth;
using protocol::AddResult;
using protocol::Interface;
using protocol::Request;

// The place of the pod's interface in a result, in the reference's order.
constexpr size_t kSandboxEntry = 2;

// Pods as ports of a bridge, which may be their gateway.
class Bridge : public attachment::Driver {
 public:
  Bridge(const Request& request, Config config)
      : request_(request), config_(std::move(config)), network_(network_of(config_)) {}

  [[nodiscard]] const attachment::Network& network() const override { return network_; }

  Status look(Places& at) override {
    if (config_.mtu_auto) {
      CNIO_LET(config_.mtu, default_route_mtu(at.host));
    }
    return check_bridge_name(at.host, config_);
  }

  // The spoof check comes before any frame.
  Result<Veth> make(Places& at, Rollback& undo) override {
    CNIO_LET(Veth veth, join_bridge(at, undo));
    Status configured = configure_attachment(at.host, request_, config_, veth);
    if (configured.ok() && config_.spoof_check) {
      configured = firewall::install_spoof_check(spoof_check_of(request_, veth.host_end, veth.sandbox_end), undo);
    }
    if (!configured.ok()) return explain(at, std::move(configured).error());
    return veth;
  }

  Error explain(Places& at, Error error) override {
    return explain_lost_bridge(at.host, bridge_.link, std::move(error));
  }

  [[nodiscard]] attachment::Completion completion() const override {
    return {config_.ipam_type, kSandboxEntry, config_.is_gateway, config_.is_default_gateway};
  }

  Status plan(Places& at, const AddResult& result) override {
    if (config_.is_gateway) gateways_ = attachment::gateway_addresses(result);
    CNIO_LET(plan_, plan_gateway(at.host, config_, gateways_));
    return {};
  }

  Status connect_host(Places& at, const Veth& /*veth*/, const AddResult& /*result*/) override {
    return configure_gateway(at.host, bridge_, config_, plan_, gateways_);
  }

  Result<std::optional<attachment::HostAddresses>> host_addresses(Places& at, const Veth& /*veth*/,
                                                                  const AddResult& /*result*/) override {
    if (gateways_.empty()) return std::optional<attachment::HostAddresses>();
    CNIO_LET(attachment::HostAddresses own, own_addresses(at.host, bridge_, config_, gateways_));
    return std::optional(std::move(own));
  }

  Result<std::optional<net::Link>> neighbourhood(Places& at) override {
    if (bridge_.created) return std::optional<net::Link>();  // a new bridge knows nobody
    if (config_.vlan == 0) return std::optional(bridge_.link);
    return former_neighbourhood(at.host);
  }

  // Read again: a bridge made by others may take its MAC address from the port that has joined, and the end of a VLAN
  // may just have been made.
  Result<std::vector<Interface>> interfaces(Places& at, const Veth& veth) override {
    CNIO_LET(const std::optional<net::Link> bridge, net::find_link(at.host, bridge_.link.index));
    if (!bridge) return lost_bridge(config_.bridge);
    std::vector<Interface> out = {attachment::entry_of(*bridge), attachment::entry_of(veth.host_end),
                                  attachment::entry_of(veth.sandbox_end, request_.netns_path)};
    if (config_.vlan == 0 || !config_.is_gateway || config_.layer2()) return out;
    CNIO_LET(const std::optional<net::Link> gateway, net::find_link(at.host, config_.gateway_interface()));
    if (gateway) out.push_back(attachment::entry_of(*gateway));
    return out;
  }

  Status rejoin(Places& at, const Veth& veth, const AddResult& prev) override {
    if (config_.mtu_auto) config_.mtu = veth.host_end.mtu;
    NoRollback kept;
    // As in ADD: before any frame.
    if (config_.spoof_check) {
      const auto spec = spoof_check_of(request_, veth.host_end, veth.sandbox_end);
      if (!firewall::check_spoof_check(spec).ok()) CNIO_TRY(firewall::install_spoof_check(spec, kept.steps()));
    }
    CNIO_TRY(rejoin_bridge(at, veth, prev, kept.steps()));
    CNIO_TRY(plan(at, prev));
    CNIO_TRY(connect_host(at, veth, prev));
    if (const auto mac = reported_mac(prev); mac && !gateways_.empty()) announce_gateway(at.host, bridge_.link, *mac);
    return {};
  }

  Status remove_rules(net::NftConnection& nft) override {
    return firewall::remove_spoof_check(nft, request_.network, request_.attachment);
  }

  Status collect_rules(const std::vector<protocol::Attachment>& valid) override {
    return firewall::collect_spoof_check_garbage(request_.network, valid);
  }

  Result<std::optional<net::Link>> former_neighbourhood(net::Netlink& host) override {
    return net::find_link(host, config_.gateway_interface());
  }

  Status tidy_up(net::Netlink& host) override {
    return config_.delete_when_empty ? remove_bridge_if_empty(host, config_) : Status();
  }

 private:
  // The bridge, and the attachment's port in it.
  Result<Veth> join_bridge(Places& at, Rollback& undo) {
    // Until it has our port, no DEL may take the bridge for empty.
    const auto lock = at.turns.relying_on_bridges();
    CNIO_LET(bridge_, ensure_bridge(at.host, config_, undo));
    auto veth = attachment::create_pair(at.host, at.sandbox, request_, {config_.mtu, bridge_.link.index}, at.pair,
                                        at.record, undo);
    if (!veth.ok()) return explain(at, std::move(veth).error());
    return veth;
  }

  // By which pods know it as their gateway; with a VLAN they know its end instead, which outlives the bridge.
  [[nodiscard]] std::optional<MacAddr> reported_mac(const AddResult& prev) const {
    const Interface* bridge = config_.vlan == 0 ? attachment::find_entry(prev, config_.bridge, false) : nullptr;
    return bridge == nullptr ? std::nullopt : MacAddr::parse(bridge->mac);
  }

  // The bridge as the pods know it, which may be gone, and the attachment's port in it.
  Status rejoin_bridge(Places& at, const Veth& veth, const AddResult& prev, Rollback& undo) {
    const auto lock = at.turns.relying_on_bridges();
    const auto mac = reported_mac(prev);
    CNIO_LET(bridge_, ensure_bridge(at.host, config_, undo, mac));
    if (mac && config_.is_gateway) CNIO_TRY(give_back_mac(at.host, bridge_.link, *mac));
    return bridge::rejoin_bridge(at.host, request_, config_, veth, bridge_.link);
  }

  const Request& request_;
  Config config_;
  attachment::Network network_;
  BridgeLink bridge_;
  std::vector<Cidr> gateways_;
  GatewayPlan plan_;
};

Result<std::unique_ptr<attachment::Driver>> driver_of_the_rest(const Request& request) {
  CNIO_LET(Config config, parse_config(request, Validation::kTypes));
  return std::unique_ptr<attachment::Driver>(std::make_unique<Bridge>(request, std::move(config)));
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(Config config, parse_config(request, Validation::kFull));
  return attachment::add(request, std::make_shared<Bridge>(request, std::move(config)), undo);
}

Status del(const Request& request) { return attachment::del(request, driver_of_the_rest); }

Status gc(const Request& request) { return attachment::gc(request, driver_of_the_rest); }

attachment::Compare compare_with(const Request& request, const Config& config) {
  return [&](net::Netlink& host, net::Sandbox& sandbox, const AddResult& prev) {
    return check_links(host, sandbox, request, config, prev);
  };
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  return attachment::check(request, network_of(config), compare_with(request, config));
}

Result<std::string> repair(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  Bridge driver(request, config);
  return attachment::repair(request, driver, compare_with(request, config));
}

// What the configuration needs of the kernel and of the host.
Status rehearse(const Request& request, const Config& config) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_TRY(attachment::require_kinds(host, {"bridge", "veth"}));
  CNIO_TRY(require_vlan_filtering(config));
  if (config.mtu_auto) CNIO_TRY(default_route_mtu(host));
  CNIO_TRY(check_subnets(host, request, config));
  CNIO_TRY(check_subnets_forwarded(host, request, config));
  if (config.spoof_check) CNIO_TRY(firewall::require_spoof_check());
  return attachment::rehearse_masquerade(request, network_of(config));
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kFull));
  return attachment::status(request, network_of(config), [&] { return rehearse(request, config); });
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
          .repair = repair,
          .keys = kKeys};
}

}  // namespace cnio::bridge
