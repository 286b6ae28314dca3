// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/pair.hpp"

#include <cerrno>
#include <functional>
#include <linux/netlink.h>
#include <memory>

#include "cnio/attachment/identity.hpp"
#include "cnio/net/link/events.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {
namespace {

using protocol::Request;

Status create_under_free_name(net::Netlink& host, net::VethSpec spec, const RecordedPair& pair, std::string& name) {
  Status created;
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt) {
    spec.host_name = host_end_name(pair.network, pair.attachment, pair.prefix, attempt);
    created = net::create_veth(host, spec);
    name = spec.host_name;
    if (created.ok() || created.error().errnum() != EEXIST) break;
  }
  return created;
}

// Whatever the kernel or a pod has done meanwhile: a link of this name that has the MAC address which we drew.
Result<std::optional<net::Link>> find_made(net::Netlink& host, const std::string& name, const RecordedPair& pair) {
  CNIO_LET(std::optional<net::Link> link, net::find_link(host, name));
  if (link && link->mac != pair.host_mac) link.reset();
  return link;
}

// Its undo goes by what is known of the pair then. `made` is that.
using Made = std::shared_ptr<RecordedPair>;

// Without it the pair is still found by its marks; a pod does not fail to start for want of it.
void write_down(std::string_view plugin, std::optional<AttachmentRecord>& record, const Made& made, Rollback& undo) {
  if (!record) return;
  // Before: a part of it may be written. If the link could not be removed, DEL has to find it.
  undo.last("forget what was recorded of " + made->attachment.container_id, [made]() -> Status {
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const auto link, find_recorded_end(host, *made));
    if (link) return {};
    CNIO_LET(auto again, AttachmentRecord::read(made->attachment));
    return again.forget(*made);
  });
  if (const Status added = record->add(*made); !added.ok()) {
    protocol::note(plugin, "what DEL and GC need is not recorded: " + added.error().msg());
  }
}

void register_removal(const std::string& name, const Made& made, Rollback& undo) {
  undo.add("remove " + name, [made]() -> Status {
    CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const std::optional<net::Link> link, find_recorded_end(again, *made));
    return link ? net::remove_link(again, *link) : Status();
  });
}

// Why there is no pair. Another ADD for the same attachment may have been faster since the name was looked up.
Error explain(Error refused, net::Sandbox& sandbox, const Request& request) {
  if (refused.errnum() == EOPNOTSUPP) return std::move(refused).hint("the kernel module veth is missing");
  if (refused.errnum() != EEXIST) return refused;
  const Status free = check_name_is_free(sandbox, request);
  return free.ok() ? refused : free.error();
}

// Not looked up: from here on it is the pod's, which may have given its name or its MAC address to another.
net::Link sandbox_end_of(const net::Link& host_end, const RecordedPair& pair) {
  net::Link end;
  end.index = host_end.peer;
  end.name = pair.attachment.ifname;
  end.kind = host_end.kind;
  end.mac = pair.sandbox_mac;
  end.mtu = host_end.mtu;
  end.ipv6 = host_end.ipv6;  // whether there is any: that follows from the kernel and the MTU
  return end;
}

}  // namespace

Status check_name_is_free(net::Sandbox& sandbox, const Request& request) {
  const std::string& name = request.attachment.ifname;
  CNIO_LET(const std::optional<net::Link> taken, net::find_name_owner(sandbox.route(), name));
  if (!taken) return {};
  if (taken->name != name) {
    return Error::make(Code::kConflict, "the name " + name + " is an alternative name of the interface " + taken->name +
                                            " in the sandbox " + request.netns_path);
  }
  return Error::make(Code::kConflict, "interface " + name + " exists already in the sandbox " + request.netns_path)
      .hint("call DEL first if it is left over from an earlier ADD");
}

Result<Veth> create_pair(net::Netlink& host, net::Sandbox& sandbox, const Request& request, const PairSpec& spec,
                         RecordedPair& pair, std::optional<AttachmentRecord>& record, Rollback& undo) {
  const Made made = std::make_shared<RecordedPair>(pair);
  write_down(request.plugin, record, made, undo);
  std::string name;
  Status created = create_under_free_name(host,
                                          {.host_name = {},
                                           .master = spec.master,
                                           .mtu = spec.mtu,
                                           .sandbox_name = request.attachment.ifname,
                                           .sandbox_fd = sandbox.netns().fd(),
                                           .host_mac = pair.host_mac,
                                           .sandbox_mac = pair.sandbox_mac},
                                          pair, name);
  // It may be there although its answer is lost.
  if (created.ok() || created.error().errnum() != EEXIST) register_removal(name, made, undo);
  if (!created.ok()) return explain(std::move(created).error(), sandbox, request);
  CNIO_LET(const std::optional<net::Link> host_end, find_made(host, name, pair));
  if (!host_end) return Error::make(Code::kTryAgain, "veth pair " + name + " vanished after its creation");
  pair.host_name = host_end->name;
  pair.host_index = host_end->index;
  pair.sandbox_index = host_end->peer;
  *made = pair;
  return Veth{*host_end, sandbox_end_of(*host_end, pair)};
}

// It is the exception that notifications are needed.
Status wait_operational(net::Netlink& route, const net::Link& link, const net::Listen& listen) {
  CNIO_LET(const std::optional<net::Link> now, net::find_link(route, link.index));
  if (now && now->operational) return {};
  CNIO_LET(net::LinkEvents events, net::LinkEvents::open(listen));
  return events.wait_operational(route, link, kPortTimeoutMs);
}

Status wait_for_pair(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth) {
  CNIO_TRY(wait_operational(host, veth.host_end, net::listen_here));
  return wait_operational(sandbox.route(), veth.sandbox_end,
                          [&](const std::vector<int>& groups) { return sandbox.listen(groups); });
}

}  // namespace cnio::attachment
