// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/world.hpp"

#include <algorithm>
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
  StorePlaces places;
  Assembly assembly = {};
  Report blind = {};
  std::vector<ForeignFile> foreign = {};
  std::vector<std::string> stores = {};
  uint64_t host = 0;
  bool knows_rules = true;
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
  const auto records = AttachmentRecord::list();
  if (!records.ok()) return collected.blind.blind("records", records.error());
  for (const AttachmentRecord& record : records.value()) collected.assembly.add_pairs(record.pairs_on(collected.host));
}

void look_at_rules(Collected& collected) {
  auto nft = net::NftConnection::open();
  if (nft.ok() && !nft.value()) return;
  auto rules = nft.ok() ? firewall::list_owned_rules(*nft.value()) : Result<std::vector<OwnedRules>>(nft.error());
  collected.knows_rules = rules.ok();
  if (!rules.ok()) return collected.blind.blind("nf_tables", rules.error());
  collected.assembly.add_rules(std::move(rules).value());
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

void add_reservation(Collected& collected, const std::string& network, const Reservation& each) {
  const std::string path = collected.places.data_dir + "/" + network + "/" + each.file;
  if (each.state == Reservation::State::kHeld) {
    return collected.assembly.add_address({network, each.holder}, {each.address, path, each.origin, each.written});
  }
  const bool torn = each.state == Reservation::State::kTorn;
  collected.foreign.push_back({network, each.address, path, torn ? "empty" : what_is_at(path), torn});
}

void look_at_stores(Collected& collected) {
  for (const std::string& network : stores_in(collected.places.data_dir, collected.blind)) {
    const std::string folder = collected.places.data_dir + "/" + network;
    auto store = ReservationStore::peek(folder);
    if (!store.ok()) collected.blind.blind(folder, store.error());
    if (!store.ok() || !store.value()) continue;
    collected.stores.push_back(network);
    ErrorList failures;
    for (const Reservation& each : store.value()->reservations(failures)) add_reservation(collected, network, each);
    const Status read = failures.status();
    if (!read.ok()) collected.blind.blind(folder, read.error());
  }
}

// Those that name an attachment which is known by something else are not read: a node has a thousand.
void look_at_cache(Collected& collected, World& world) {
  const Cache cache(collected.places.cache_dir);
  const std::vector<std::string> paths = cache.paths(collected.blind);
  std::set<std::string> unread(paths.begin(), paths.end());
  for (Attached& attached : world.attached) {
    const std::string path = cache.path_of(attached.who);
    if (unread.erase(path) != 0) attached.cache_file = path;
  }
  for (const std::string& path : unread) {
    const auto cached = Cache::read_path(path);
    if (!cached.ok()) {
      collected.blind.blind(path, cached.error());
      continue;
    }
    Attached attached{cached.value().who};
    attached.cache_file = path;
    world.attached.push_back(std::move(attached));
  }
}

// The newest: a container may have been started again.
void understand_origins(const std::optional<Origin>& now, Attached& attached) {
  Evidence& evidence = attached.evidence;
  for (const HeldAddress& each : attached.addresses) {
    if (!each.origin || !now) continue;
    const bool earlier = ipam::is_of_earlier_boot(*each.origin, *now);
    const auto present = ipam::is_at_its_path(*each.origin, *now);
    if (earlier) evidence.earlier_boot = true;
    if (!present || evidence.present == true) continue;
    evidence.present = present;
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
  const std::optional<Origin> now = Origin::here("");
  for (Attached& attached : world.attached) {
    understand_ends(attached);
    understand_origins(now, attached);
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

World look_at_world(const StorePlaces& places) {
  Collected collected{places};
  look_at_links(collected);
  look_at_records(collected);
  look_at_rules(collected);
  look_at_stores(collected);
  World world = collected.assembly.finish();
  look_at_cache(collected, world);
  const auto before = [](const Attached& a, const Attached& b) { return a.who < b.who; };
  if (!std::is_sorted(world.attached.begin(), world.attached.end(), before)) {  // few are known by the cache alone
    std::sort(world.attached.begin(), world.attached.end(), before);
  }
  judge_all(world);
  world.foreign = std::move(collected.foreign);
  world.stores = std::move(collected.stores);
  world.host = collected.host;
  world.knows_rules = collected.knows_rules;
  world.blind = std::move(collected.blind);
  return world;
}

}  // namespace cnio::cnioctl
