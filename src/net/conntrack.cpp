// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/conntrack.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <functional>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>
#include <tuple>
#include <utility>

#include "cnio/base/error_list.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sysctl.hpp"

#include "net/conntrack_entry.hpp"
#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

using conntrack::Connection;
using conntrack::Direction;
using Concerns = std::function<bool(const Connection&)>;

// By netlink the kernel shows all entries, or with a filter (since 5.8) those with one source in one direction. Either
// way it walks through its whole table and takes a lock for each of its hundreds of thousands of places (some 10
// milliseconds), and that is what costs most until there are this many entries.
constexpr unsigned long kFewEntries = 10'000;
// Each walk with a filter is for one address and one direction. For more addresses, one walk without shows all.
constexpr size_t kFewAddresses = 2;  // a pod's, one of each family
// As text it shows them without these locks (0.3 milliseconds), but some 25 at a time, and before Linux 6.13 walks from
// the start each time. Such a kernel may then leave out an entry if others go away meanwhile; it ends by itself.
constexpr unsigned long kVeryFewEntries = 1'000;
constexpr char kText[] = "/proc/thread-self/net/nf_conntrack";  // CONFIG_NF_CONNTRACK_PROCFS
constexpr size_t kMaxText = kVeryFewEntries * 2048;             // bytes; a line has some 200
// CTA_FILTER_F_CTA_IP_SRC of the kernel's own nf_internals.h: the tuple's source address has to match.
constexpr uint32_t kSourceMatches = 1;
constexpr size_t kPortion = 500;  // removals in one system call, and the most that are kept in memory
const IpAddr kLoopback = *IpAddr::parse("127.0.0.1");  // stands for 127.0.0.0/8

// How many entries this namespace has; 0 if the kernel does not track connections, or does not say.
unsigned long count_entries() {
  const auto read = read_sysctl("netfilter/nf_conntrack_count");
  const std::string text = read.ok() ? read.value().value_or("") : "";
  unsigned long count = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

// Entries to be removed, as the messages that do it. They are sent a portion at a time, so that the memory that it
// takes does not grow with the number of entries, which a pod chooses.
class Removals {
 public:
  // `netfilter` serves once the walk through the entries is over.
  Removals(Concerns concerns, Netlink& netfilter) : concerns_(std::move(concerns)), netfilter_(netfilter) {}

  // `answer` describes an entry. For use within a walk by `netfilter`, which is taken for that long: a portion that is
  // full is sent by a socket of its own.
  void consider(nlmsghdr& answer) {
    // Where the kernel has filtered, too: one that does not know the filter shows all.
    const auto connection = conntrack::parse_message(answer);
    if (!connection || !concerns_(*connection)) return;
    nlattr* at[CTA_MAX + 1] = {};
    if (nlmsg_parse(&answer, sizeof(nfgenmsg), at, CTA_MAX, nullptr) < 0) return;
    MsgPtr removal = conntrack::make_message(IPCTNL_MSG_CT_DELETE, 0,
                                             static_cast<const nfgenmsg*>(nlmsg_data(&answer))->nfgen_family);
    // The number makes sure that it is this entry, not one that has taken its place since.
    for (const int name : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID}) {
      if (at[name] != nullptr) must(nla_put(removal.get(), at[name]->nla_type, nla_len(at[name]), nla_data(at[name])));
    }
    messages_.push_back(std::move(removal));
    if (messages_.size() >= kPortion) errors_.collect(send_meanwhile());
  }

  // One that concerns us, and is known in full.
  void add(const Connection& connection) {
    messages_.push_back(conntrack::make_message(IPCTNL_MSG_CT_DELETE, 0, af_of(connection.original.source->family())));
    conntrack::put_tuple(messages_.back().get(), connection);
    if (messages_.size() >= kPortion) errors_.collect(send(netfilter_));
  }

  // What is left over. Returns all that has failed.
  Status finish() {
    errors_.collect(send(netfilter_));
    return errors_.status();
  }

 private:
  Status send_meanwhile() {
    if (!second_) {
      auto opened = Netlink::open(NETLINK_NETFILTER);
      if (!opened.ok()) {
        messages_.clear();
        return std::move(opened).error();
      }
      second_ = std::move(opened).value();
    }
    return send(*second_);
  }

  Status send(Netlink& netfilter) {
    const std::vector<MsgPtr> portion = std::exchange(messages_, {});
    if (portion.empty()) return {};
    std::vector<nl_msg*> batch;
    for (const MsgPtr& message : portion) batch.push_back(message.get());
    nlmsg_hdr(batch.back())->nlmsg_flags |= NLM_F_ACK;
    Status done = netfilter.transact(batch, "remove tracked connections");
    // Gone by itself meanwhile; or in the hands of a flow table, which lets it go when its packets cease.
    if (!done.ok() && (done.error().errnum() == ENOENT || done.error().errnum() == EBUSY)) return {};
    return done;
  }

  Concerns concerns_;
  Netlink& netfilter_;
  std::optional<Netlink> second_;
  std::vector<MsgPtr> messages_;
  ErrorList errors_;
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

// The kernel's own filter serves for few addresses.
Status find_entries(Netlink& netfilter, const std::vector<IpAddr>& addresses, unsigned long count, Removals& removals) {
  if (count <= kFewEntries || addresses.empty() || addresses.size() > kFewAddresses)
    return list_entries(netfilter, conntrack::make_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), removals);
  for (const IpAddr& address : addresses) {
    for (const int tuple : {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY}) {
      const MsgPtr message = conntrack::make_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, af_of(address.family()));
      put_filter(message.get(), tuple, address);
      CNIO_TRY(list_entries(netfilter, message, removals));
    }
  }
  return {};
}

// The entries that concern us. Nothing if that is not to be had as text, or it does not tell enough of one.
std::optional<std::vector<Connection>> read_entries(const Concerns& concerns) {
  const auto read = read_file(kText, kMaxText);
  if (!read.ok()) return std::nullopt;
  std::vector<Connection> ours;
  for (std::string_view text = read.value(); !text.empty();) {
    const size_t end = std::min(text.find('\n'), text.size());
    const conntrack::Line line = conntrack::parse_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!concerns(line.connection)) continue;
    if (!line.complete) return std::nullopt;
    ours.push_back(line.connection);
  }
  return ours;
}

// What is to be forgotten: connections of which one end is one of few addresses, if there are any, and that concern us.
struct Search {
  std::vector<IpAddr> addresses;
  Concerns concerns;
};

Status forget(const Search& search, unsigned long count, const std::optional<std::vector<Connection>>& entries,
              Netlink& netfilter) {
  Removals removals(search.concerns, netfilter);
  if (entries) {
    for (const Connection& connection : *entries) removals.add(connection);
    return removals.finish();
  }
  const Status found = find_entries(netfilter, search.addresses, count, removals);
  // A kernel that tracks connections, but does not talk about them.
  if (!found.ok() && found.error().errnum() == EINVAL) return {};
  Status removed = removals.finish();
  CNIO_TRY(found);
  return removed;
}

Status forget(const Search& search, Netlink* netfilter) {
  // Asked first, since mere asking by netlink would load modules that nobody needs.
  const unsigned long count = count_entries();
  if (count == 0) return {};
  const auto entries = count <= kVeryFewEntries ? read_entries(search.concerns) : std::nullopt;
  if (entries && entries->empty()) return {};
  if (netfilter != nullptr) return forget(search, count, entries, *netfilter);
  CNIO_LET(Netlink own, Netlink::open(NETLINK_NETFILTER));
  return forget(search, count, entries, own);
}

// Protocol, port and address, in this order: those of all local addresses stand for each.
using Ports = std::set<std::tuple<unsigned, uint16_t, IpAddr>>;

Result<Ports> ports_to_forget(const std::vector<HostPort>& ports) {
  Ports out;
  CNIO_LET(Netlink route, Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const std::vector<OwnedAddress> local, list_addresses(route));
  for (const HostPort& port : ports) {
    if (port.host) out.emplace(port.protocol, port.port, *port.host);
    for (const OwnedAddress& owned : port.host ? std::vector<OwnedAddress>() : local) {
      if (owned.address.cidr.family() == port.family) out.emplace(port.protocol, port.port, owned.address.cidr.addr);
    }
    // Each of these is local.
    if (!port.host && port.family == Family::kIpv4) out.emplace(port.protocol, port.port, kLoopback);
  }
  return out;
}

}  // namespace

Status forget_connections(std::vector<IpAddr> addresses, Netlink* netfilter) {
  if (addresses.empty()) return {};
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const auto concerns = [&](const Connection& connection) {
    const auto ours = [&](const Direction& direction) {
      return direction.source && std::binary_search(addresses.begin(), addresses.end(), *direction.source);
    };
    return ours(connection.original) || ours(connection.reply);
  };
  return forget({addresses, concerns}, netfilter);
}

Status forget_connections_to(const std::vector<HostPort>& ports, Netlink* netfilter) {
  if (ports.empty() || count_entries() == 0) return {};
  CNIO_LET(const Ports wanted, ports_to_forget(ports));
  const auto concerns = [&](const Connection& connection) {
    const Direction& to = connection.original;
    if (!to.destination) return false;
    const IpAddr& address = to.destination->is_loopback() && to.destination->is_v4() ? kLoopback : *to.destination;
    return wanted.contains({connection.protocol, to.destination_port, *to.destination}) ||
           wanted.contains({connection.protocol, to.destination_port, address});
  };
  return forget({{}, concerns}, netfilter);
}

Status forget_led_connections(const std::vector<LedConnections>& led, Netlink* netfilter) {
  if (led.empty()) return {};
  std::set<std::tuple<unsigned, uint16_t, uint16_t, IpAddr>> wanted;
  std::set<IpAddr> pods;
  for (const LedConnections& each : led) {
    wanted.emplace(each.protocol, each.host_port, each.pod_port, each.pod);
    pods.insert(each.pod);
  }
  const auto concerns = [&](const Connection& connection) {
    const Direction& answer = connection.reply;
    return answer.source && connection.original.destination != answer.source &&
           wanted.contains(
               {connection.protocol, connection.original.destination_port, answer.source_port, *answer.source});
  };
  return forget({{pods.begin(), pods.end()}, concerns}, netfilter);
}

}  // namespace cnio::net
