// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/world.hpp"

#include <algorithm>
#include <future>
#include <linux/netlink.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/error_list.hpp"
#include "cnio/ipam/reservation_store.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"

#include "cnioctl/world/assembly.hpp"
#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

using attachment::AttachmentRecord;
using firewall::OwnedRules;
using firewall::RuleOwner;
using ipam::Origin;
using ipam::Reservation;
using ipam::ReservationStore;

// What the collecting of a world has come to.
struct Collected {
  Assembly assembly = {};
  Report blind = {};
  uint64_t host = 0;
};

// A pair is recorded before it is made, so each link that is seen has its record by then.
void look_at_links(Collected& collected) {
  auto route = net::Netlink::open(NETLINK_ROUTE);
  auto links = route.ok() ? net::list_links(route.value()) : Result<std::vector<net::Link>>(route.error());
  if (!links.ok()) return collected.blind.blind("links", links.error());
  collected.assembly.add_links(std::move(links).value());
}

void look_at_records(Collected& collected) {
  const auto host = net::Namespace::own_number();
  if (!host.ok()) return collected.blind.blind("records", host.error());
  collected.host = host.value();
  auto records = AttachmentRecord::list();
  if (!records.ok()) return collected.blind.blind("records", records.error());
  for (AttachmentRecord& record : records.value()) {
    collected.assembly.add_pairs(std::move(record).pairs_on(collected.host));
  }
}

// What hangs on neither links nor records to be found.
struct Holdings {
  std::vector<std::pair<RuleOwner, HeldAddress>> addresses = {};
  std::vector<ForeignFile> foreign = {};
  std::vector<std::string> stores = {};
  std::vector<OwnedRules> rules = {};
  bool knows_rules = true;
  Report blind = {};
};

void look_at_rules(Holdings& holdings) {
  auto nft = net::NftConnection::open();
  if (nft.ok() && !nft.value()) return;
  auto rules = nft.ok() ? firewall::list_owned_rules(*nft.value()) : Result<std::vector<OwnedRules>>(nft.error());
  holdings.knows_rules = rules.ok();
  if (!rules.ok()) return holdings.blind.blind("nf_tables", rules.error());
  holdings.rules = std::move(rules).value();
}

// What is there in place of a reservation. Nothing of it is opened.
std::string what_is_at(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return "no attachment in it";
  if (S_ISDIR(info.st_mode)) return "folder";
  if (!S_ISLNK(info.st_mode)) return "no regular file";
  std::string target(4096, '\0');
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  target.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return "link to " + target;
}

HeldAddress held_address(const Reservation& reservation, std::string path, const std::optional<Origin>& now) {
  HeldAddress held{reservation.address, std::move(path), reservation.origin, reservation.written};
  if (!held.origin || !now) return held;
  held.of_earlier_boot = ipam::is_of_earlier_boot(*held.origin, *now);
  held.at_its_path = ipam::is_at_its_path(*held.origin, *now);
  return held;
}

void look_at_store(const std::string& folder, const std::string& network, const std::optional<Origin>& now,
                   Holdings& holdings) {
  auto store = ReservationStore::peek(folder);
  if (!store.ok()) holdings.blind.blind(folder, store.error());
  if (!store.ok() || !store.value()) return;
  holdings.stores.push_back(network);
  ErrorList failures;
  for (const Reservation& each : store.value()->reservations(failures)) {
    const std::string path = folder + "/" + each.file;
    if (each.state == Reservation::State::kHeld) {
      holdings.addresses.push_back({{network, each.holder}, held_address(each, path, now)});
      continue;
    }
    const bool torn = each.state == Reservation::State::kTorn;
    holdings.foreign.push_back({network, each.address, path, torn ? "empty" : what_is_at(path), torn});
  }
  const Status read = failures.status();
  if (!read.ok()) holdings.blind.blind(folder, read.error());
}

Holdings look_at_holdings(const StorePlaces& places) {
  Holdings holdings;
  look_at_rules(holdings);
  const std::optional<Origin> now = Origin::here("");
  for (const std::string& network : stores_in(places.data_dir, holdings.blind)) {
    look_at_store(places.data_dir + "/" + network, network, now, holdings);
  }
  return holdings;
}

// Those that name an attachment which is known by something else are not read: a node has a thousand.
void look_at_cache(const Cache& cache, World& world) {
  const std::vector<std::string> paths = cache.paths(world.blind);
  std::set<std::string> unread(paths.begin(), paths.end());
  for (Attached& attached : world.attached) {
    const std::string path = cache.path_of(attached.who);
    if (unread.erase(path) != 0) attached.cache_file = path;
  }
  for (const std::string& path : unread) {
    const auto cached = Cache::read_path(path);
    if (!cached.ok()) {
      world.blind.blind(path, cached.error());
      continue;
    }
    Attached attached{cached.value().who};
    attached.cache_file = path;
    world.attached.push_back(std::move(attached));
  }
}

// The newest: a container may have been started again.
void understand_origins(Attached& attached) {
  Evidence& evidence = attached.evidence;
  for (const HeldAddress& each : attached.addresses) {
    if (each.of_earlier_boot) evidence.earlier_boot = true;
    if (!each.at_its_path || evidence.present == true) continue;
    evidence.present = each.at_its_path;
    evidence.path = each.origin->netns_path;
  }
}

// Who has no reservation of ours is known by libcni's cache alone, which does not tell one namespace from the next.
void understand_cache(Attached& attached) {
  const bool settled =
      attached.evidence.present || attached.evidence.earlier_boot || !attached.evidence.host_end.empty();
  if (settled || attached.cache_file.empty()) return;
  const auto cached = Cache::read_path(attached.cache_file);
  if (!cached.ok() || cached.value().netns.empty()) return;
  attached.evidence.path = cached.value().netns;
  attached.evidence.present = ipam::has_namespace(cached.value().netns);
}

void understand_ends(Attached& attached) {
  for (const net::Link& link : attached.host_ends) {
    if (link.peer_namespace) attached.evidence.host_end = link.name;
  }
  const auto needs_one = [](const firewall::OwnedRules& each) {
    return each.kind == firewall::RuleKind::kMasquerade || each.kind == firewall::RuleKind::kSpoofCheck;
  };
  attached.evidence.lacks_host_end =
      attached.host_ends.empty() &&
      (!attached.pairs.empty() || std::any_of(attached.rules.begin(), attached.rules.end(), needs_one));
}

void judge_all(World& world) {
  for (Attached& attached : world.attached) {
    understand_ends(attached);
    understand_origins(attached);
    understand_cache(attached);
    attached.verdict = judge(attached.evidence);
  }
}

template <class Wanted>
const net::Link* select_link(const std::vector<net::Link>& links, const Wanted& wanted) {
  const auto found = std::find_if(links.begin(), links.end(), wanted);
  return found == links.end() ? nullptr : &*found;
}

}  // namespace

std::vector<IpAddr> Attached::all_addresses() const {
  std::set<IpAddr> out;
  for (const HeldAddress& each : addresses) out.insert(each.address);
  if (!pairs.empty()) out.insert(pairs.back().addresses.begin(), pairs.back().addresses.end());
  return {out.begin(), out.end()};
}

std::string Attached::name() const {
  constexpr size_t kShort = 13;
  return pod.empty() ? "container " + who.attachment.container_id.substr(0, kShort) : pod;
}

void name_pod(Attached& attached) {
  if (attached.cache_file.empty() || !attached.pod.empty()) return;
  auto cached = Cache::read_path(attached.cache_file);
  if (cached.ok()) attached.pod = std::move(cached).value().pod;
}

void name_pods(World& world) {
  for (Attached& attached : world.attached) name_pod(attached);
}

const Attached* World::find(const RuleOwner& who) const {
  const auto found = std::lower_bound(attached.begin(), attached.end(), who,
                                      [](const Attached& each, const RuleOwner& wanted) { return each.who < wanted; });
  return found != attached.end() && found->who == who ? &*found : nullptr;
}

const net::Link* World::find_link(net::IfIndex index) const {
  return select_link(links, [&](const net::Link& each) { return each.index == index; });
}

const net::Link* World::find_link(const std::string& name) const {
  return select_link(links, [&](const net::Link& each) { return each.name == name; });
}

// Either half takes as long as the other, where there are a thousand pods. Nothing is lost by their being looked at
// together: an ADD makes rules after their link, and gets addresses after the sandbox was made.
World look_at_world(const StorePlaces& places) {
  auto beside = std::async([&places] { return look_at_holdings(places); });
  Collected collected;
  look_at_links(collected);
  look_at_records(collected);
  Holdings holdings = beside.get();
  collected.assembly.add_rules(std::move(holdings.rules));
  for (auto& [who, address] : holdings.addresses) collected.assembly.add_address(who, std::move(address));
  World world = collected.assembly.finish();
  world.blind = std::move(collected.blind);
  world.blind.append(holdings.blind);
  look_at_cache(Cache(places.cache_dir), world);
  const auto before = [](const Attached& a, const Attached& b) { return a.who < b.who; };
  if (!std::is_sorted(world.attached.begin(), world.attached.end(), before)) {  // few are known by the cache alone
    std::sort(world.attached.begin(), world.attached.end(), before);
  }
  judge_all(world);
  world.foreign = std::move(holdings.foreign);
  world.stores = std::move(holdings.stores);
  world.host = collected.host;
  world.knows_rules = holdings.knows_rules;
  return world;
}

}  // namespace cnio::cnioctl
