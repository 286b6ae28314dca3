// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What goes, and how it is told from what belongs to others.
#include <algorithm>
#include <set>

#include "cnio/attachment/identity.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/net/link/ifb.hpp"

#include "bandwidth/shaping.hpp"

namespace cnio::bandwidth {
namespace {

using Ifbs = std::vector<net::Link>;

// To one of these, or to one that is gone, which keeps the pod from sending anything.
bool leads_to(const net::Filter& filter, const Ifbs& ifbs) {
  return is_redirect(filter, net::IfIndex::kNone) ||
         std::any_of(ifbs.begin(), ifbs.end(), [&](const net::Link& ifb) { return is_redirect(filter, ifb.index); });
}

// With the discipline its filters go, too, at once: so there is no discipline without a filter, of which nobody would
// know whose it is.
Status remove_filters(net::Netlink& host, const net::Link& link, const Shape& shape, const Ifbs& ifbs) {
  const auto ours = [&](const net::Filter& filter) { return leads_to(filter, ifbs); };
  if (shape.filters.empty()) return {};
  if (shape.ingress->kind == "ingress" && std::all_of(shape.filters.begin(), shape.filters.end(), ours)) {
    return net::remove_qdisc(host, link, *shape.ingress);
  }
  ErrorList errors;
  for (const net::Filter& filter : shape.filters) {
    if (!ours(filter)) continue;
    const bool alone = std::all_of(shape.filters.begin(), shape.filters.end(), [&](const net::Filter& other) {
      return ours(other) || other.preference != filter.preference;
    });
    errors.collect(alone ? net::remove_all_like(host, link, filter) : net::remove_filter(host, link, filter));
  }
  return errors.status();
}

// What tells whose the rest is goes last, and only then: the filters after the root, and the ifb after both.
Status strip(net::Netlink& host, const net::Link& link, const Shape& shape, const Ifbs& ifbs) {
  if (shape.root && is_our_root(*shape.root)) CNIO_TRY(net::remove_qdisc(host, link, *shape.root));
  return remove_filters(host, link, shape, ifbs);
}

struct Shaped {
  net::Link link;
  Shape shape;
};

// The links of this host that redirect to one of these.
Result<std::vector<Shaped>> find_leading_to(net::Netlink& host, const Ifbs& ifbs) {
  std::vector<Shaped> found;
  if (ifbs.empty()) return found;
  CNIO_LET(const std::vector<net::Qdisc> qdiscs, net::list_qdiscs(host));
  for (const net::Qdisc& qdisc : qdiscs) {
    if (qdisc.parent != net::kIngress) continue;
    CNIO_LET(const std::optional<net::Link> link, net::find_link(host, qdisc.link));
    if (!link) continue;
    CNIO_LET(Shape shape, look(host, *link));
    const bool leads = std::any_of(shape.filters.begin(), shape.filters.end(), [&](const net::Filter& filter) {
      return !is_redirect(filter, net::IfIndex::kNone) && leads_to(filter, ifbs);
    });
    if (leads) found.push_back({*link, std::move(shape)});
  }
  return found;
}

// Those of its names that are its own, or may be.
Result<Ifbs> find_ifbs(net::Netlink& host, const Owner& owner) {
  Ifbs ifbs;
  for (const std::string& name : ifb_names(owner)) {
    CNIO_LET(const std::optional<net::Link> link, net::find_link(host, name));
    if (link && (is_of(*link, owner) || may_be_of(*link, owner))) ifbs.push_back(*link);
  }
  return ifbs;
}

Ifbs without(const Ifbs& ifbs, const std::vector<net::Filter>& filters) {
  Ifbs rest;
  std::copy_if(ifbs.begin(), ifbs.end(), std::back_inserter(rest), [&](const net::Link& ifb) {
    return std::none_of(filters.begin(), filters.end(),
                        [&](const net::Filter& filter) { return is_redirect(filter, ifb.index); });
  });
  return rest;
}

// Is the pod's cable in the hands of another network, which limits it?
Result<bool> is_of_another(net::Netlink& host, const Shape& shape, const Ifbs& ifbs) {
  for (const net::Filter& filter : shape.filters) {
    if (!filter.every_packet || filter.redirects.empty() || leads_to(filter, ifbs)) continue;
    CNIO_LET(const std::optional<net::Link> to, net::find_link(host, filter.redirects.front()));
    if (to && is_shaper(*to)) return true;
  }
  return false;
}

// Is it the host end of another attachment, as far as it says so?
bool is_marked_for_another(const net::Link& link, const Owner& owner) {
  return link.alias.starts_with(attachment::kAliasMark) &&
         link.alias != attachment::host_end_alias(owner.network, owner.attachment);
}

// The links that lead to one of these, besides the host end. To one that does not say whose it is, another interface of
// the container may lead, or one of another network whose names run together to the same: then it is that one's.
Status strip_others(net::Netlink& host, Ifbs& ifbs, const Ifbs& to, const Owner& owner, bool host_end_is_known) {
  CNIO_LET(const std::vector<Shaped> others, find_leading_to(host, to));
  ErrorList errors;
  for (const Shaped& other : others) {
    const Ifbs all = ifbs;
    for (const net::Link& ifb : all) {
      if (!without({ifb}, other.shape.filters).empty()) continue;
      const bool theirs = !is_of(ifb, owner) && (host_end_is_known || is_marked_for_another(other.link, owner));
      if (!theirs) errors.collect(strip(host, other.link, other.shape, {ifb}));
      if (theirs) std::erase_if(ifbs, [&](const net::Link& each) { return each.index == ifb.index; });
    }
  }
  return errors.status();
}

}  // namespace

Status unlimit(net::Netlink& host, const std::optional<net::Link>& host_end, const Owner& owner) {
  CNIO_LET(Ifbs ifbs, find_ifbs(host, owner));
  ErrorList errors;
  Ifbs elsewhere = ifbs;
  if (host_end) {
    CNIO_LET(const Shape shape, look(host, *host_end));
    CNIO_LET(const bool foreign, is_of_another(host, shape, ifbs));
    if (!foreign) errors.collect(strip(host, *host_end, shape, ifbs));
    elsewhere = without(ifbs, shape.filters);
  }
  errors.collect(strip_others(host, ifbs, elsewhere, owner, host_end.has_value()));
  if (!errors.empty()) return errors.status();
  for (const net::Link& ifb : ifbs) errors.collect(net::remove_link_swiftly(host, ifb));
  return errors.status();
}

Status unlimit_stale(net::Netlink& host, const std::string& network, const std::vector<protocol::Attachment>& valid) {
  std::set<std::string> living;
  for (const protocol::Attachment& each : valid) living.insert(attachment::host_end_alias(network, each));
  CNIO_LET(Ifbs stale, net::list_ifbs(host));
  std::erase_if(stale, [&](const net::Link& ifb) {
    return !ifb.alias.starts_with(attachment::mark_of(network)) || living.contains(ifb.alias);
  });
  CNIO_LET(const std::vector<Shaped> leading, find_leading_to(host, stale));
  ErrorList errors;
  for (const Shaped& each : leading) {
    const Status stripped = strip(host, each.link, each.shape, stale);
    errors.collect(stripped);
    if (!stripped.ok()) stale = without(stale, each.shape.filters);
  }
  for (const net::Link& ifb : stale) errors.collect(net::remove_link(host, ifb));
  return errors.status();
}

}  // namespace cnio::bandwidth
