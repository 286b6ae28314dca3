// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/host_local.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cnio/ipam/reservation_store.hpp"
#include "cnio/ipam/resolv_conf.hpp"

#include "host-local/allocation.hpp"
#include "host-local/config.hpp"
#include "host-local/keys.hpp"

namespace cnio::host_local {
namespace {

using ipam::Grant;
using ipam::Origin;
using ipam::RangeSet;
using ipam::Reservation;
using ipam::ReservationStore;
using protocol::AddResult;
using protocol::Attachment;
using protocol::Request;

// A runtime asks often, and everybody waits for its answer.
constexpr std::chrono::milliseconds kPatienceOfStatus{5'000};

constexpr std::string_view kExampleConfig = R"({
  "cniVersion": "1.1.0",
  "name": "example",
  "type": "host-local",
  "ipam": {
    "type": "host-local",
    "ranges": [[{"subnet": "10.240.1.0/24"}]],
    "routes": [{"dst": "0.0.0.0/0"}]
  }
})";

Result<protocol::Dns> read_dns(const Config& config) {
  if (config.resolv_conf.empty()) return protocol::Dns();
  return ipam::read_resolv_conf(config.resolv_conf).context("key \"ipam.resolvConf\"");
}

// For DEL and GC.
StoreConfig find_store(const Request& request) {
  std::vector<std::string> ignored;
  StoreConfig where = parse_store(request, ignored);
  for (const std::string& each : ignored) note(each);
  return where;
}

// Takes back what an ADD gave, and nothing else.
Status withdraw(const StoreConfig& where, const Attachment& attachment, const std::vector<Grant>& grants) {
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(where.folder, where.lock_limit));
  if (!store) return {};
  ErrorList failures;
  for (const Reservation& held :
       store->find_by_attachment(attachment, failures, ReservationStore::Detail::kWithoutOrigin)) {
    const bool given =
        std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) { return grant.address == held.address; });
    if (given) failures.collect(store->release(held));
  }
  return failures.status();
}

AddResult compose(Config config, const std::vector<Grant>& grants, protocol::Dns dns) {
  AddResult result;
  for (const Grant& grant : grants) {
    const ipam::Range& range = *config.sets[grant.set].find(grant.address);
    result.ips.push_back({{grant.address, range.subnet.prefix}, range.gateway, {}});
  }
  result.routes = std::move(config.routes);
  result.dns = std::move(dns);
  return result;
}

Error difference(const Request& request, const std::string& what, const std::string& folder) {
  return Error::make(Code::kCheckFailed, what,
                     "reservations of network \"" + request.network + "\" are files in " + folder);
}

Status check_held(const Request& request, const Config& config, const std::vector<Reservation>& all) {
  const Attachment& attachment = request.attachment;
  const auto holds = [&](const auto& matches) {
    return std::any_of(all.begin(), all.end(),
                       [&](const Reservation& each) { return matches(each.address) && each.held_by(attachment); });
  };
  CNIO_LET(const auto prev_result, protocol::parse_prev_result(request.fields(), request.version));
  for (const protocol::IpConfig& ip : prev_result ? prev_result->ips : std::vector<protocol::IpConfig>()) {
    const IpAddr& addr = ip.address.addr;
    const bool ours = std::any_of(config.sets.begin(), config.sets.end(),
                                  [&](const RangeSet& set) { return set.find(addr) != nullptr; });
    if (!ours || holds([&](const IpAddr& other) { return other == addr; })) continue;
    return difference(request,
                      "address " + addr.to_string() + " of prevResult: expected reserved by " + attachment.text() +
                          ", found " + holder_of(addr, all),
                      config.store.folder);
  }
  for (const RangeSet& set : config.sets) {
    if (holds([&](const IpAddr& addr) { return set.find(addr) != nullptr; })) continue;
    return difference(
        request,
        "range set " + set.to_string() + ": expected an address reserved by " + attachment.text() + ", found none",
        config.store.folder);
  }
  return {};
}

// A torn reservation is held by nobody, and so is stale. What names no attachment may be anybody's, unless we made it
// before the last boot: then a crash has damaged it.
bool is_stale(const Reservation& reservation, const std::vector<Attachment>& valid, bool reclaim,
              const std::optional<Origin>& now) {
  if (reservation.state == Reservation::State::kForeign) return is_given_up(reservation, reclaim, now);
  return std::none_of(valid.begin(), valid.end(),
                      [&](const Attachment& attachment) { return reservation.held_by(attachment); });
}

}  // namespace

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(const auto requested, assign_requested(config));
  CNIO_LET(protocol::Dns dns, read_dns(config));
  const Attachment& attachment = request.attachment;
  const std::optional<Origin> now = Origin::here(request.netns_path);

  CNIO_LET(ReservationStore store, ReservationStore::create(config.store.folder, config.store.lock_limit));
  ErrorList unreadable;
  const std::vector<Reservation> held = store.find_by_attachment(attachment, unreadable);
  CNIO_TRY(unreadable.status());
  CNIO_TRY(store.reclaim_torn());
  CNIO_LET(const Plan plan, choose(request, config, requested, held, now, store));
  CNIO_TRY(store.reserve(attachment, plan.fresh, now));
  undo.last("release the addresses",
            [where = config.store, attachment, grants = plan.grants] { return withdraw(where, attachment, grants); });
  for (const Reservation& each : plan.continued) {
    CNIO_TRY(store.renew(each, *now));
    note(attachment.text() + " keeps " + each.address.to_string() + ", which it had before it was started again");
  }
  return compose(config, plan.grants, std::move(dns));
}

Status del(const Request& request) {
  const StoreConfig where = find_store(request);
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(where.folder, where.lock_limit));
  if (!store) return {};
  ErrorList failures;
  const std::vector<Reservation> held =
      store->find_by_attachment(request.attachment, failures, ReservationStore::Detail::kWithoutOrigin);
  const auto is_own = [](const Reservation& reservation) { return !reservation.holder.ifname.empty(); };
  // A file of the old format is for all interfaces of its container: it goes only if this one has none of its own.
  const bool has_own = std::any_of(held.begin(), held.end(), is_own);
  for (const Reservation& reservation : held) {
    if (is_own(reservation) == has_own) failures.collect(store->release(reservation));
  }
  return failures.status();
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(config.store.folder, config.store.lock_limit));
  if (!store) return check_held(request, config, {});
  ErrorList unreadable;
  const std::vector<Reservation> held =
      store->find_by_attachment(request.attachment, unreadable, ReservationStore::Detail::kWithoutOrigin);
  CNIO_TRY(unreadable.status());
  if (check_held(request, config, held).ok()) return {};
  // Who has it instead is in one of all the files.
  const std::vector<Reservation>& all = store->reservations(unreadable);
  CNIO_TRY(unreadable.status());
  return check_held(request, config, all);
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  if (auto dns = read_dns(config); !dns.ok()) return std::move(dns).error().unavailable();
  CNIO_TRY(ReservationStore::check_writable(config.store.folder));
  const std::optional<Origin> now = Origin::here("");
  const auto limit = std::min(config.store.lock_limit, kPatienceOfStatus);
  auto store = ReservationStore::look(config.store.folder, now, limit);
  if (!store.ok()) return std::move(store).error().unavailable();
  if (!store.value()) return {};
  Status free = check_free(request, config, now, *store.value());
  return free.ok() ? free : std::move(free).error().unavailable();
}

Status gc(const Request& request) {
  const StoreConfig where = find_store(request);
  CNIO_LET(const std::vector<Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(where.folder, where.lock_limit));
  if (!store) return {};
  const std::optional<Origin> now = Origin::here("");
  ErrorList failures;
  for (const Reservation& reservation : store->reservations(failures)) {
    if (is_stale(reservation, valid, where.reclaim, now)) {
      failures.collect(store->release(reservation));
    } else if (reservation.state == Reservation::State::kForeign) {
      note(where.folder + "/" + reservation.file + " left alone: no plugin wrote it");
    }
  }
  return failures.status();
}

protocol::Plugin plugin() {
  return {.name = "host-local",
          .about = "gives addresses from configured ranges and keeps who has which in files of this host",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .keys = kKeys};
}

}  // namespace cnio::host_local
