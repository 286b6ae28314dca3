// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/host_local.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cnio/feature/reservation_store.hpp"
#include "cnio/feature/resolv_conf.hpp"

#include "host-local/config.hpp"

namespace cnio::host_local {
namespace {

using feature::Grant;
using feature::RangeSet;
using feature::Reservation;
using feature::ReservationStore;
using protocol::AddResult;
using protocol::Attachment;
using protocol::Request;

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

std::string text_of(const Attachment& attachment) { return attachment.container_id + "/" + attachment.ifname; }

Result<protocol::Dns> read_dns(const Config& config) {
  if (config.resolv_conf.empty()) return protocol::Dns();
  return feature::read_resolv_conf(config.resolv_conf).context("key \"ipam.resolvConf\"");
}

// Some addresses of a set are not for pods, whoever asks for them.
Status refuse_withheld(const RangeSet& set, const IpAddr& addr) {
  const char* reason = set.why_withheld(addr);
  if (reason == nullptr) return {};
  return Error::make(Code::kNoAddress, "requested address " + addr.to_string() + " " + reason +
                                           (set.excludes(addr) ? " by the key \"ipam.exclude\""
                                                               : " of " + set.find(addr)->subnet.to_string()));
}

// The requested address of each set, if there is one.
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

// An ADD for an attachment that has an address already is refused: the container that uses it may be alive.
Status refuse_duplicate(const Config& config, const Attachment& attachment, const std::vector<Reservation>& held) {
  for (const Reservation& reservation : held) {
    for (const RangeSet& set : config.sets) {
      if (set.find(reservation.address) == nullptr) continue;
      return Error::make(Code::kConflict,
                         text_of(attachment) + " has the address " + reservation.address.to_string() + " already",
                         "the reservation is " + config.store + "/" + reservation.file +
                             "; call DEL for the attachment before another ADD");
    }
  }
  return {};
}

Error exhausted(const Request& request, const Config& config, const RangeSet& set, const ReservationStore& store,
                Code code) {
  // None is free, so as many as the set can give are taken.
  const std::string count = std::to_string(store.count_taken([&](const IpAddr& addr) { return set.gives(addr); }));
  return Error::make(code,
                     "no free address in " + set.to_string() + " (" + count + " of " + count +
                         " reserved) of network \"" + request.network + "\"",
                     "each reservation is a file in " + config.store +
                         " that holds the container's id: call DEL or GC for containers that are gone, or configure "
                         "a larger range" +
                         (set.has_excluded() ? " or a shorter list at \"ipam.exclude\"" : ""));
}

// Who has the address, for messages.
std::string holder_of(const IpAddr& addr, const std::vector<Reservation>& reservations) {
  for (const Reservation& reservation : reservations) {
    if (reservation.address == addr) return "reserved by " + reservation.holder_text();
  }
  return "not reserved";
}

Result<IpAddr> grant_requested(const Config& config, const IpAddr& addr, ReservationStore& store) {
  if (!store.taken(addr)) return addr;
  ErrorList known;  // an unreadable file has ended this ADD before
  return Error::make(Code::kNoAddress,
                     "requested address " + addr.to_string() + " is " + holder_of(addr, store.reservations(known)),
                     "the reservation is a file in " + config.store);
}

// Chooses one address of every set. Nothing is written before all are found.
Result<std::vector<Grant>> plan(const Request& request, const Config& config,
                                const std::vector<std::optional<IpAddr>>& requested, ReservationStore& store) {
  std::vector<Grant> grants;
  for (size_t i = 0; i < config.sets.size(); ++i) {
    const RangeSet& set = config.sets[i];
    if (requested[i]) {
      CNIO_LET(const IpAddr addr, grant_requested(config, *requested[i], store));
      grants.push_back({i, addr});
      continue;
    }
    CNIO_LET(const std::optional<IpAddr> last, store.last_given(i));
    const auto addr = set.next_free(last, [&](const IpAddr& candidate) { return store.taken(candidate); });
    if (!addr) return exhausted(request, config, set, store, Code::kNoAddress);
    grants.push_back({i, *addr});
  }
  return grants;
}

// Takes back what an ADD gave, and nothing else.
Status withdraw(const std::string& folder, const Attachment& attachment, const std::vector<Grant>& grants) {
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(folder));
  if (!store) return {};
  ErrorList failures;
  for (const Reservation& held : store->find_by_attachment(attachment, failures)) {
    const bool given =
        std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) { return grant.address == held.address; });
    if (given) failures.collect(store->release(held));
  }
  return failures.status();
}

AddResult compose(Config config, const std::vector<Grant>& grants, protocol::Dns dns) {
  AddResult result;
  for (const Grant& grant : grants) {
    const feature::Range& range = *config.sets[grant.set].find(grant.address);
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
                      "address " + addr.to_string() + " of prevResult: expected reserved by " + text_of(attachment) +
                          ", found " + holder_of(addr, all),
                      config.store);
  }
  for (const RangeSet& set : config.sets) {
    if (holds([&](const IpAddr& addr) { return set.find(addr) != nullptr; })) continue;
    return difference(
        request,
        "range set " + set.to_string() + ": expected an address reserved by " + text_of(attachment) + ", found none",
        config.store);
  }
  return {};
}

// Every set has an address for the next attachment.
Status check_free(const Request& request, const Config& config, ReservationStore& store) {
  ErrorList full;
  for (const RangeSet& set : config.sets) {
    if (set.next_free({}, [&](const IpAddr& addr) { return store.taken(addr); })) continue;
    // ADD would use those again that a dead writer left. Only a full set is worth reading every file.
    ErrorList unreadable;
    const std::vector<Reservation>& all = store.reservations(unreadable);
    const bool reclaimable = std::any_of(all.begin(), all.end(), [&](const Reservation& each) {
      return each.state == Reservation::State::kTorn && set.gives(each.address);
    });
    if (!reclaimable) full.collect(exhausted(request, config, set, store, Code::kNotAvailable));
  }
  return full.status();
}

// A torn reservation is held by nobody, and so is stale.
bool is_stale(const Reservation& reservation, const std::vector<Attachment>& valid) {
  if (reservation.state == Reservation::State::kForeign) return false;
  return std::none_of(valid.begin(), valid.end(),
                      [&](const Attachment& attachment) { return reservation.held_by(attachment); });
}

}  // namespace

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(const auto requested, assign_requested(config));
  CNIO_LET(protocol::Dns dns, read_dns(config));
  const Attachment& attachment = request.attachment;

  CNIO_LET(ReservationStore store, ReservationStore::create(config.store));
  ErrorList unreadable;
  const std::vector<Reservation> held = store.find_by_attachment(attachment, unreadable);
  CNIO_TRY(unreadable.status());
  CNIO_TRY(refuse_duplicate(config, attachment, held));
  CNIO_TRY(store.reclaim_torn());
  CNIO_LET(const std::vector<Grant> grants, plan(request, config, requested, store));
  CNIO_TRY(store.reserve(attachment, grants));
  undo.last("release the addresses",
            [folder = config.store, attachment, grants] { return withdraw(folder, attachment, grants); });
  return compose(config, grants, std::move(dns));
}

Status del(const Request& request) {
  CNIO_LET(const std::string folder, parse_store(request));
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(folder));
  if (!store) return {};
  ErrorList failures;
  const std::vector<Reservation> held = store->find_by_attachment(request.attachment, failures);
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
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(config.store));
  if (!store) return check_held(request, config, {});
  ErrorList unreadable;
  const std::vector<Reservation>& all = store->reservations(unreadable);
  CNIO_TRY(unreadable.status());
  return check_held(request, config, all);
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  if (auto dns = read_dns(config); !dns.ok()) return std::move(dns).error().unavailable();
  CNIO_TRY(ReservationStore::check_writable(config.store));
  auto store = ReservationStore::peek(config.store);
  if (!store.ok()) return std::move(store).error().unavailable();
  return store.value() ? check_free(request, config, *store.value()) : Status();
}

Status gc(const Request& request) {
  CNIO_LET(const std::string folder, parse_store(request));
  CNIO_LET(const std::vector<Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  CNIO_LET(std::optional<ReservationStore> store, ReservationStore::open(folder));
  if (!store) return {};
  ErrorList failures;
  for (const Reservation& reservation : store->reservations(failures)) {
    if (is_stale(reservation, valid)) failures.collect(store->release(reservation));
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
          .gc = gc};
}

}  // namespace cnio::host_local
