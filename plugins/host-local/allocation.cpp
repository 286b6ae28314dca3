// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/allocation.hpp"

#include <algorithm>

#include "cnio/protocol/plugin.hpp"

namespace cnio::host_local {
namespace {

using ipam::Origin;
using ipam::RangeSet;
using ipam::Reservation;
using ipam::ReservationStore;
using protocol::Attachment;
using protocol::Request;

// Some addresses of a set are not for pods, whoever asks for them.
Status refuse_withheld(const RangeSet& set, const IpAddr& addr) {
  const char* reason = set.why_withheld(addr);
  if (reason == nullptr) return {};
  return Error::make(Code::kNoAddress, "requested address " + addr.to_string() + " " + reason +
                                           (set.excludes(addr) ? " by the key \"ipam.exclude\""
                                                               : " of " + set.find(addr)->subnet.to_string()));
}

// An attachment that has an address already is refused another: the container that uses it may be alive.
Error duplicate(const Config& config, const Attachment& attachment, const Reservation& held,
                const std::optional<Origin>& then) {
  const bool names_netns = then && !then->netns_path.empty();
  return Error::make(Code::kConflict, attachment.text() + " has the address " + held.address.to_string() + " already",
                     "the reservation is " + config.store.folder + "/" + held.file +
                         (names_netns ? ", made for the namespace " + then->netns_path : "") +
                         "; call DEL for the attachment before another ADD");
}

// May the attachment go on with what it held before? Nobody else gets the address, so two containers never have it.
bool may_continue(const std::optional<Origin>& then, const std::optional<Origin>& now, bool reclaim) {
  if (!then || !now) return false;
  return (reclaim && is_of_earlier_boot(*then, *now)) || has_left_its_path(*then, *now);
}

// What the attachment held of each set in an earlier life. Error: code 103 if that may still go on.
Result<std::vector<std::optional<Reservation>>> find_former(const Config& config, const Attachment& attachment,
                                                            const std::vector<std::optional<IpAddr>>& requested,
                                                            const std::vector<Reservation>& held,
                                                            const std::optional<Origin>& now) {
  std::vector<std::optional<Reservation>> former(config.sets.size());
  for (const Reservation& reservation : held) {
    for (size_t i = 0; i < config.sets.size(); ++i) {
      if (config.sets[i].find(reservation.address) == nullptr) continue;
      const std::optional<Origin>& then = reservation.origin;
      const bool wanted = !former[i] && requested[i].value_or(reservation.address) == reservation.address;
      if (!wanted || !may_continue(then, now, config.store.reclaim))
        return duplicate(config, attachment, reservation, then);
      former[i] = reservation;
    }
  }
  return former;
}

// The addresses of the set that containers of before the last boot may hold, and that may be given again.
Result<std::vector<IpAddr>> reclaimable(const Config& config, const RangeSet& set, const std::optional<Origin>& now,
                                        ReservationStore& store) {
  if (!config.store.reclaim || !now) return std::vector<IpAddr>();
  ErrorList unreadable;
  std::vector<IpAddr> out = store.of_earlier_boot(
      *now, [&](const IpAddr& addr) { return set.gives(addr); }, unreadable);
  CNIO_TRY(unreadable.status());
  return out;
}

// These are in the way: releases those that are torn, or whose containers ran before the last boot. Returns whether any
// was.
Result<bool> give_up(const Config& config, const std::optional<Origin>& now, ReservationStore& store,
                     const std::vector<IpAddr>& candidates) {
  ErrorList failures;
  bool any = false;
  size_t old = 0;
  for (const IpAddr& addr : candidates) {
    for (const Reservation& each : store.at(addr, failures)) {
      const bool torn = each.state == Reservation::State::kTorn;
      if (!torn && !is_given_up(each, config.store.reclaim, now)) continue;
      failures.collect(store.release(each));
      any = true;
      old += torn ? 0 : 1;
    }
  }
  if (old != 0) {
    note("released " + std::to_string(old) + " address" + (old == 1 ? "" : "es") + " in " + config.store.folder +
         ", reserved for containers that ran before the last boot");
  }
  CNIO_TRY(failures.status());
  return any;
}

// What is peculiar about the reservations of a full set.
std::string peculiarities(const Config& config, const RangeSet& set, ReservationStore& store) {
  constexpr size_t kShown = 3;
  const auto gives = [&](const IpAddr& addr) { return set.gives(addr); };
  ErrorList unreadable;  // has ended this call before
  const std::vector<IpAddr> foreign = store.foreign(gives, unreadable);
  std::string text;
  for (size_t i = 0; i < std::min(foreign.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + foreign[i].to_string();
  if (foreign.size() > kShown) text += " and " + std::to_string(foreign.size() - kShown) + " more";
  if (!foreign.empty()) text = "; not written by a plugin and left alone: " + text;
  const std::optional<Origin> now = config.store.reclaim ? std::nullopt : Origin::here("");
  const size_t old = now ? store.of_earlier_boot(*now, gives, unreadable).size() : 0;
  if (old != 0) text += "; " + std::to_string(old) + " of before the last boot, kept by the key \"ipam.reclaim\"";
  return text;
}

Error exhausted(const Request& request, const Config& config, const RangeSet& set, ReservationStore& store, Code code) {
  // None is free, so as many as the set can give are taken.
  const std::string count = std::to_string(store.count_taken([&](const IpAddr& addr) { return set.gives(addr); }));
  return Error::make(code,
                     "no free address in " + set.to_string() + " (" + count + " of " + count +
                         " reserved) of network \"" + request.network + "\"",
                     "each reservation is a file in " + config.store.folder +
                         " that holds the container's id: call DEL or GC for containers that are gone, or configure "
                         "a larger range" +
                         (set.has_excluded() ? " or a shorter list at \"ipam.exclude\"" : "") +
                         peculiarities(config, set, store));
}

Result<IpAddr> grant_requested(const Config& config, const IpAddr& addr, const std::optional<Origin>& now,
                               ReservationStore& store) {
  if (!store.taken(addr)) return addr;
  CNIO_TRY(give_up(config, now, store, {addr}));
  if (!store.taken(addr)) return addr;
  ErrorList known;  // an unreadable file has ended this ADD before
  return Error::make(Code::kNoAddress,
                     "requested address " + addr.to_string() + " is " + holder_of(addr, store.at(addr, known)),
                     "the reservation is a file in " + config.store.folder);
}

Result<IpAddr> grant_next(const Request& request, const Config& config, size_t number, const std::optional<Origin>& now,
                          ReservationStore& store) {
  const RangeSet& set = config.sets[number];
  const std::optional<IpAddr> last = store.last_given(number);
  const auto taken = [&](const IpAddr& candidate) { return store.taken(candidate); };
  if (const auto addr = set.next_free(last, taken)) return *addr;
  CNIO_LET(const std::vector<IpAddr> old, reclaimable(config, set, now, store));
  CNIO_LET(const bool any, give_up(config, now, store, old));
  if (const auto addr = any ? set.next_free(last, taken) : std::nullopt) return *addr;
  return exhausted(request, config, set, store, Code::kNoAddress);
}

}  // namespace

std::string holder_of(const IpAddr& addr, const std::vector<Reservation>& reservations) {
  for (const Reservation& reservation : reservations) {
    if (reservation.address == addr) return "reserved by " + reservation.holder_text();
  }
  return "not reserved";
}

void note(const std::string& text) { protocol::note("host-local", text); }

Result<std::vector<std::optional<IpAddr>>> assign_requested(const Config& config) {
  std::vector<std::optional<IpAddr>> assigned(config.sets.size());
  for (const IpAddr& addr : config.requested) {
    const auto set = std::find_if(config.sets.begin(), config.sets.end(),
                                  [&](const RangeSet& candidate) { return candidate.find(addr) != nullptr; });
    if (set == config.sets.end()) {
      std::string all;
      for (const RangeSet& each : config.sets) all += (all.empty() ? "" : "; ") + each.to_string();
      return Error::make(Code::kInvalidConfig,
                         "requested address " + addr.to_string() + " is in none of the ranges: " + all);
    }
    CNIO_TRY(refuse_withheld(*set, addr));
    std::optional<IpAddr>& slot = assigned[static_cast<size_t>(set - config.sets.begin())];
    if (slot) {
      return Error::make(Code::kInvalidConfig, "requested addresses " + slot->to_string() + " and " + addr.to_string() +
                                                   " are both of the range set " + set->to_string() +
                                                   ", which gives one address");
    }
    slot = addr;
  }
  return assigned;
}

bool is_given_up(const Reservation& reservation, bool reclaim, const std::optional<Origin>& now) {
  return reclaim && now && reservation.origin && is_of_earlier_boot(*reservation.origin, *now);
}

Result<Plan> choose(const Request& request, const Config& config, const std::vector<std::optional<IpAddr>>& requested,
                    const std::vector<Reservation>& held, const std::optional<Origin>& now, ReservationStore& store) {
  CNIO_LET(const auto former, find_former(config, request.attachment, requested, held, now));
  Plan plan;
  for (size_t i = 0; i < config.sets.size(); ++i) {
    if (former[i]) {
      plan.grants.push_back({i, former[i]->address});
      plan.continued.push_back(*former[i]);
      continue;
    }
    CNIO_LET(const IpAddr addr, requested[i] ? grant_requested(config, *requested[i], now, store)
                                             : grant_next(request, config, i, now, store));
    plan.grants.push_back({i, addr});
    plan.fresh.push_back(plan.grants.back());
  }
  return plan;
}

Status check_free(const Request& request, const Config& config, const std::optional<Origin>& now,
                  ReservationStore& store) {
  ErrorList full;
  for (const RangeSet& set : config.sets) {
    if (set.next_free({}, [&](const IpAddr& addr) { return store.taken(addr); })) continue;
    // ADD would use those again that nobody holds.
    ErrorList unreadable;
    const auto gives = [&](const IpAddr& addr) { return set.gives(addr); };
    if (!store.torn(gives, unreadable).empty()) continue;
    CNIO_LET(const std::vector<IpAddr> old, reclaimable(config, set, now, store));
    if (old.empty()) full.collect(exhausted(request, config, set, store, Code::kNotAvailable));
  }
  return full.status();
}

}  // namespace cnio::host_local
