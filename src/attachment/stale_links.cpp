// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/leftover.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {
namespace {

using protocol::Attachment;

// Has the pattern of the names that we, and the reference, give to host ends.
bool looks_like_host_end(const net::Link& link, const std::string& prefix) {
  if (link.kind != "veth" || !link.peer_namespace) return false;
  const auto fits = [&](const std::string& each) {
    return link.name.size() == each.size() + kNameDigits && link.name.starts_with(each) &&
           link.name.find_first_not_of("0123456789abcdef", each.size()) == std::string::npos;
  };
  return fits(prefix) || fits("veth");
}

// Looks at links for GC, one after the other.
class Sorter {
 public:
  Sorter(const Network& network, const std::string& name, const std::set<Attachment>& valid)
      : network_(network), mark_(mark_of(name)) {
    for (const Attachment& attachment : valid) {
      aliases_.emplace(host_end_alias(name, attachment), attachment);
      for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt)
        names_.emplace(host_end_name(name, attachment, network.host_prefix, attempt), attachment);
    }
  }

  enum class Kind { kNotOurs, kLiving, kStale, kUnknown };
  struct Verdict {
    Kind kind = Kind::kNotOurs;
    Attachment attachment = {};  // of a living one
  };
  [[nodiscard]] Verdict sort(const net::Link& link, const std::optional<net::Link>& bridge) const {
    if (link.kind != "veth") return {Kind::kNotOurs, {}};
    if (const auto living = aliases_.find(link.alias); living != aliases_.end()) return {Kind::kLiving, living->second};
    if (link.alias.starts_with(kAliasMark)) return {sort_by_alias(link.alias), {}};
    if (!is_in_place(network_, link, bridge) || !looks_like_host_end(link, network_.host_prefix))
      return {Kind::kNotOurs, {}};
    if (const auto living = names_.find(link.name); living != names_.end()) return {Kind::kLiving, living->second};
    return {Kind::kUnknown, {}};
  }

 private:
  [[nodiscard]] Kind sort_by_alias(const std::string& alias) const {
    constexpr size_t kBeforeDigest = kMaxAlias - 1 - kAliasDigits;
    const bool full = alias.size() == kMaxAlias;
    // One that an earlier version had to cut does not say enough.
    const bool cut = full && alias[kBeforeDigest] != '#';
    if (alias.starts_with(mark_)) return cut ? Kind::kUnknown : Kind::kStale;
    // Nor does any, of a network whose name alone fills it.
    const bool may_be = full && mark_.starts_with(cut ? alias : alias.substr(0, kBeforeDigest));
    return may_be ? Kind::kUnknown : Kind::kNotOurs;
  }

  const Network& network_;
  std::string mark_;
  std::map<std::string, Attachment> aliases_;
  std::map<std::string, Attachment> names_;
};

// The links of a host, as GC sees them.
class Inventory {
 public:
  static Result<Inventory> take(net::Netlink& host) {
    CNIO_LET(std::vector<net::Link> links, net::list_links(host));
    return Inventory(std::move(links));
  }

  // Those about which nothing has been said yet.
  [[nodiscard]] std::vector<net::Link> rest() const {
    std::vector<net::Link> out;
    for (const auto& [index, link] : links_) {
      if (!settled_.contains(index)) out.push_back(link);
    }
    return out;
  }
  void settle(net::IfIndex index) { settled_.insert(index); }
  void settle(const RecordedPair& pair) {
    if (pair.host_index != net::IfIndex::kNone) {
      const auto link = links_.find(pair.host_index);
      if (link != links_.end() && is_recorded_end(link->second, pair)) settle(link->first);
      return;
    }
    for (const auto& [index, link] : links_) {
      if (is_recorded_end(link, pair)) settle(index);
    }
  }

 private:
  explicit Inventory(std::vector<net::Link> links) {
    for (net::Link& link : links) links_.emplace(link.index, std::move(link));
  }

  std::map<net::IfIndex, net::Link> links_;
  std::set<net::IfIndex> settled_;
};

// What is recorded of a pair that is gone hurts nobody.
void note_failure(std::string_view plugin, const Status& forgotten) {
  if (!forgotten.ok()) protocol::note(plugin, forgotten.error().msg());
}

// The recorded pairs of the network that are stale go; all others are settled. Adds the valid attachments that have a
// record to `told`.
Status remove_recorded(net::Netlink& host, uint64_t host_number, const Network& network, const std::string& name,
                       const std::set<Attachment>& valid, Inventory& inventory, std::set<Attachment>& told) {
  CNIO_LET(std::vector<AttachmentRecord> records, AttachmentRecord::list());
  ErrorList errors;
  for (AttachmentRecord& record : records) {
    for (const RecordedPair& pair : record.pairs_on(host_number)) {
      inventory.settle(pair);
      const bool ours = pair.network == name;
      if (ours && valid.contains(pair.attachment)) told.insert(pair.attachment);
      if (!ours || valid.contains(pair.attachment)) continue;
      const auto link = find_recorded_end(host, pair);
      Status gone = link.ok() ? Status() : Status(link.error());
      if (link.ok() && link.value()) gone = net::remove_link(host, *link.value());
      errors.collect(gone);
      if (gone.ok()) note_failure(network.plugin, record.forget(pair));
    }
  }
  return errors.status();
}

Error untold(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return Error::make(Code::kConflict,
                     "links whose attachment cannot be told are left alone, and no address is released "
                     "while one of them may have it: " +
                         list)
      .hint("`ip -d link show` tells more; remove those that belong to no living pod, and GC goes on");
}

}  // namespace

Status remove_stale_links(net::Netlink& host, uint64_t host_number, const Network& network, const std::string& name,
                          const std::vector<Attachment>& valid) {
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, network.bridge));
  // Before the records: a pair is recorded before it is made, so each link that is seen now has its record by then.
  CNIO_LET(Inventory inventory, Inventory::take(host));
  const std::set<Attachment> living(valid.begin(), valid.end());
  std::set<Attachment> told;
  CNIO_TRY(remove_recorded(host, host_number, network, name, living, inventory, told));
  const Sorter sorter(network, name, living);
  ErrorList errors;
  std::vector<std::string> unknown;
  for (const net::Link& seen : inventory.rest()) {
    Sorter::Verdict verdict = sorter.sort(seen, bridge);
    if (verdict.kind == Sorter::Kind::kUnknown) {
      // An ADD may have been about to mark it, or to take it back.
      CNIO_LET(const std::optional<net::Link> now, net::find_link(host, seen.index));
      if (!now) continue;
      verdict = sorter.sort(*now, bridge);
    }
    if (verdict.kind == Sorter::Kind::kStale) errors.collect(net::remove_link(host, seen));
    if (verdict.kind == Sorter::Kind::kLiving) told.insert(verdict.attachment);
    if (verdict.kind == Sorter::Kind::kUnknown) unknown.push_back(seen.name);
  }
  // As many as there are living attachments of which nothing else is known are those: of the reference, which leaves no
  // mark.
  if (unknown.size() > living.size() - told.size()) errors.collect(untold(unknown));
  return errors.status();
}

}  // namespace cnio::attachment
