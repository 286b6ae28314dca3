// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/occupants.hpp"

#include <algorithm>
#include <optional>

#include "cnio/ipam/reservation_store.hpp"

#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

using ipam::Origin;
using ipam::Reservation;
using ipam::ReservationStore;

constexpr size_t kNamedOccupants = 5;

bool may_be_alive(const Reservation& reservation, const std::optional<Origin>& now) {
  if (reservation.state != Reservation::State::kHeld) return false;
  return !now || !reservation.origin || !ipam::is_of_earlier_boot(*reservation.origin, *now);
}

void list_network(const StorePlaces& places, const std::string& network, const std::optional<Origin>& now,
                  std::vector<Occupant>& out, Report& report) {
  const std::string folder = places.data_dir + "/" + network;
  auto store = ReservationStore::look(folder, now, ReservationStore::kLockLimit);
  if (!store.ok()) return report.blind(folder, store.error());
  if (!store.value()) return;
  const Cache cache(places.cache_dir);
  ErrorList failures;
  for (const Reservation& each : store.value()->reservations(failures)) {
    if (!may_be_alive(each, now)) continue;
    out.push_back({each.address, network, each.holder, cache.pod_of({network, each.holder})});
  }
  const Status read = failures.status();
  if (!read.ok()) report.blind(folder, read.error());
}

}  // namespace

std::string Occupant::text() const {
  return address.to_string() + " " + (pod.empty() ? "of " : pod + " ") + "(" + network + "/" + holder.text() + ")";
}

std::vector<Occupant> list_occupants(const StorePlaces& places, Report& report) {
  std::vector<Occupant> out;
  const std::optional<Origin> now = Origin::here("");
  for (const std::string& network : stores_in(places.data_dir, report)) list_network(places, network, now, out, report);
  return out;
}

std::string list_text(const std::vector<Occupant>& occupants) {
  std::string text;
  for (size_t i = 0; i < std::min(occupants.size(), kNamedOccupants); ++i) {
    text += (i == 0 ? "" : ", ") + occupants[i].text();
  }
  if (occupants.size() > kNamedOccupants)
    text += " and " + std::to_string(occupants.size() - kNamedOccupants) + " more";
  return text;
}

}  // namespace cnio::cnioctl
