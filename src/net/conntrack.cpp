// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/conntrack.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "cnio/base/error_list.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sysctl.hpp"

#include "nl_ptr.hpp"

namespace cnio::net {
namespace {

// Of an entry the kernel shows all, or with a filter (since 5.8) those with one source in one direction. Either way it
// walks through its whole table (some milliseconds), and that is what costs most until there are this many entries.
constexpr unsigned long kFewEntries = 10'000;
// CTA_FILTER_F_CTA_IP_SRC of the kernel's own nf_internals.h: the tuple's source address has to match.
constexpr uint32_t kSourceMatches = 1;
constexpr size_t kBatch = 500;        // removals in one system call
constexpr size_t kMessageSize = 512;  // bytes; an IPv6 entry's needs about 150

void must(int libnl_result) {
  // Building can only fail for want of room.
  if (libnl_result < 0) throw std::bad_alloc();
}

// How many entries this namespace has; 0 if the kernel does not track connections, or does not say.
unsigned long count_entries() {
  const auto read = read_sysctl("netfilter/nf_conntrack_count");
  const std::string text = read.ok() ? read.value().value_or("") : "";
  unsigned long count = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

MsgPtr conntrack_message(int type, int flags, int family) {
  MsgPtr message(checked(nlmsg_alloc_size(kMessageSize)));
  nlmsghdr* header = checked(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, NFNL_SUBSYS_CTNETLINK << 8 | type,
                                       sizeof(nfgenmsg), NLM_F_REQUEST | flags));
  *static_cast<nfgenmsg*>(nlmsg_data(header)) = {static_cast<uint8_t>(family), NFNETLINK_V0, 0};
  return message;
}

// The source address of one direction.
std::optional<IpAddr> source_of(nlattr* tuple) {
  nlattr* parts[CTA_TUPLE_MAX + 1] = {};
  nlattr* ends[CTA_IP_MAX + 1] = {};
  if (tuple == nullptr || nla_parse_nested(parts, CTA_TUPLE_MAX, tuple, nullptr) < 0 ||
      parts[CTA_TUPLE_IP] == nullptr || nla_parse_nested(ends, CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr) < 0) {
    return std::nullopt;
  }
  const nlattr* source = ends[CTA_IP_V4_SRC] != nullptr ? ends[CTA_IP_V4_SRC] : ends[CTA_IP_V6_SRC];
  return source != nullptr ? std::optional(to_ip(source)) : std::nullopt;
}

// Entries to be removed, as the messages that do it.
class Removals {
 public:
  explicit Removals(const std::vector<IpAddr>& addresses) : addresses_(addresses) {}

  // `answer` describes an entry.
  void consider(nlmsghdr& answer) {
    nlattr* at[CTA_MAX + 1] = {};
    if (nlmsg_parse(&answer, sizeof(nfgenmsg), at, CTA_MAX, nullptr) < 0 || at[CTA_TUPLE_ORIG] == nullptr) return;
    // Where the kernel has filtered, too: one that does not know the filter shows all.
    if (!concerns_us(at[CTA_TUPLE_ORIG]) && !concerns_us(at[CTA_TUPLE_REPLY])) return;
    MsgPtr removal =
        conntrack_message(IPCTNL_MSG_CT_DELETE, 0, static_cast<const nfgenmsg*>(nlmsg_data(&answer))->nfgen_family);
    // The number makes sure that it is this entry, not one that has taken its place since.
    for (const int name : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID}) {
      if (at[name] != nullptr) must(nla_put(removal.get(), at[name]->nla_type, nla_len(at[name]), nla_data(at[name])));
    }
    messages_.push_back(std::move(removal));
  }

  Status carry_out(Netlink& netfilter) const {
    ErrorList errors;
    for (size_t next = 0; next < messages_.size(); next += kBatch) {
      std::vector<nl_msg*> batch;
      for (size_t i = next; i < std::min(next + kBatch, messages_.size()); ++i) batch.push_back(messages_[i].get());
      nlmsg_hdr(batch.back())->nlmsg_flags |= NLM_F_ACK;
      Status done = netfilter.transact(batch, "remove tracked connections");
      // Gone by itself meanwhile; or in the hands of a flow table, which lets it go when its packets cease.
      if (!done.ok() && (done.error().errnum() == ENOENT || done.error().errnum() == EBUSY)) continue;
      errors.collect(std::move(done));
    }
    return errors.status();
  }

 private:
  [[nodiscard]] bool concerns_us(nlattr* tuple) const {
    const auto source = source_of(tuple);
    return source && std::find(addresses_.begin(), addresses_.end(), *source) != addresses_.end();
  }

  const std::vector<IpAddr>& addresses_;
  std::vector<MsgPtr> messages_;
};

// Asks for those entries whose `tuple` (CTA_TUPLE_ORIG or CTA_TUPLE_REPLY) has this source.
void put_filter(nl_msg* message, int tuple, const IpAddr& address) {
  nlattr* outer = checked(nla_nest_start(message, tuple));
  nlattr* inner = checked(nla_nest_start(message, CTA_TUPLE_IP));
  must(nla_put(message, address.is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, static_cast<int>(address.size()),
               address.data()));
  nla_nest_end(message, inner);
  nla_nest_end(message, outer);
  nlattr* filter = checked(nla_nest_start(message, CTA_FILTER));
  must(nla_put_u32(message, tuple == CTA_TUPLE_ORIG ? CTA_FILTER_ORIG_FLAGS : CTA_FILTER_REPLY_FLAGS, kSourceMatches));
  nla_nest_end(message, filter);
}

Status list_entries(Netlink& netfilter, const MsgPtr& message, Removals& removals) {
  return netfilter.query(message.get(), "list tracked connections",
                         [&](nlmsghdr& answer) { removals.consider(answer); });
}

Status find_entries(Netlink& netfilter, const std::vector<IpAddr>& addresses, bool few, Removals& removals) {
  if (few) return list_entries(netfilter, conntrack_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), removals);
  for (const IpAddr& address : addresses) {
    for (const int tuple : {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY}) {
      const MsgPtr message = conntrack_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, af_of(address.family()));
      put_filter(message.get(), tuple, address);
      CNIO_TRY(list_entries(netfilter, message, removals));
    }
  }
  return {};
}

}  // namespace

Status forget_connections(const std::vector<IpAddr>& addresses) {
  // Asked first, since mere asking by netlink would load modules that nobody needs.
  const unsigned long count = addresses.empty() ? 0 : count_entries();
  if (count == 0) return {};
  CNIO_LET(Netlink netfilter, Netlink::open(NETLINK_NETFILTER));
  Removals removals(addresses);
  const Status found = find_entries(netfilter, addresses, count <= kFewEntries, removals);
  // A kernel that tracks connections, but does not talk about them.
  if (!found.ok() && found.error().errnum() == EINVAL) return {};
  CNIO_TRY(found);
  return removals.carry_out(netfilter);
}

}  // namespace cnio::net
