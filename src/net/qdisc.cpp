// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/qdisc.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>

#include "net/traffic.hpp"

namespace cnio::net {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr unsigned kTickShift = 6;                  // the kernel's PSCHED_SHIFT: a tick has 64 ns
constexpr uint32_t kMaxRate32 = UINT32_MAX;         // what the older field holds
constexpr uint64_t kPeakRate = uint64_t{1} << 60U;  // bytes a second: that nothing reaches
constexpr TcHandle kMajor = TC_H_MAJ_MASK;

Tbf parse_tbf(nlattr* options) {
  Tbf tbf;
  nlattr* at[TCA_TBF_MAX + 1] = {};
  if (nla_parse_nested(at, TCA_TBF_MAX, options, nullptr) < 0 || at[TCA_TBF_PARMS] == nullptr) return tbf;
  const auto parameters = value_of<tc_tbf_qopt>(at[TCA_TBF_PARMS]);
  tbf.rate = parameters.rate.rate;
  if (at[TCA_TBF_RATE64] != nullptr) tbf.rate = value_of<uint64_t>(at[TCA_TBF_RATE64]);
  tbf.buffer = parameters.buffer;
  tbf.limit = parameters.limit;
  return tbf;
}

void parse_counters(nlattr* counters, Qdisc& qdisc) {
  nlattr* at[TCA_STATS_MAX + 1] = {};
  if (nla_parse_nested(at, TCA_STATS_MAX, counters, nullptr) < 0 || at[TCA_STATS_QUEUE] == nullptr) return;
  const auto queue = value_of<gnet_stats_queue>(at[TCA_STATS_QUEUE]);
  qdisc.overlimits = queue.overlimits;
  qdisc.backlog = queue.backlog;
}

std::optional<Qdisc> parse_qdisc(nlmsghdr& header) {
  nlattr* at[TCA_MAX + 1] = {};
  if (header.nlmsg_type != RTM_NEWQDISC || nlmsg_parse(&header, sizeof(tcmsg), at, TCA_MAX, nullptr) < 0 ||
      at[TCA_KIND] == nullptr) {
    return std::nullopt;
  }
  const auto* about = static_cast<const tcmsg*>(nlmsg_data(&header));
  Qdisc qdisc;
  qdisc.link = IfIndex{about->tcm_ifindex};
  qdisc.kind = text_of(at[TCA_KIND]);
  qdisc.handle = about->tcm_handle;
  qdisc.parent = about->tcm_parent;
  if (qdisc.kind == "tbf" && at[TCA_OPTIONS] != nullptr) qdisc.tbf = parse_tbf(at[TCA_OPTIONS]);
  if (at[TCA_STATS2] != nullptr) parse_counters(at[TCA_STATS2], qdisc);
  return qdisc;
}

Result<std::vector<Qdisc>> list(Netlink& route, IfIndex link, const std::string& operation) {
  const MsgPtr message = traffic_message(RTM_GETQDISC, NLM_F_DUMP, link, 0);
  std::vector<Qdisc> qdiscs;
  const auto add = [&](nlmsghdr& answer) {
    auto qdisc = parse_qdisc(answer);
    // Whether the request narrows it down depends on the kernel.
    if (qdisc && (link == IfIndex::kNone || qdisc->link == link)) qdiscs.push_back(*std::move(qdisc));
  };
  CNIO_TRY(route.query(message.get(), operation, add, [&] { qdiscs.clear(); }));
  return qdiscs;
}

MsgPtr new_qdisc(const Link& link, TcHandle parent, TcHandle handle, const char* kind) {
  MsgPtr message = traffic_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, link.index, parent, handle);
  must(nla_put_string(message.get(), TCA_KIND, kind));
  return message;
}

Status add_without_options(Netlink& route, const Link& link, const char* kind) {
  const MsgPtr message = new_qdisc(link, kIngress, kIngressHandle, kind);
  return route.request(message.get(), "look at what " + link.name + " receives");
}

}  // namespace

MsgPtr traffic_message(int type, int flags, IfIndex link, TcHandle parent, TcHandle handle, uint32_t info) {
  tcmsg about{};
  about.tcm_family = AF_UNSPEC;
  about.tcm_ifindex = static_cast<int>(link);
  about.tcm_parent = parent;
  about.tcm_handle = handle;
  about.tcm_info = info;
  MsgPtr message(checked(nlmsg_alloc_simple(type, flags)));
  must(nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO));
  return message;
}

bool is_gone(const Error& error) {
  return error.errnum() == ENOENT || error.errnum() == ENODEV || error.errnum() == EINVAL;
}

std::string to_string_tc(TcHandle handle) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto hex = [&](uint32_t number) {
    std::string text;
    for (; number != 0 || text.empty(); number >>= 4U) text.insert(text.begin(), kDigits[number & 0xFU]);
    return text;
  };
  const uint32_t minor = handle & ~kMajor;
  return hex((handle & kMajor) >> 16U) + ":" + (minor == 0 ? "" : hex(minor));
}

uint64_t ticks_of(uint64_t rate, uint32_t burst) {
  if (rate == 0) return 0;
  return burst * kNanosecondsPerSecond / rate >> kTickShift;
}

Result<std::vector<Qdisc>> list_qdiscs(Netlink& route, const Link& link) {
  return list(route, link.index, "list the queueing disciplines of " + link.name);
}

Result<std::vector<Qdisc>> list_qdiscs(Netlink& route) {
  return list(route, IfIndex::kNone, "list the queueing disciplines");
}

std::optional<Qdisc> find_qdisc(const std::vector<Qdisc>& qdiscs, TcHandle parent) {
  const auto found = std::find_if(qdiscs.begin(), qdiscs.end(), [&](const Qdisc& qdisc) {
    return qdisc.parent == parent && !qdisc.chosen_by_kernel();
  });
  return found == qdiscs.end() ? std::nullopt : std::optional(*found);
}

namespace {

void put_rate(nl_msg* message, tc_ratespec& field, int attribute64, uint64_t rate) {
  field.rate = static_cast<uint32_t>(std::min<uint64_t>(rate, kMaxRate32));
  if (rate >= kMaxRate32) must(nla_put_u64(message, attribute64, rate));
}

}  // namespace

Status add_tbf(Netlink& route, const Link& link, TcHandle handle, const TbfSpec& spec) {
  const MsgPtr message = new_qdisc(link, kRoot, handle, "tbf");
  nlattr* options = checked(nla_nest_start(message.get(), TCA_OPTIONS));
  tc_tbf_qopt parameters{};
  put_rate(message.get(), parameters.rate, TCA_TBF_RATE64, spec.rate);
  parameters.limit = spec.limit;
  parameters.buffer = static_cast<uint32_t>(ticks_of(spec.rate, spec.burst));
  // Goes before `buffer`, in which a bucket that takes longer than 274 s to fill does not fit.
  must(nla_put_u32(message.get(), TCA_TBF_BURST, spec.burst));
  if (spec.burst > spec.limit) {
    put_rate(message.get(), parameters.peakrate, TCA_TBF_PRATE64, kPeakRate);
    must(nla_put_u32(message.get(), TCA_TBF_PBURST, spec.limit));
  }
  must(nla_put(message.get(), TCA_TBF_PARMS, sizeof parameters, &parameters));
  nla_nest_end(message.get(), options);
  return route.request(message.get(), "limit what " + link.name + " sends");
}

Status add_ingress(Netlink& route, const Link& link) { return add_without_options(route, link, "ingress"); }

Status add_clsact(Netlink& route, const Link& link) { return add_without_options(route, link, "clsact"); }

Status remove_qdisc(Netlink& route, const Link& link, const Qdisc& qdisc) {
  const MsgPtr message = traffic_message(RTM_DELQDISC, 0, link.index, qdisc.parent, qdisc.handle);
  // The kernel refuses to remove one of another kind.
  must(nla_put_string(message.get(), TCA_KIND, qdisc.kind.c_str()));
  Status removed = route.request(message.get(), "remove " + qdisc.kind + " from " + link.name);
  if (!removed.ok() && is_gone(removed.error())) return {};
  return removed;
}

}  // namespace cnio::net
