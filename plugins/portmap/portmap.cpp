// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "portmap/portmap.hpp"

#include "cnio/attachment/chained.hpp"
#include "cnio/firewall/port_map.hpp"

#include "portmap/config.hpp"
#include "portmap/keys.hpp"

namespace cnio::portmap {
namespace {

using firewall::PortMapSpec;
using protocol::AddResult;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({"cniVersion": "1.1.0", "name": "demo", "plugins": [
  {"type": "bridge", "bridge": "cnio0", "isDefaultGateway": true, "ipam": {"type": "host-local",
   "ranges": [[{"subnet": "10.240.9.0/24"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]})";

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(PortMapSpec spec, parse_config(request));
  return attachment::add_to_chain(request, [&](AddResult& result) -> Status {
    spec.pod = choose_addresses(result, request.attachment);
    std::vector<std::string> notes;
    if (!spec.mappings.empty() && spec.pod.empty()) {
      notes.push_back("no port is mapped: prevResult has no address of " + request.attachment.ifname +
                      " in the container");
    }
    Status done = firewall::install_port_map(spec, request.environment, undo, notes);
    for (const std::string& text : notes) protocol::note(request.plugin, text);
    return done;
  });
}

// Whatever the configuration says, and whatever has become of pod and result.
Status del(const Request& request) {
  return firewall::remove_port_map({request.network, request.attachment}, request.environment);
}

Status check(const Request& request) {
  CNIO_LET(PortMapSpec spec, parse_config(request));
  return attachment::check_in_chain(request, [&](const AddResult& result) -> Status {
    spec.pod = choose_addresses(result, request.attachment);
    return firewall::check_port_map(spec, request.environment);
  });
}

Result<std::string> repair(const Request& request) { return attachment::repair_in_chain(request, check, add); }

Status status(const Request& request) {
  CNIO_LET(const PortMapSpec spec, parse_config(request));
  return attachment::status_of(firewall::rehearse_port_map(spec.backend, request.environment));
}

Status gc(const Request& request) {
  return attachment::collect_garbage(request, [&](const std::vector<protocol::Attachment>& valid) {
    return firewall::collect_port_map_garbage(request.network, valid, request.environment);
  });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "portmap",
          .about = "Leads ports of the host to a container, behind a plugin that makes its interface.",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .repair = repair,
          .keys = kKeys};
}

}  // namespace cnio::portmap
