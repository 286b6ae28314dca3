// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/firewalld.hpp"

#include <memory>

namespace cnio::firewall {
namespace {

const std::string kService = "org.fedoraproject.FirewallD1";

BusMethod zone_method(std::string name) {
  return {kService, "/org/fedoraproject/FirewallD1", kService + ".zone", std::move(name)};
}

std::string source_of(const IpAddr& address) { return Cidr::host(address).to_string(); }

// firewalld's own error codes stand at the beginning of its texts, behind what the program says.
bool says(const BusAnswer& answer, std::string_view code) { return answer.text.find(code) != std::string::npos; }

Error refusal(const std::string& zone, const IpAddr& address, const BusAnswer& answer) {
  if (says(answer, "INVALID_ZONE")) {
    return Error::config("firewalldZone", "there is no zone " + quote(zone))
        .hint("firewall-cmd --get-zones lists those that there are");
  }
  const std::string what = "make " + source_of(address) + " a source of firewalld's zone " + quote(zone);
  if (says(answer, "ZONE_CONFLICT")) {
    return Error::make(Code::kConflict, what + ": it is one of another zone",
                       "firewall-cmd --get-zone-of-source=" + source_of(address) + " names that");
  }
  return Error::make(Code::kKernel, what + ": firewalld refuses", "it says " + quote(answer.text, 512));
}

}  // namespace

Result<std::optional<Firewalld>> Firewalld::find(const protocol::Environment& environment) {
  std::optional<SystemBus> bus = SystemBus::find(environment);
  if (!bus) return std::optional<Firewalld>();
  CNIO_LET(const bool runs, bus->has_owner(kService));
  return runs ? std::optional(Firewalld(*std::move(bus))) : std::nullopt;
}

Status Firewalld::add_source(const std::string& zone, const IpAddr& address, Rollback& undo) const {
  // Before: it may be done although its answer is lost.
  const auto ours = std::make_shared<bool>(true);
  undo.add("remove " + source_of(address) + " from firewalld",
           [self = *this, address, ours]() -> Status { return *ours ? self.remove_source(address) : Status(); });
  CNIO_LET(const BusAnswer answer, bus_.call(zone_method("addSource"), {zone, source_of(address)}));
  if (answer.ok) return {};
  *ours = false;
  return says(answer, "ZONE_ALREADY_SET") ? Status() : refusal(zone, address, answer);
}

Result<bool> Firewalld::has_source(const std::string& zone, const IpAddr& address) const {
  CNIO_LET(const BusAnswer answer, bus_.call(zone_method("querySource"), {zone, source_of(address)}));
  return answer.ok && answer.text == "true";
}

Status Firewalld::remove_source(const IpAddr& address) const {
  CNIO_LET(const BusAnswer zone, bus_.call(zone_method("getZoneOfSource"), {source_of(address)}));
  if (!zone.ok || zone.text.empty()) return {};
  CNIO_LET(const BusAnswer answer, bus_.call(zone_method("removeSource"), {zone.text, source_of(address)}));
  if (answer.ok || says(answer, "UNKNOWN_SOURCE")) return {};
  return Error::make(Code::kKernel, "remove " + source_of(address) + " from firewalld's zone " + quote(zone.text),
                     "it says " + quote(answer.text, 512));
}

}  // namespace cnio::firewall
