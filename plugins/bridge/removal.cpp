// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/removal.hpp"

#include <algorithm>
#include <linux/netlink.h>
#include <set>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/base/caretaker.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/firewall/masquerade.hpp"
#include "cnio/firewall/spoof_check.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/plugin.hpp"

#include "bridge/config.hpp"
#include "bridge/ipam.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using attachment::Delegate;
using attachment::RecordedPair;
using protocol::AddResult;
using protocol::Command;
using protocol::Request;

// What a DEL works on.
struct Scene {
  net::Netlink host;
  std::optional<net::Sandbox> sandbox;
  uint64_t number;  // of the host
  std::optional<attachment::AttachmentRecord> record;
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
  auto record = attachment::AttachmentRecord::read(request.attachment);
  if (!record.ok()) errors.collect(record.error());
  return Scene{std::move(host), sandbox.ok() ? std::move(sandbox).value() : std::nullopt, number,
               record.ok() ? std::optional(std::move(record).value()) : std::nullopt, Crowd::join(number)};
}

// What is left in the record then says nothing wrong, and is no reason to call DEL again: GC takes it.
void forget_pairs(Scene& scene, const std::string& network) {
  for (const RecordedPair& pair : scene.pairs_of(network)) {
    if (const Status gone = scene.record->forget(pair); !gone.ok()) protocol::note("bridge", gone.error().msg());
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

// The rules of the attachment, then its links, then what the host knows of its addresses, when nobody sends under them
// any more.
Status disconnect(const Request& request, const Config& config, Scene& scene, const Leftover& left) {
  ErrorList errors;
  auto opened = net::NftConnection::open();
  if (!opened.ok()) errors.collect(opened.error());
  std::optional<net::NftConnection> nft = opened.ok() ? std::move(opened).value() : std::nullopt;
  const firewall::MasqueradeIdentity who = {request.network, request.attachment};
  firewall::MasqueradeRecord rules;
  errors.collect(firewall::remove_masquerade(nft, who, known_addresses(left), request.environment, &rules));
  if (nft) errors.collect(firewall::remove_spoof_check(*nft, request.network, request.attachment));
  errors.collect(remove_links(scene, left, nft));
  net::Netlink* netfilter = nft ? &nft->netfilter() : nullptr;
  const auto owned = remembered(left, rules, nft, who);
  if (!owned.ok()) errors.collect(owned.error());
  for (const Leftover::Owned& each : owned.ok() ? owned.value() : std::vector<Leftover::Owned>()) {
    errors.collect(forget_addresses(scene.host, netfilter, config, each.addresses, each.mac));
  }
  if (config.delete_when_empty) errors.collect(remove_bridge_if_empty(scene.host, config));
  return errors.status();
}

// ---- addresses

// The IPAM plugin's part in a DEL: at once if it says good-bye over the link, otherwise when neither link nor rule uses
// the addresses any more.
class Release {
 public:
  // Null in layer 2. REQUIRES: `ipam` outlives this.
  explicit Release(const Delegate* ipam) {
    if (ipam == nullptr) return;
    if (releases_over_link(ipam->type())) {
      begun_ = ipam->release();
    } else {
      later_ = ipam->prepare(Command::kDel);
    }
  }
  // How far it has got, should it not come to the rest.
  [[nodiscard]] const Status& begun() const { return begun_; }
  // The rest, and how all of it went.
  [[nodiscard]] Status finish() {
    if (!later_) return begun_;
    CNIO_LET(Delegate::Prepared call, *std::move(later_));
    return call.run();
  }

 private:
  Status begun_;
  std::optional<Result<Delegate::Prepared>> later_;
};

// ---- configurations of then

// The request as it would be if its configuration were still that of the ADD.
Result<Request> with_config(const Request& request, std::string config) {
  Request then = request;
  CNIO_TRY(protocol::parse_stdin(then, std::move(config)));
  return then;
}

// Who releases the addresses: what the configuration says; if by now it names nobody, or cannot be read, what it said
// when the pair was made.
Result<Request> releasing_request(const Request& request, const Config& config,
                                  const std::vector<RecordedPair>& pairs) {
  if (!config.ipam_type.empty() || pairs.empty() || pairs.back().config.empty()) return request;
  auto then = with_config(request, pairs.back().config);
  return then.ok() ? std::move(then).value() : request;
}

// The addresses were given by what the configuration said then, perhaps out of another store. The interface is gone,
// and so no reason to call DEL again if that cannot be asked any more.
void release_as_then(const Request& request, const Config& config, const std::vector<RecordedPair>& pairs) {
  if (config.ipam_type.empty() || pairs.empty() || pairs.back().config.empty()) return;
  const auto then = with_config(request, pairs.back().config);
  if (!then.ok()) return;
  const protocol::Json* before = then.value().fields().find("ipam");
  const protocol::Json* now = request.fields().find("ipam");
  if (before == nullptr || now == nullptr || protocol::format_json(*before) == protocol::format_json(*now)) return;
  const auto released = [&]() -> Status {
    CNIO_LET(const Config former, parse_config(then.value(), Validation::kTypes));
    CNIO_LET(const auto ipam, find_ipam(then.value(), former));
    return ipam ? ipam->run(Command::kDel) : Status();
  }();
  if (!released.ok()) protocol::note("bridge", "as configured when it was added: " + released.error().msg());
}

// ---- a network that had another name

// Interfaces are unique within a container, so what it has under this name in another network of ours is what the
// runtime means, if the network has another name by now.
Status disconnect_former(const Request& request, Scene& scene, const std::string& network) {
  const std::vector<RecordedPair> pairs = scene.pairs_of(network);
  const bool known = !pairs.empty() && !pairs.back().config.empty();
  CNIO_LET(const Request then,
           with_config(request, known ? pairs.back().config : protocol::with_name(*request.config, network)));
  CNIO_LET(const Config config, parse_config(then, Validation::kTypes));
  CNIO_LET(const Leftover left, find_leftover(scene.host, scene.sandbox, then, config, pairs, std::nullopt));
  const auto ipam = find_ipam(then, config);
  ErrorList errors;
  Release release(ipam.ok() && ipam.value() ? &*ipam.value() : nullptr);
  errors.collect(disconnect(then, config, scene, left));
  if (!ipam.ok()) errors.collect(ipam.error());
  errors.collect(errors.empty() ? release.finish() : release.begun());
  if (!errors.empty()) return errors.status();
  forget_pairs(scene, network);
  protocol::note("bridge", "what " + request.attachment.text() + " had in the network " + quote(network) +
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

Status disconnect_all_former(const Request& request, Scene& scene, const Leftover& left) {
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
      errors.collect(disconnect_former(request, scene, network).context("network " + quote(network)));
      continue;
    }
    protocol::note("bridge", request.attachment.text() + " is left alone in the network " + quote(network) +
                                 ": its interface is another one");
  }
  return errors.status();
}

// All but the addresses. What is left in other networks is removed, too; that may fail alone.
Status disconnect_all(const Request& request, const Config& config, Scene& scene,
                      const std::vector<RecordedPair>& pairs, ErrorList& errors_of_others) {
  // Only a help: what it cannot say is found without it, so one that cannot be read does not stop the removal.
  auto recorded = protocol::parse_prev_result(request.fields(), request.version);
  const std::optional<AddResult> prev_result = recorded.ok() ? std::move(recorded).value() : std::nullopt;
  CNIO_LET(const Leftover left, find_leftover(scene.host, scene.sandbox, request, config, pairs, prev_result));
  errors_of_others.collect(disconnect_all_former(request, scene, left));
  if (!left.foreign.empty() && !left.former_network) protocol::note("bridge", left.foreign);
  return disconnect(request, config, scene, left);
}

}  // namespace

Status del(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kTypes));
  ErrorList errors;
  CNIO_LET(Scene scene, look_around(request, errors));
  const std::vector<RecordedPair> pairs = scene.pairs_of(request.network);
  CNIO_LET(const Request releasing, releasing_request(request, config, pairs));
  CNIO_LET(const Config releasing_config, parse_config(releasing, Validation::kTypes));
  const auto ipam = find_ipam(releasing, releasing_config);
  Release release(ipam.ok() && ipam.value() ? &*ipam.value() : nullptr);
  const Status gone = disconnect_all(request, config, scene, pairs, errors);
  errors.collect(gone);
  if (!releasing_config.ipam_readable) {
    protocol::note("bridge", "key \"ipam\" cannot be read: addresses of " + request.attachment.text() +
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
  release_as_then(request, config, pairs);
  forget_pairs(scene, request.network);
  return errors.status();
}

Status gc(const Request& request) {
  CNIO_LET(const Config config, parse_config(request, Validation::kTypes));
  CNIO_LET(const std::vector<protocol::Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const uint64_t number, net::Namespace::own_number());
  ErrorList errors;
  errors.collect(firewall::collect_masquerade_garbage(request.network, valid, request.environment));
  errors.collect(firewall::collect_spoof_check_garbage(request.network, valid));
  const Status links = remove_stale_links(host, number, config, request.network, valid);
  errors.collect(links);
  if (links.ok() && config.delete_when_empty) errors.collect(remove_bridge_if_empty(host, config));
  // As in DEL: no address is released while a link may still use it.
  if (links.ok()) {
    const auto ipam = find_ipam(request, config);
    if (!ipam.ok()) errors.collect(ipam.error());
    if (ipam.ok() && ipam.value()) errors.collect(ipam.value()->run(Command::kGc));
  }
  return errors.status();
}

}  // namespace cnio::bridge
