// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <linux/netlink.h>
#include <memory>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/masquerading.hpp"
#include "cnio/attachment/sandbox_end.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/attachment/take_over.hpp"
#include "cnio/net/own_address.hpp"
#include "cnio/protocol/plugin.hpp"
#include "cnio/protocol/pod.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

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

// What is to be made, as it is recorded before.
RecordedPair new_pair(const Request& request, const Network& network, uint64_t host) {
  RecordedPair pair;
  pair.network = request.network;
  pair.attachment = request.attachment;
  pair.host = host;
  pair.prefix = network.host_prefix;
  pair.host_mac = MacAddr::random_high();
  pair.sandbox_mac = network.mac.value_or(MacAddr::random());
  pair.config = request.stdin_data;
  pair.pod = protocol::pod_name(request.cni_args);
  return pair;
}

std::optional<AttachmentRecord> open_record(const Request& request) {
  auto record = AttachmentRecord::read(request.attachment);
  if (record.ok()) return std::move(record).value();
  protocol::note(request.plugin, "what DEL and GC need is not recorded: " + record.error().msg());
  return std::nullopt;
}

std::vector<RecordedPair> recorded_pairs(const Places& at) {
  return at.record ? at.record->pairs_on(at.turns.host()) : std::vector<RecordedPair>();
}

// The addresses that the IPAM plugin gives, and their undo: to be called also if the port has failed meanwhile.
Result<AddResult> get_addresses(const Request& request, const Delegate& ipam, Delegate::Adding adding, Places& at,
                                Rollback& undo) {
  const auto lives = [&] {
    const auto found = has_other_end(at.host, recorded_pairs(at), at.pair);
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
Status bring_up(const Network& network, Places& at, const Veth& veth) {
  // Or the kernel looks for duplicates of the interface's own IPv6 address, and the pod waits for that.
  CNIO_TRY(at.sandbox.run([&]() -> Status {
    prepare_duplicate_detection(veth.sandbox_end, network);
    return {};
  }));
  CNIO_TRY(net::set_link_up(at.sandbox.route(), veth.sandbox_end));
  CNIO_TRY(net::set_link_up(at.host, veth.host_end));
  return wait_for_pair(at.host, at.sandbox, veth);
}

struct Connected {
  Veth veth;
  std::optional<AddResult> addresses;  // none in layer 2
};

// For an IPAM plugin that has no use for the link: it works while that is made.
Result<Connected> make_meanwhile(const Request& request, Driver& driver, const Delegate& ipam, Places& at,
                                 Rollback& undo) {
  // Not under a lock that the driver takes: a program that starts has a part in it until it runs.
  CNIO_LET(Delegate::Adding adding, ipam.start_add());
  auto made = driver.make(at, undo);
  auto given = get_addresses(request, ipam, std::move(adding), at, undo);
  CNIO_LET(Veth veth, std::move(made));
  CNIO_LET(AddResult addresses, std::move(given));
  return Connected{std::move(veth), std::move(addresses)};
}

// A lease of an earlier life of the attachment is kept up from the interface of then, if that is still there. Asked
// again, the daemon would answer with that lease, which then runs out under the pod.
Status release_former_lease(const Request& request, const Delegate& ipam, const Places& at) {
  if (!releases_over_link(ipam.type())) return {};
  const std::vector<RecordedPair> pairs = recorded_pairs(at);
  const bool former = std::any_of(pairs.begin(), pairs.end(), [&](const RecordedPair& pair) {
    return pair.network == request.network && pair.host_mac != at.pair.host_mac;
  });
  return former ? ipam.release() : Status();
}

// For all others: the link is up, and its port forwards.
Result<AddResult> get_addresses_by_link(const Request& request, const Network& network, const Delegate& ipam,
                                        Places& at, const Veth& veth, Rollback& undo) {
  CNIO_TRY(release_former_lease(request, ipam, at));
  CNIO_TRY(bring_up(network, at, veth));
  CNIO_LET(Delegate::Adding adding, ipam.start_add());
  return get_addresses(request, ipam, std::move(adding), at, undo);
}

// The pair and the addresses, in the order that the IPAM plugin needs.
Result<Connected> make_and_get_addresses(const Request& request, Driver& driver, const std::optional<Delegate>& ipam,
                                         Places& at, Rollback& undo) {
  if (ipam && works_without_link(ipam->type())) return make_meanwhile(request, driver, *ipam, at, undo);
  Connected out;
  CNIO_LET(out.veth, driver.make(at, undo));
  if (!ipam) return out;
  auto given = get_addresses_by_link(request, driver.network(), *ipam, at, out.veth, undo);
  if (!given.ok()) return driver.explain(at, std::move(given).error());
  out.addresses = std::move(given).value();
  return out;
}

// The pairs of an earlier life of the attachment go once the IPAM plugin has agreed, which refuses an attachment that
// lives; the address is the same, and must not be at two places.
Status remove_former_pairs(const Request& request, Places& at) {
  const std::vector<RecordedPair> pairs = recorded_pairs(at);
  CNIO_LET(const auto former, find_former_ends(at.host, pairs, at.pair));
  for (const net::Link& link : former) CNIO_TRY(net::remove_link(at.host, link));
  for (const RecordedPair& pair : pairs) {
    if (pair.network != request.network || pair.host_mac == at.pair.host_mac) continue;
    if (const Status gone = at.record->forget(pair); !gone.ok()) protocol::note(request.plugin, gone.error().msg());
  }
  return {};
}

// Without an IPAM plugin nobody can tell an earlier life from one that goes on elsewhere: only what is gone is
// forgotten.
void forget_dead_pairs(const Request& request, Places& at) {
  for (const RecordedPair& pair : recorded_pairs(at)) {
    if (pair.network != request.network || pair.host_mac == at.pair.host_mac) continue;
    const auto link = find_recorded_end(at.host, pair);
    if (link.ok() && !link.value()) (void)at.record->forget(pair);  // of no use, and no harm
  }
}

// For DEL and GC, which believe nothing else.
void write_down(const Request& request, const AddResult& result, Places& at) {
  at.pair.addresses = addresses_of(result);
  if (!at.record) return;
  if (const Status written = at.record->complete(at.pair); !written.ok()) {
    protocol::note(request.plugin, written.error().msg());
  }
}

Result<AddResult> connect_layer2(const Request& request, const Network& network, Places& at, const Veth& veth) {
  forget_dead_pairs(request, at);
  write_down(request, {}, at);
  if (!network.sandbox_end_down) CNIO_TRY(net::set_link_up(at.sandbox.route(), veth.sandbox_end));
  CNIO_TRY(net::set_link_up(at.host, veth.host_end));
  if (network.sandbox_end_down) return AddResult{};
  CNIO_TRY(wait_for_pair(at.host, at.sandbox, veth));
  return AddResult{};
}

void announce(const Request& request, Driver& driver, Places& at, const Veth& veth, const AddResult& result) {
  const auto there = driver.neighbourhood(at);
  const Status told =
      there.ok() ? take_over_addresses(at.host, there.value(), at.sandbox, veth.sandbox_end, addresses_of(result))
                 : Status(there.error());
  if (told.ok()) return;
  protocol::note(request.plugin,
                 "an address that another pod had before may be unreachable for some seconds: " + told.error().msg());
}

constexpr int kOwnAddressTimeoutMs = 5'000;

std::vector<IpAddr> ipv6_of(const AddResult& result) {
  std::vector<IpAddr> addresses = addresses_of(result);
  std::erase_if(addresses, [](const IpAddr& address) { return address.is_v4(); });
  return addresses;
}

Status wait_until_own(Driver& driver, Places& at, const Veth& veth, const AddResult& result,
                      const std::vector<IpAddr>& addresses) {
  CNIO_LET(const std::optional<HostAddresses> there, driver.host_addresses(at, veth, result));
  if (there) {
    CNIO_TRY(net::wait_until_own(at.host, there->link, there->addresses, kOwnAddressTimeoutMs, net::listen_here));
  }
  return net::wait_until_own(at.sandbox.route(), veth.sandbox_end, addresses, kOwnAddressTimeoutMs,
                             [&](const std::vector<int>& groups) { return at.sandbox.listen(groups); });
}

// As late as can be: by now the kernel is done, as a rule. If it takes its time, that is no reason to fail, so whoever
// calls this says it when nothing else can.
Status wait_for_ipv6(Driver& driver, Places& at, const Veth& veth, const AddResult& result) {
  const std::vector<IpAddr> addresses = ipv6_of(result);
  return addresses.empty() ? Status() : wait_until_own(driver, at, veth, result, addresses);
}

// Everything above the link. Returns the result without its interfaces.
Result<AddResult> connect_layer3(const Request& request, const std::shared_ptr<Driver>& kept, AddResult addresses,
                                 Places& at, const Veth& veth, Rollback& undo) {
  Driver& driver = *kept;
  const Network& network = driver.network();
  CNIO_TRY(remove_former_pairs(request, at));
  CNIO_LET(AddResult result, complete_ipam_result(driver.completion(), std::move(addresses)));
  write_down(request, result, at);
  CNIO_LET(const std::vector<net::RouteSpec> routes, driver.routes(result));
  CNIO_TRY(driver.plan(at, result));

  undo.last("forget the addresses of " + request.attachment.container_id, [kept, result, veth]() -> Status {
    CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const auto there, kept->former_neighbourhood(again));
    std::vector<IpAddr> ours = addresses_of(result);
    CNIO_TRY(kept->leave_to_others(again, ours));
    return forget_addresses(again, nullptr, there, std::move(ours), veth.sandbox_end.mac);
  });
  CNIO_TRY(configure_sandbox_end(at.host, at.sandbox, veth, network, result, routes, driver.prefix_route()));
  CNIO_TRY(masquerade(request, network, result, at.nft, undo));
  CNIO_TRY(wait_for_pair(at.host, at.sandbox, veth));
  CNIO_TRY(driver.connect_host(at, veth, result));
  announce(request, driver, at, veth, result);
  return result;
}

// All that follows once the pair stands.
Result<AddResult> connect(const Request& request, const std::shared_ptr<Driver>& driver, Connected ready, Places& at,
                          Rollback& undo) {
  AddResult result;
  if (ready.addresses) {
    CNIO_LET(result, connect_layer3(request, driver, *std::move(ready.addresses), at, ready.veth, undo));
  } else {
    CNIO_LET(result, connect_layer2(request, driver->network(), at, ready.veth));
  }
  const Status own = wait_for_ipv6(*driver, at, ready.veth, result);
  CNIO_LET(result.interfaces, driver->interfaces(at, ready.veth));
  if (!own.ok()) protocol::note(request.plugin, "IPv6 may not work for the first moments: " + own.error().msg());
  return result;
}

// All that is looked at before the first change, the same for every kind of link.
Result<Places> take_places(const Request& request, const Network& network, Rollback& undo) {
  CNIO_LET(auto nft, require_masquerade(request, network));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  Places at{Turns::open(request.plugin), open_record(request), {}, std::move(host), std::move(sandbox), std::move(nft)};
  at.pair = new_pair(request, network, at.turns.host());
  wait_for_turn(request, at, undo);
  CNIO_TRY(check_name_is_free(at.sandbox, request));
  return at;
}

}  // namespace

protocol::Interface entry_of(const net::Link& link, std::string sandbox) {
  return {.name = link.name,
          .mac = link.mac ? link.mac->to_string() : std::string(),
          .mtu = {},
          .sandbox = std::move(sandbox),
          .socket_path = {},
          .pci_id = {}};
}

Result<AddResult> add(const Request& request, const std::shared_ptr<Driver>& kept, Rollback& undo) {
  Driver& driver = *kept;
  const Network& network = driver.network();
  CNIO_LET(const std::optional<Delegate> ipam, find_ipam(request, network));
  if (!ipam) CNIO_TRY(protocol::check_result({}, request.version));  // before 0.3.0 a result needs addresses
  CNIO_LET(Places at, take_places(request, network, undo));
  CNIO_TRY(driver.look(at));  // before the IPAM plugin keeps what it does in its store
  CNIO_LET(Connected ready, make_and_get_addresses(request, driver, ipam, at, undo));
  auto connected = connect(request, kept, std::move(ready), at, undo);
  if (!connected.ok()) return driver.explain(at, std::move(connected).error());
  AddResult result = std::move(connected).value();
  if (network.dns) result.dns = *network.dns;
  return result;
}

}  // namespace cnio::attachment
