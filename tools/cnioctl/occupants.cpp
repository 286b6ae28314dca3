// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/occupants.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "cnio/base/list_files.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/reservation_store.hpp"
#include "cnio/protocol/json.hpp"

namespace cnio::cnioctl {
namespace {

using ipam::Origin;
using ipam::Reservation;
using ipam::ReservationStore;
using protocol::Json;

constexpr size_t kMaxCacheFile = 4 << 20;
constexpr size_t kNamed = 5;

// Neither the folder itself and the one around it, nor a file.
bool may_be_store(const std::string& folder, const std::string& name) {
  std::error_code ignored;
  return name != "." && name != ".." &&
         !std::filesystem::is_regular_file(std::filesystem::symlink_status(folder + "/" + name, ignored));
}

// A folder that is not there has nothing in it.
std::vector<std::string> stores_in(const std::string& folder, Report& report) {
  std::vector<std::string> names;
  const auto fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  const Status listed = !fd.ok() ? Status(fd.error()) : list_files(fd.value().get(), folder, [&](const FileName& file) {
    if (may_be_store(folder, file.name)) names.push_back(file.name);
  });
  if (!listed.ok() && listed.error().errnum() != ENOENT) report.blind(folder, listed.error());
  std::sort(names.begin(), names.end());
  return names;
}

// libcni keeps CNI_ARGS as a list of pairs.
std::string argument(const Json& cached, std::string_view name) {
  const auto args = cached.find("cniArgs");
  if (args == cached.end() || !args->is_array()) return {};
  for (const Json& pair : *args) {
    if (!pair.is_array() || pair.size() != 2 || pair.at(0) != name || !pair.at(1).is_string()) continue;
    return pair.at(1).get<std::string>();
  }
  return {};
}

// "<namespace>/<name>", or nothing: the cache is a help for people alone.
std::string pod_of(const std::string& cache_dir, const std::string& network, const protocol::Attachment& holder) {
  const std::string file = network + "-" + holder.container_id + "-" + holder.ifname;
  const auto text = read_file(cache_dir + "/results/" + file, kMaxCacheFile);
  const auto cached = text.ok() ? protocol::parse_json(text.value()) : Result<Json>(text.error());
  if (!cached.ok() || !cached.value().is_object()) return {};
  const std::string name = argument(cached.value(), "K8S_POD_NAME");
  return name.empty() ? name : argument(cached.value(), "K8S_POD_NAMESPACE") + "/" + name;
}

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
  ErrorList failures;
  for (const Reservation& each : store.value()->reservations(failures)) {
    if (!may_be_alive(each, now)) continue;
    out.push_back({each.address, network, each.holder, pod_of(places.cache_dir, network, each.holder)});
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
  for (size_t i = 0; i < std::min(occupants.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + occupants[i].text();
  }
  if (occupants.size() > kNamed) text += " and " + std::to_string(occupants.size() - kNamed) + " more";
  return text;
}

}  // namespace cnio::cnioctl
