// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <functional>
#include <linux/netlink.h>
#include <set>

#include "cnio/base/error_list.hpp"
#include "cnio/base/sha512.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using protocol::AddResult;
using protocol::Request;

constexpr unsigned kNameAttempts = 3;  // 32 bits each: one more than ever needed, and DEL looks for all
constexpr size_t kMaxAlias = 255;      // IFALIASZ, without the terminating NUL
constexpr char kAliasMark[] = "cnio ";

std::string mark_of(const std::string& network) { return kAliasMark + network + "/"; }

std::string alias_of(const Request& request) { return host_end_alias(request.network, request.attachment); }

Status create_under_free_name(net::Netlink& host, net::VethSpec spec, const Request& request, const std::string& prefix,
                              std::string& name) {
  Status created;
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt) {
    spec.host_name = host_end_name(request, prefix, attempt);
    created = net::create_veth(host, spec);
    name = spec.host_name;
    if (created.ok() || created.error().errnum() != EEXIST) break;
  }
  return created;
}

bool lists_interface(const std::optional<AddResult>& result, const std::string& name) {
  return result && std::any_of(result->interfaces.begin(), result->interfaces.end(),
                               [&](const auto& entry) { return entry.name == name && entry.sandbox.empty(); });
}

// Why a veth whose host end is `host_end` is not this network's; empty if it is.
Result<std::string> why_foreign(net::Netlink& host, const net::Link& host_end, const Request& request,
                                const Config& config, const std::optional<AddResult>& prev_result) {
  if (host_end.alias.starts_with(kAliasMark)) {
    if (host_end.alias == alias_of(request)) return std::string();
    return "its host end " + host_end.name + " belongs to \"" + host_end.alias + "\"";
  }
  // Made by the reference, which leaves no mark: known by the recorded result, or by the bridge.
  if (lists_interface(prev_result, host_end.name)) return std::string();
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  const net::IfIndex expected = bridge ? bridge->index : net::IfIndex::kNone;
  if (host_end.master == expected) return std::string();
  return "its host end " + host_end.name + " is not in bridge " + config.bridge;
}

// By its name, where the sandbox cannot tell: the one that the result says, or one that it has by rule. The alias says
// whether it is ours. An ADD that was killed before it could mark the link leaves one with the name by rule.
Result<std::optional<net::Link>> find_marked_host_end(net::Netlink& host, const Request& request, const Config& config,
                                                      const std::optional<AddResult>& prev_result) {
  std::vector<std::string> names;
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt)
    names.push_back(host_end_name(request, config.host_prefix, attempt));
  // The prefix may have been another then.
  for (const auto& entry : prev_result ? prev_result->interfaces : std::vector<protocol::Interface>()) {
    if (entry.sandbox.empty() && std::find(names.begin(), names.end(), entry.name) == names.end())
      names.push_back(entry.name);
  }
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  for (size_t i = 0; i < names.size(); ++i) {
    CNIO_LET(std::optional<net::Link> link, net::find_link(host, names[i]));
    if (!link) continue;
    const bool unmarked =
        i < kNameAttempts && link->alias.empty() && link->kind == "veth" && bridge && link->master == bridge->index;
    if (unmarked || link->alias == alias_of(request)) return link;
  }
  return std::optional<net::Link>();
}

// The pair of an ADD whose creation may have succeeded: the sandbox's interface did not exist before, so it is ours if
// its host end has the name that it was to have. It has no mark yet.
Status remove_unmarked(const std::string& name, const Request& request) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(net::Sandbox sandbox, net::Sandbox::open(request.netns_path));
  CNIO_LET(const std::optional<net::Link> link, net::find_link(sandbox.route(), request.attachment.ifname));
  if (!link) return {};
  CNIO_LET(const std::optional<net::Link> host_end, sandbox.find_host_end(host, *link));
  if (!host_end || host_end->name != name || !host_end->alias.empty()) return {};
  return net::remove_link(host, *host_end);
}

}  // namespace

std::string host_end_name(const Request& request, const std::string& prefix, unsigned attempt) {
  std::string identity = request.network + '\0' + request.attachment.container_id + '\0' + request.attachment.ifname;
  if (attempt != 0) identity += '\0' + std::to_string(attempt);
  return prefix + sha512_hex(identity, 8);
}

std::string host_end_alias(const std::string& network, const protocol::Attachment& attachment) {
  return (mark_of(network) + attachment.container_id + "/" + attachment.ifname).substr(0, kMaxAlias);
}

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

Result<Veth> create_attachment_veth(net::Netlink& host, net::Sandbox& sandbox, const Request& request,
                                    const Config& config, const net::Link& bridge, Rollback& undo) {
  std::string name;
  Status created = create_under_free_name(host,
                                          {.host_name = {},
                                           .master = bridge.index,
                                           .mtu = config.mtu,
                                           .sandbox_name = request.attachment.ifname,
                                           .sandbox_fd = sandbox.netns().fd(),
                                           .sandbox_mac = config.mac},
                                          request, config.host_prefix, name);
  if (!created.ok()) {
    // It may be there although its answer is lost.
    if (created.error().errnum() != EEXIST) {
      undo.add("remove " + name, [name, request] { return remove_unmarked(name, request); });
    }
    // Another ADD for the same attachment may have been faster since the name was looked up.
    if (created.error().errnum() == EEXIST) CNIO_TRY(check_name_is_free(sandbox, request));
    const bool unknown = created.error().errnum() == EOPNOTSUPP;
    return unknown ? std::move(created).error().hint("the kernel module veth is missing") : created.error();
  }
  undo.add("remove " + name, [name]() -> Status {
    CNIO_LET(net::Netlink again, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const std::optional<net::Link> link, net::find_link(again, name));
    return link ? net::remove_link(again, *link) : Status();
  });
  CNIO_LET(const std::optional<net::Link> host_end, net::find_link(host, name));
  CNIO_LET(const std::optional<net::Link> sandbox_end, net::find_link(sandbox.route(), request.attachment.ifname));
  if (!host_end || !sandbox_end)
    return Error::make(Code::kTryAgain, "veth pair " + name + " vanished after its creation");
  return Veth{*host_end, *sandbox_end};
}

Status configure_attachment(net::Netlink& host, const Request& request, const Config& config, const Veth& veth) {
  CNIO_TRY(net::configure_port(host, veth.host_end,
                               {.alias = alias_of(request), .hairpin = config.hairpin, .isolated = config.isolated}));
  return configure_vlans(host, veth.host_end, config);
}

Status remove_former_pairs(net::Netlink& host, const Request& request, const Config& config, const Veth& own) {
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt) {
    const std::string name = host_end_name(request, config.host_prefix, attempt);
    if (name == own.host_end.name) continue;
    CNIO_LET(const std::optional<net::Link> link, net::find_link(host, name));
    if (link && link->alias == alias_of(request)) CNIO_TRY(net::remove_link(host, *link));
  }
  return {};
}

feature::SpoofCheckSpec spoof_check_of(const Request& request, const net::Link& host_end,
                                       const net::Link& sandbox_end) {
  return {.network = request.network,
          .attachment = request.attachment,
          .port = host_end.name,
          .mac = sandbox_end.mac.value_or(MacAddr())};
}

namespace {

// `listen` opens the notifications of the namespace that the link is in; it is the exception that they are needed.
Status wait_for_end(net::Netlink& route, const net::Link& end, const std::function<Result<net::LinkEvents>()>& listen) {
  CNIO_LET(const std::optional<net::Link> now, net::find_link(route, end.index));
  if (now && now->operational) return {};
  CNIO_LET(net::LinkEvents events, listen());
  return events.wait_operational(route, end, kPortTimeoutMs);
}

}  // namespace

Status wait_for_pair(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth) {
  CNIO_TRY(wait_for_end(host, veth.host_end, net::LinkEvents::open));
  return wait_for_end(sandbox.route(), veth.sandbox_end, [&]() -> Result<net::LinkEvents> {
    std::optional<net::LinkEvents> events;
    CNIO_TRY(sandbox.run([&]() -> Status {
      CNIO_LET(events, net::LinkEvents::open());
      return {};
    }));
    return *std::move(events);
  });
}

Result<Leftover> find_leftover(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Request& request,
                               const Config& config, const std::optional<AddResult>& prev_result) {
  Leftover left;
  if (sandbox) {
    CNIO_LET(std::optional<net::Link> link, net::find_link(sandbox->route(), request.attachment.ifname));
    if (link) {
      CNIO_LET(std::optional<net::Link> host_end, sandbox->find_host_end(host, *link));
      if (!host_end) {
        left.foreign = "it is no veth with an end on this host";
      } else {
        CNIO_LET(left.foreign, why_foreign(host, *host_end, request, config, prev_result));
      }
      if (left.foreign.empty()) {
        left.sandbox_end = std::move(link);
        left.host_end = std::move(host_end);
        return left;
      }
      left.foreign = "interface " + request.attachment.ifname + " left alone: " + left.foreign;
    }
  }
  // The sandbox is gone or lost its interface, yet a process may keep the namespace, and so the pair, alive.
  CNIO_LET(left.host_end, find_marked_host_end(host, request, config, prev_result));
  return left;
}

Status remove_stale_links(net::Netlink& host, const Config& config, const std::string& network,
                          const std::vector<protocol::Attachment>& valid) {
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  if (!bridge) return {};
  CNIO_LET(const std::vector<net::Link> ports, net::list_links(host, bridge->index));
  std::set<std::string> valid_aliases;
  for (const protocol::Attachment& attachment : valid) valid_aliases.insert(host_end_alias(network, attachment));
  ErrorList errors;
  for (const net::Link& port : ports) {
    if (port.alias.starts_with(mark_of(network)) && !valid_aliases.contains(port.alias)) {
      errors.collect(net::remove_link(host, port));
    }
  }
  return errors.status();
}

}  // namespace cnio::bridge
