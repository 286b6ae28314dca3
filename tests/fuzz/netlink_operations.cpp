// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "fuzz/netlink_operations.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "cnio/net/address.hpp"
#include "cnio/net/filter.hpp"
#include "cnio/net/link/bridge_vlan.hpp"
#include "cnio/net/link/events.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/nftables/trace.hpp"
#include "cnio/net/own_address.hpp"
#include "cnio/net/qdisc.hpp"
#include "cnio/net/route.hpp"

#include "fuzz/fuzz.hpp"

// The names are those of the stage that record-netlink sets up.
namespace cnio::fuzz {
namespace {

using net::Netlink;
using net::NftConnection;
using net::NftFamily;
using net::NftTable;

constexpr int kTimeoutMs = 1000;

net::Link link_named(std::string_view name, int index) {
  net::Link link;
  link.name = name;
  link.index = net::IfIndex{index};
  return link;
}

// The stage's links.
net::Link bridge() { return link_named("br0", 102); }
net::Link port() { return link_named("p0", 110); }

template <class T>
std::optional<T> value_of(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  check_error(result.error());
  return std::nullopt;
}

void done(const Status& status) { (void)value_of(status); }

std::optional<Netlink> route_socket() { return value_of(Netlink::open(NETLINK_ROUTE)); }

std::optional<NftConnection> nft_socket() {
  auto connection = value_of(NftConnection::open());
  return connection ? std::move(*connection) : std::nullopt;
}

void look_at(const Cidr& cidr) {
  require(!cidr.to_string().empty() && cidr.contains(cidr.network().addr) && cidr.contains(cidr.last()),
          "an address is in its network", cidr.to_string());
}

void look_at(const net::Link& link) {
  require(link.name.find('\0') == std::string::npos && link.alias.find('\0') == std::string::npos &&
              link.kind.find('\0') == std::string::npos,
          "texts end with their NUL");
}

void look_at(const net::KernelRoute& route) {
  look_at(route.dst);
  for (const IpAddr& gateway : route.gateways) require(!gateway.to_string().empty(), "a gateway has a text");
}

void look_at(const std::vector<net::PortVlan>& vlans) {
  require(!net::to_string(vlans).empty(), "VLANs have a text");
  for (const net::PortVlan& vlan : vlans) require(vlan.id >= 1 && vlan.id <= 4094, "a VLAN has a possible number");
}

void look_at(const net::NftRule& rule) {
  if (rule.source) look_at(*rule.source);
  if (rule.destination) look_at(*rule.destination);
  require(rule.same_effect(rule), "a rule does what it does");
}

void look_at(const net::Qdisc& qdisc) {
  require(qdisc.kind.find('\0') == std::string::npos && !net::to_string_tc(qdisc.handle).empty(),
          "a discipline has a kind and a handle");
  require(qdisc.kind == "tbf" || !qdisc.tbf, "only a token bucket has tokens");
}

void look_at(const net::Filter& filter) {
  require(filter.kind.find('\0') == std::string::npos, "texts end with their NUL");
  require(filter.kind == "u32" || (!filter.every_packet && filter.redirects.empty()), "only u32 is understood");
  for (const net::IfIndex link : filter.redirects) require(filter.redirects_to(link), "it goes where it goes");
}

template <class T>
void look_at_each(const std::optional<std::vector<T>>& list) {
  if (!list) return;
  for (const T& each : *list) look_at(each);
}

const NftTable kTable = {NftFamily::kInet, "t0"};
const IpAddr kKey = IpAddr::from_v4(0x0a010002);  // 10.1.0.2

// Rules of each form that the plugins write.
net::NftBatch batch() {
  net::NftBatch out(kTable);
  out.ensure_table("stage");
  out.ensure_verdict_map("m0", Family::kIpv4, "map");
  out.ensure_chain("c0", "chain");
  out.flush_chain("c0");
  net::NftRule to_network;
  to_network.destination = *Cidr::parse("10.1.0.0/24");
  to_network.action = net::NftRule::Action::kReturn;
  out.append_rule("c0", to_network);
  net::NftRule masquerade;
  masquerade.action = net::NftRule::Action::kMasquerade;
  masquerade.comment = "pod c0/eth0";
  out.append_rule("c0", masquerade);
  out.add_goto("m0", kKey, "c0");
  return out;
}

template <class Ask>
std::function<void()> with_route(Ask ask) {
  return [ask] {
    if (auto socket = route_socket()) ask(*socket);
  };
}

template <class Ask>
std::function<void()> with_nft(Ask ask) {
  return [ask] {
    if (auto socket = nft_socket()) ask(*socket);
  };
}

void find_link(Netlink& route) {
  const auto found = value_of(net::find_link(route, "p0"));
  if (found && *found) look_at(**found);
}

void find_default_route_link(Netlink& route) { (void)value_of(net::find_default_route_link(route)); }

void list_port_vlans(Netlink& route) {
  if (const auto vlans = value_of(net::list_port_vlans(route, port()))) look_at(*vlans);
}

void list_link_local(Netlink& route) {
  const auto addresses = value_of(net::list_link_local_addresses(route, bridge()));
  if (!addresses) return;
  for (const IpAddr& each : *addresses) require(each.is_link_local_unicast(), "only what was asked for");
}

void wait_operational(Netlink& route) {
  auto events = value_of(net::LinkEvents::open());
  if (events) done(events->wait_operational(route, port(), kTimeoutMs));
}

void wait_settled(Netlink& route) {
  auto events = value_of(net::AddressEvents::open());
  if (events) done(events->wait_settled(route, bridge(), kTimeoutMs));
}

void list_all_rules(NftConnection& nft) {
  for (const NftTable& table : {kTable, NftTable{NftFamily::kIpv4, "t4"}, NftTable{NftFamily::kBridge, "tb"}}) {
    look_at_each(value_of(nft.list_rules(table, "c0")));
  }
}

void list_chains(NftConnection& nft) {
  const auto chains = value_of(nft.list_chains(kTable));
  if (!chains) return;
  for (const net::NftChain& chain : *chains) {
    require(chain.comment.find('\0') == std::string::npos, "texts end with their NUL");
  }
}

}  // namespace

const std::vector<NetlinkOperation>& netlink_operations() {
  static const std::vector<NetlinkOperation> kOperations = {
      {"find-link", with_route(find_link)},
      {"list-links", with_route([](Netlink& route) { look_at_each(value_of(net::list_links(route))); })},
      {"list-ports",
       with_route([](Netlink& route) { look_at_each(value_of(net::list_links(route, bridge().index))); })},
      {"list-addresses", with_route([](Netlink& route) {
         const auto addresses = value_of(net::list_addresses(route, bridge()));
         if (!addresses) return;
         for (const net::Address& address : *addresses) look_at(address.cidr);
       })},
      {"list-routes-ipv4",
       with_route([](Netlink& route) { look_at_each(value_of(net::list_routes(route, bridge(), Family::kIpv4))); })},
      {"list-routes-ipv6",
       with_route([](Netlink& route) { look_at_each(value_of(net::list_routes(route, bridge(), Family::kIpv6))); })},
      {"find-default-route", with_route(find_default_route_link)},
      {"list-port-vlans", with_route(list_port_vlans)},
      {"can-create", with_route([](Netlink& route) { (void)value_of(net::can_create(route, "veth")); })},
      {"set-link-up", with_route([](Netlink& route) { done(net::set_link_up(route, port())); })},
      {"add-route-refused", with_route([](Netlink& route) {
         net::RouteSpec refused;
         refused.dst = *Cidr::parse("10.9.0.0/16");
         refused.gateway = *IpAddr::parse("192.0.2.1");
         done(net::add_route(route, bridge(), refused));
       })},
      {"wait-operational", with_route(wait_operational)},
      {"wait-settled", with_route(wait_settled)},
      {"nft-open", with_nft([](NftConnection&) {})},
      {"nft-commit", with_nft([](NftConnection& nft) { done(nft.commit(batch(), "write rules")); })},
      {"nft-view", with_nft([](NftConnection& nft) {
         (void)value_of(nft.view(kTable, {{"c0"}, {"m0"}, "c0"}));
       })},
      {"nft-find-table", with_nft([](NftConnection& nft) { (void)value_of(nft.find_table(kTable)); })},
      {"nft-list-base-chains", with_nft([](NftConnection& nft) { (void)value_of(nft.list_base_chains()); })},
      {"nft-trace", with_nft([](NftConnection& nft) { (void)value_of(net::NftTracer(nft, kTable, {}).trace("c0")); })},
      {"nft-find-chain", with_nft([](NftConnection& nft) { (void)value_of(nft.find_chain(kTable, "c0")); })},
      {"nft-list-chains", with_nft(list_chains)},
      {"nft-list-rules", with_nft(list_all_rules)},
      {"nft-find-goto", with_nft([](NftConnection& nft) { (void)value_of(nft.find_goto(kTable, "m0", kKey)); })},
      {"nft-list-keys", with_nft([](NftConnection& nft) { (void)value_of(nft.list_keys_to(kTable, "m0", "c0")); })},
      {"list-qdiscs", with_route([](Netlink& route) { look_at_each(value_of(net::list_qdiscs(route, port()))); })},
      {"list-filters", with_route([](Netlink& route) {
         look_at_each(value_of(net::list_filters(route, port(), net::kFiltersOfIngress)));
       })},
      {"wait-until-own", with_route([](Netlink& route) {
         done(net::wait_until_own(route, bridge(), {*IpAddr::parse("fd00:1::1")}, kTimeoutMs, net::listen_here));
       })},
      {"list-link-local", with_route(list_link_local)},
  };
  return kOperations;
}

}  // namespace cnio::fuzz
