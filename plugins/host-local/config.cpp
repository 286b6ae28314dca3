// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/config.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "cnio/ipam/requested.hpp"
#include "cnio/ipam/reservation_store.hpp"

#include "host-local/keys.hpp"

namespace cnio::host_local {
namespace {

using ipam::Range;
using ipam::RangeSet;
using protocol::Fields;
using protocol::Request;

constexpr std::string_view kDefaultDataDir = "/var/lib/cni/networks";
constexpr int64_t kLongestLockTimeout = 3600;

// A set of the configuration, with the key it came from for messages.
struct NamedSet {
  RangeSet set;
  std::string key;
};

Result<std::optional<Cidr>> parse_subnet(const Fields& fields) {
  CNIO_LET(const std::optional<Cidr> subnet, fields.cidr("subnet"));
  if (!subnet) return subnet;
  CNIO_LET(const std::string text, fields.text("subnet"));
  const unsigned longest = subnet->addr.bits() - 2;
  if (subnet->addr.is_v4() && text.find(':') != std::string::npos) {
    return fields.fault("subnet", "must be written as an IPv4 network such as " + subnet->network().to_string() +
                                      ", not as " + quote(text));
  }
  if (subnet->prefix > longest) {
    return fields.fault("subnet", subnet->to_string() + " is too small to give addresses from: the prefix length " +
                                      "must be at most " + std::to_string(longest));
  }
  if (*subnet != subnet->network()) {
    return fields.fault("subnet", subnet->to_string() + " is not a network address: did you mean " +
                                      subnet->network().to_string() + "?");
  }
  return subnet;
}

// A first or last address: `otherwise` if absent, else one of the subnet.
Result<IpAddr> parse_bound(const Fields& fields, std::string_view key, const Cidr& subnet, const IpAddr& otherwise) {
  CNIO_LET(const std::optional<IpAddr> addr, fields.ip(key));
  if (!addr) return otherwise;
  if (subnet.contains(*addr)) return *addr;
  return fields.fault(key, addr->to_string() + " is not in the subnet " + subnet.to_string());
}

Result<IpAddr> parse_gateway(const Fields& fields, const Cidr& subnet, const IpAddr& otherwise) {
  CNIO_LET(const std::optional<IpAddr> gateway, fields.ip("gateway"));
  if (!gateway) return otherwise;
  const std::string why = ipam::why_no_gateway(subnet, *gateway);
  if (!why.empty()) return fields.fault("gateway", why);
  return *gateway;
}

// Nothing if there is no subnet; the other keys mean nothing then, but must still hold addresses.
Result<std::optional<Range>> parse_range(const Fields& fields) {
  CNIO_LET(const std::optional<Cidr> subnet, parse_subnet(fields));
  if (!subnet) {
    for (const std::string_view key : {"rangeStart", "rangeEnd", "gateway"}) CNIO_TRY(fields.ip(key));
    return std::optional<Range>();
  }
  Range range = ipam::default_range(*subnet);
  CNIO_LET(range.gateway, parse_gateway(fields, *subnet, range.gateway));
  CNIO_LET(range.first, parse_bound(fields, "rangeStart", *subnet, range.first));
  CNIO_LET(range.last, parse_bound(fields, "rangeEnd", *subnet, range.last));
  if (range.last < range.first) {
    const bool start_given = fields.has("rangeStart");
    return fields.fault(
        start_given ? "rangeStart" : "rangeEnd",
        "the range must not end before it starts, got " + range.first.to_string() + " to " + range.last.to_string());
  }
  return std::optional(range);
}

bool gives_any(const RangeSet& set) {
  return set.next_free({}, [](const IpAddr&) { return false; }).has_value();
}

// A set of nothing but gateways and the like would look full for ever.
Result<RangeSet> usable(RangeSet set, const Fields& parent, std::string_view key) {
  if (gives_any(set)) return set;
  const IpAddr& addr = set.ranges().front().first;
  return parent.fault(
      key, set.to_string() + " holds no address to give: " + addr.to_string() + " " + set.why_withheld(addr));
}

// One range set from the list at `key` ("ranges[0]") of `parent`.
Result<RangeSet> parse_set(const Fields& parent, const std::string& key, const std::vector<Fields>& members) {
  if (members.empty()) return parent.fault(key, "a range set must hold at least one range");
  std::vector<Range> ranges;
  for (const Fields& member : members) {
    CNIO_LET(const std::optional<Range> range, parse_range(member));
    if (!range) return member.fault("subnet", "is missing, but every range needs one");
    for (const Range& other : ranges) {
      if (other.subnet.family() != range->subnet.family()) {
        return parent.fault(key, "a range set must be of one family, got " + other.subnet.to_string() + " and " +
                                     range->subnet.to_string());
      }
      if (other.overlaps(*range)) {
        return member.fault("subnet", range->to_string() + " overlaps " + other.to_string() + " in the same range set");
      }
    }
    ranges.push_back(*range);
  }
  return usable(RangeSet(std::move(ranges)), parent, key);
}

Status append_sets(std::vector<NamedSet>& sets, const Fields& parent, std::string_view key) {
  CNIO_LET(const auto lists, parent.object_lists(key));
  for (size_t i = 0; i < lists.size(); ++i) {
    const std::string place = std::string(key) + "[" + std::to_string(i) + "]";
    CNIO_LET(RangeSet set, parse_set(parent, place, lists[i]));
    sets.push_back({std::move(set), parent.path_of(place)});
  }
  return {};
}

// Addresses and networks that are not to be given.
Result<std::vector<Cidr>> parse_excluded(const Fields& ipam) {
  CNIO_LET(const std::vector<std::string> texts, ipam.texts("exclude"));
  std::vector<Cidr> networks;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto fault = [&](const std::string& why) { return ipam.fault("exclude[" + std::to_string(i) + "]", why); };
    const auto addr = IpAddr::parse(texts[i]);
    const auto network = addr ? Cidr::host(*addr) : Cidr::parse(texts[i]);
    if (!network) return fault("must be an IP address or a network such as 10.1.0.0/28, not " + quote(texts[i]));
    // Taken as it stands it could mean the address or the network.
    if (*network != network->network()) {
      return fault(network->to_string() + " is not a network address: did you mean " + network->network().to_string() +
                   " or " + network->addr.to_string() + "?");
    }
    networks.push_back(*network);
  }
  return networks;
}

// Sets that are good but for what is excluded, without that.
Status apply_excluded(std::vector<NamedSet>& sets, const Fields& ipam) {
  CNIO_LET(const std::vector<Cidr> excluded, parse_excluded(ipam));
  for (NamedSet& named : sets) {
    named.set = named.set.excluding(excluded);
    if (gives_any(named.set)) continue;
    return ipam.fault("exclude", "leaves no address to give in " + named.set.to_string() + " of " + quote(named.key));
  }
  return {};
}

Status check_disjoint(const std::vector<NamedSet>& sets) {
  for (size_t i = 0; i < sets.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!sets[i].set.overlaps(sets[j].set)) continue;
      return Error::config(
          sets[i].key, sets[i].set.to_string() + " overlaps " + sets[j].set.to_string() + " of " + quote(sets[j].key));
    }
  }
  return {};
}

Result<std::vector<RangeSet>> parse_sets(const Request& request, const Fields& ipam) {
  std::vector<NamedSet> sets;
  CNIO_LET(const Fields runtime, request.fields(kKeys).at(protocol::kRuntimeConfig));
  CNIO_TRY(append_sets(sets, runtime, "ipRanges"));
  CNIO_LET(const std::optional<Range> single, parse_range(ipam));
  if (single) {
    CNIO_LET(RangeSet set, usable(RangeSet({*single}), ipam, "subnet"));
    sets.push_back({std::move(set), ipam.path_of("subnet")});
  }
  CNIO_TRY(append_sets(sets, ipam, "ranges"));
  if (sets.empty()) return ipam.fault("ranges", "is missing or empty, and so is ipam.subnet: no address to give");
  CNIO_TRY(check_disjoint(sets));
  std::vector<Family> families;
  for (const NamedSet& named : sets) families.push_back(named.set.family());
  CNIO_TRY(ipam::check_room(families, "range sets", request.version));
  CNIO_TRY(apply_excluded(sets, ipam));
  std::vector<RangeSet> out;
  for (NamedSet& named : sets) out.push_back(std::move(named.set));
  return out;
}

// "10.1.0.9" or "10.1.0.9/16"; the prefix length is that of the range anyway.
std::optional<IpAddr> parse_requested(std::string_view text) {
  if (const auto cidr = Cidr::parse(text)) return cidr->addr;
  return IpAddr::parse(text);
}

void append_once(std::vector<IpAddr>& addrs, const IpAddr& addr) {
  if (std::find(addrs.begin(), addrs.end(), addr) == addrs.end()) addrs.push_back(addr);
}

Status append(std::vector<IpAddr>& addrs, const std::vector<ipam::Requested>& requested) {
  for (const ipam::Requested& each : requested) {
    const auto addr = parse_requested(each.text);
    if (!addr) return each.fault("must be an IP address, not " + quote(each.text));
    append_once(addrs, *addr);
  }
  return {};
}

Result<std::vector<IpAddr>> parse_all_requested(const Request& request) {
  std::vector<IpAddr> addrs;
  CNIO_LET(const auto arguments, ipam::parse_arguments(request, kKeys));
  if (const auto text = arguments.find("IP"); text != arguments.end()) {
    CNIO_TRY(append(addrs, {ipam::Requested{text->second, "IP", true}}));
  }
  CNIO_LET(const std::vector<ipam::Requested> by_args, ipam::requested_by_args(request.fields(kKeys)));
  CNIO_TRY(append(addrs, by_args));
  CNIO_LET(const std::vector<ipam::Requested> by_runtime, ipam::requested_by_runtime(request.fields(kKeys)));
  CNIO_TRY(append(addrs, by_runtime));
  return addrs;
}

// Where the reservations of the network are below `data_dir`; empty: below the default one.
std::string store_folder(const Request& request, std::string data_dir) {
  if (data_dir.empty()) data_dir = kDefaultDataDir;
  if (!data_dir.ends_with('/')) data_dir += '/';
  return data_dir + request.network;
}

Result<std::chrono::milliseconds> parse_lock_limit(const Fields& ipam) {
  CNIO_LET(const std::optional<int64_t> seconds, ipam.integer_within("lockTimeoutSeconds", 1, kLongestLockTimeout));
  if (!seconds) return std::chrono::milliseconds(ipam::ReservationStore::kLockLimit);
  return std::chrono::milliseconds(std::chrono::seconds(*seconds));
}

Result<bool> parse_reclaim(const Fields& ipam) {
  CNIO_LET(const std::string text, ipam.text("reclaim"));
  if (text.empty() || text == "reboot") return true;
  if (text == "never") return false;
  return ipam.fault("reclaim", "must be \"reboot\" or \"never\", not " + quote(text));
}

Result<StoreConfig> parse_store_keys(const Request& request, const Fields& ipam) {
  CNIO_LET(std::string data_dir, ipam.text("dataDir"));
  CNIO_LET(const std::chrono::milliseconds lock_limit, parse_lock_limit(ipam));
  CNIO_LET(const bool reclaim, parse_reclaim(ipam));
  return StoreConfig{store_folder(request, std::move(data_dir)), lock_limit, reclaim};
}

}  // namespace

Result<Config> parse_config(const Request& request) {
  CNIO_LET(const Fields ipam, ipam::ipam_of(request.fields(kKeys)));
  CNIO_LET(std::vector<RangeSet> sets, parse_sets(request, ipam));
  CNIO_LET(std::vector<IpAddr> requested, parse_all_requested(request));
  CNIO_LET(std::vector<protocol::Route> routes, protocol::parse_routes(ipam, "routes"));
  CNIO_LET(std::string resolv_conf, ipam.text("resolvConf"));
  CNIO_LET(StoreConfig store, parse_store_keys(request, ipam));
  return Config{std::move(sets), std::move(requested), std::move(routes), std::move(resolv_conf), std::move(store)};
}

StoreConfig parse_store(const Request& request, std::vector<std::string>& ignored) {
  const auto ipam = request.fields(kKeys).object("ipam");
  const Result<std::string> data_dir = ipam.ok() ? ipam.value().text("dataDir") : ipam.error();
  StoreConfig store{store_folder(request, data_dir.ok() ? data_dir.value() : std::string()),
                    ipam::ReservationStore::kLockLimit, false};
  if (!data_dir.ok()) ignored.push_back(data_dir.error().msg() + "; looking into " + store.folder);
  if (!ipam.ok()) return store;
  if (const auto limit = parse_lock_limit(ipam.value()); limit.ok()) store.lock_limit = limit.value();
  const auto reclaim = parse_reclaim(ipam.value());
  store.reclaim = reclaim.ok() && reclaim.value();
  return store;
}

}  // namespace cnio::host_local
