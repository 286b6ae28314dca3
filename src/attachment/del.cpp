// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <linux/netlink.h>
#include <set>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/leftover.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/attachment/take_over.hpp"
#include "cnio/base/caretaker.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/firewall/masquerade.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/plugin.hpp"

#include "attachment/release.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

// What a DEL works on.
struct Scene {
  net::Netlink host;
  std::optional<net::Sandbox> sandbox;
  uint64_t number;  // of the host
  std::optional<AttachmentRecord> record;
  std::optional<Crowd> crowd;

  [[nodiscard]] std::vector<RecordedPair> pairs_of(const std::string& network) const {
    std::vector<RecordedPair> pairs = record ? record->pairs_on(number) : std::vector<RecordedPair>();
    std::erase_if(pairs, [&](const RecordedPair& pair) { return pair.network != network; });
    return pairs;
  }
};

// Goes on without what cannot be had: the rest is found without it.
Result<Scene> look_around(const Request& request, ErrorList& errors) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const uint64_t number, net::Namespace::own_number());
  auto sandbox = net::Sandbox::find(request.netns_path);
  if (!sandbox.ok()) errors.collect(sandbox.error());
  auto record = AttachmentRecord::read(request.attachment);
  if (!record.ok()) errors.collect(record.error());
  return Scene{std::move(host), sandbox.ok() ? std::move(sandbox).value() : std::nullopt, number,
               record.ok() ? std::optional(std::move(record).value()) : std::nullopt, Crowd::join(number)};
}

// What is left in the record then says nothing wrong, and is no reason to call DEL again: GC takes it.
void forget_pairs(const Request& request, Scene& scene, const std::string& network) {
  for (const RecordedPair& pair : scene.pairs_of(network)) {
    if (const Status gone = scene.record->forget(pair); !gone.ok()) protocol::note(request.plugin, gone.error().msg());
  }
}

// `nft` has just removed rules, so that closing it takes long, and would hold up the rest of the crowd.
Status remove_links(Scene& scene, const Leftover& left, std::optional<net::NftConnection>& nft) {
  ErrorList errors;
  bool swift = scene.sandbox.has_value();
  for (const net::Link& link : left.host_ends) {
    const Result<bool> inside = swift ? scene.sandbox->holds_peer_of(scene.host, link) : Result<bool>(false);
    if (!inside.ok() || !inside.value()) {
      errors.collect(net::remove_link(scene.host, link));
      continue;
    }
    net::Link sandbox_end;
    sandbox_end.index = link.peer;
    sandbox_end.name = "the other end of " + link.name;
    const std::vector<int> slow = nft ? std::vector<int>{nft->netfilter().fd()} : std::vector<int>();
    errors.collect(net::remove_pair(scene.host, link, scene.sandbox->route(), sandbox_end, slow,
                                    scene.crowd ? &*scene.crowd : nullptr));
    swift = false;  // the sandbox's socket belongs to the process that stays behind
  }
  return errors.status();
}

std::vector<IpAddr> known_addresses(const Leftover& left) {
  std::vector<IpAddr> out;
  for (const Leftover::Owned& each : left.owned) out.insert(out.end(), each.addresses.begin(), each.addresses.end());
  return out;
}

// The addresses of which the host may remember something: without those that are another attachment's by now. What
// prevResult alone says is not among them: of a DEL that is repeated it names addresses that are somebody else's.
Result<std::vector<Leftover::Owned>> remembered(const Leftover& left, const firewall::MasqueradeRecord& rules,
                                                std::optional<net::NftConnection>& nft,
                                                const firewall::MasqueradeIdentity& who) {
  if (!left.recorded && left.host_ends.empty() && rules.addresses.empty()) return std::vector<Leftover::Owned>();
  std::vector<Leftover::Owned> owned = left.owned;
  if (owned.empty()) owned.emplace_back();
  std::set<IpAddr> of_others(rules.of_others.begin(), rules.of_others.end());
  for (const IpAddr& address : left.recorded || !nft ? std::vector<IpAddr>() : known_addresses(left)) {
    CNIO_LET(const bool lost, firewall::owned_by_other(*nft, who, address));
    if (lost) of_others.insert(address);
  }
  auto& first = owned.front().addresses;
  first.insert(first.end(), rules.addresses.begin(), rules.addresses.end());
  for (Leftover::Owned& each : owned) {
    std::erase_if(each.addresses, [&](const IpAddr& address) { return of_others.contains(address); });
  }
  return owned;
}

Status forget_owned(Driver& driver, Scene& scene, net::Netlink* netfilter, const std::vector<Leftover::Owned>& owned) {
  if (std::all_of(owned.begin(), owned.end(), [](const Leftover::Owned& each) { return each.addresses.empty(); })) {
    return {};
  }
  CNIO_LET(const auto there, driver.former_neighbourhood(scene.host));
  ErrorList errors;
  for (const Leftover::Owned& each : owned) {
    std::vector<IpAddr> ours = each.addresses;
    const Status told = driver.leave_to_others(scene.host, ours);
    errors.collect(told.ok() ? forget_addresses(scene.host, netfilter, there, std::move(ours), each.mac) : told);
  }
  return errors.status();
}

// The rules of the attachment, then its links, then what the host knows of its addresses, when nobody sends under them
// any more.
Status disconnect(const Request& request, Driver& driver, Scene& scene, const Leftover& left) {
  ErrorList errors;
  auto opened = net::NftConnection::open();
  if (!opened.ok()) errors.collect(opened.error());
  std::optional<net::NftConnection> nft = opened.ok() ? std::move(opened).value() : std::nullopt;
  const firewall::MasqueradeIdentity who = {request.network, request.attachment};
  firewall::MasqueradeRecord rules;
  errors.collect(firewall::remove_masquerade(nft, who, known_addresses(left), request.environment, &rules));
  if (nft) errors.collect(driver.remove_rules(*nft));
  errors.collect(remove_links(scene, left, nft));
  net::Netlink* netfilter = nft ? &nft->netfilter() : nullptr;
  const auto owned = remembered(left, rules, nft, who);
  if (!owned.ok()) errors.collect(owned.error());
  if (owned.ok()) errors.collect(forget_owned(driver, scene, netfilter, owned.value()));
  errors.collect(driver.tidy_up(scene.host));
  return errors.status();
}

// Interfaces are unique within a container, so what it has under this name in another network of ours is what the
// runtime means, if the network has another name by now.
Status disconnect_former(const Request& request, const MakeDriver& make_driver, Scene& scene,
                         const std::string& network) {
  const std::vector<RecordedPair> pairs = scene.pairs_of(network);
  const bool known = !pairs.empty() && !pairs.back().config.empty();
  CNIO_LET(const Request then,
           protocol::with_config(request, known ? pairs.back().config : protocol::with_name(*request.config, network)));
  CNIO_LET(const auto driver, make_driver(then));
  CNIO_LET(const Leftover left, find_leftover(scene.host, scene.sandbox, then, driver->network(), pairs, std::nullopt));
  const auto ipam = find_ipam(then, driver->network());
  ErrorList errors;
  Release release(ipam.ok() && ipam.value() ? &*ipam.value() : nullptr);
  errors.collect(disconnect(then, *driver, scene, left));
  if (!ipam.ok()) errors.collect(ipam.error());
  errors.collect(errors.empty() ? release.finish() : release.begun());
  if (!errors.empty()) return errors.status();
  forget_pairs(request, scene, network);
  protocol::note(request.plugin, "what " + request.attachment.text() + " had in the network " + quote(network) +
                                     " has been removed, too");
  return {};
}

// Not if its interface lives elsewhere than in the sandbox: then it may be in use there. Of a sandbox that is gone
// nobody knows where it was, but if the attachment has been added to the network that it is removed from, that is
// meant.
Result<bool> may_disconnect_former(const Request& request, Scene& scene, const std::string& network) {
  for (const RecordedPair& pair : scene.pairs_of(network)) {
    CNIO_LET(const auto link, find_recorded_end(scene.host, pair));
    if (!link) continue;
    if (!scene.sandbox) return scene.pairs_of(request.network).empty();
    CNIO_LET(const bool inside, scene.sandbox->holds_peer_of(scene.host, *link));
    if (!inside) return false;
  }
  return true;
}

Status disconnect_all_former(const Request& request, const MakeDriver& make_driver, Scene& scene,
                             const Leftover& left) {
  std::set<std::string> networks;
  if (left.former_network) networks.insert(*left.former_network);
  for (const RecordedPair& pair : scene.record ? scene.record->pairs_on(scene.number) : std::vector<RecordedPair>()) {
    networks.insert(pair.network);
  }
  networks.erase(request.network);
  ErrorList errors;
  for (const std::string& network : networks) {
    const auto certain = may_disconnect_former(request, scene, network);
    if (certain.ok() && certain.value()) {
      errors.collect(disconnect_former(request, make_driver, scene, network).context("network " + quote(network)));
      continue;
    }
    protocol::note(request.plugin, request.attachment.text() + " is left alone in the network " + quote(network) +
                                       ": its interface is another one");
  }
  return errors.status();
}

// All but the addresses. What is left in other networks is removed, too; that may fail alone.
Status disconnect_all(const Request& request, Driver& driver, const MakeDriver& make_driver, Scene& scene,
                      const std::vector<RecordedPair>& pairs, ErrorList& errors_of_others) {
  // Only a help: what it cannot say is found without it, so one that cannot be read does not stop the removal.
  auto recorded = protocol::parse_prev_result(request.fields(), request.version);
  const std::optional<AddResult> prev_result = recorded.ok() ? std::move(recorded).value() : std::nullopt;
  CNIO_LET(const Leftover left,
           find_leftover(scene.host, scene.sandbox, request, driver.network(), pairs, prev_result));
  errors_of_others.collect(disconnect_all_former(request, make_driver, scene, left));
  if (!left.foreign.empty() && !left.former_network) protocol::note(request.plugin, left.foreign);
  return disconnect(request, driver, scene, left);
}

}  // namespace

Status del(const Request& request, const MakeDriver& make_driver) {
  CNIO_LET(const auto driver, make_driver(request));
  const Network& network = driver->network();
  ErrorList errors;
  CNIO_LET(Scene scene, look_around(request, errors));
  const std::vector<RecordedPair> pairs = scene.pairs_of(request.network);
  CNIO_LET(const Request releasing, releasing_request(request, network, pairs));
  CNIO_LET(const auto releasing_driver, make_driver(releasing));
  const Network& releasing_network = releasing_driver->network();
  auto ipam = find_ipam(releasing, releasing_network);
  // Nobody of that name is there: who gave the addresses may be.
  const bool same_life = !ipam.ok() && may_be_recorded(request, pairs);
  const std::optional<Request> then = same_life ? former_request(request, pairs) : std::nullopt;
  if (then) {
    CNIO_LET(const auto former, make_driver(*then));
    auto other = find_ipam(*then, former->network());
    if (other.ok()) ipam = std::move(other);  // perhaps nobody did
  }
  Release release(ipam.ok() && ipam.value() ? &*ipam.value() : nullptr);
  const Status gone = disconnect_all(request, *driver, make_driver, scene, pairs, errors);
  errors.collect(gone);
  if (!releasing_network.ipam_readable) {
    protocol::note(request.plugin, "key \"ipam\" cannot be read: addresses of " + request.attachment.text() +
                                       " stay reserved until it is mended, and GC comes");
    return errors.status();
  }
  if (!ipam.ok()) {
    errors.collect(ipam.error());
    return errors.status();
  }
  const Status released = gone.ok() ? release.finish() : release.begun();
  errors.collect(released);
  if (!gone.ok() || !released.ok()) return errors.status();  // whoever comes again has to know what is still to be done
  release_as_then(request, network, make_driver, pairs);
  forget_pairs(request, scene, request.network);
  return errors.status();
}

}  // namespace cnio::attachment
