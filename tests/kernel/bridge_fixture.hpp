// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/attachment/leftover.hpp"
#include "cnio/attachment/pair.hpp"

#include "bridge/steps.hpp"
#include "net_fixture.hpp"

namespace cnio::bridge {

inline Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

class BridgeStepsTest : public test::NetTest {
 protected:
  BridgeStepsTest() { config_.bridge = "br0"; }

  BridgeLink ensured() {
    Rollback undo;
    auto bridge = ensure_bridge(route(), config_, undo);
    EXPECT_OK(bridge);
    undo.commit();
    return bridge.ok() ? std::move(bridge).value() : BridgeLink{};
  }
  static test::Json seen(const std::string& name, const std::string& netns = "") {
    return test::find_link(name, netns);
  }

  Config config_;
};

/// A bridge, and a sandbox to be connected to it.
class AttachmentTest : public BridgeStepsTest {
 protected:
  AttachmentTest() : sandbox_(net::Sandbox::open(test::add_netns("pod")).value()), bridge_(ensured()) {}

  static protocol::Request request(const std::string& container = "c1", const std::string& ifname = "eth0") {
    protocol::Request out;
    out.network = "n";
    out.attachment = {container, ifname};
    out.netns_path = "/run/netns/pod";
    return out;
  }
  Result<attachment::Veth> create(Rollback& undo, const protocol::Request& call = request()) {
    attachment::RecordedPair pair;
    pair.network = call.network;
    pair.attachment = call.attachment;
    pair.prefix = config_.host_prefix;
    pair.host_mac = MacAddr::random_high();
    pair.sandbox_mac = config_.mac.value_or(MacAddr::random());
    std::optional<attachment::AttachmentRecord> record;  // as on a host that cannot keep one
    CNIO_LET(const attachment::Veth veth,
             attachment::create_pair(route(), *sandbox_, call, {config_.mtu, bridge_.link.index}, pair, record, undo));
    CNIO_TRY(configure_attachment(route(), call, config_, veth));
    return veth;
  }
  // A pair that stays.
  attachment::Veth created(const protocol::Request& call = request()) {
    Rollback undo;
    auto veth = create(undo, call);
    EXPECT_OK(veth);
    undo.commit();
    return veth.ok() ? std::move(veth).value() : attachment::Veth{};
  }
  attachment::Leftover leftover(const protocol::Request& call = request(),
                                const std::optional<protocol::AddResult>& prev = std::nullopt) {
    auto found = attachment::find_leftover(route(), sandbox_, call, network_of(config_), {}, prev);
    EXPECT_OK(found);
    return found.ok() ? std::move(found).value() : attachment::Leftover{};
  }

  std::optional<net::Sandbox> sandbox_;
  BridgeLink bridge_;
  const std::string pod_ = "/run/netns/pod";
};

}  // namespace cnio::bridge
